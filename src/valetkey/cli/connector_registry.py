"""`valetkey connector refresh` and `find`: the registry of servers that the operator named."""

from __future__ import annotations

import time

import click

from valetkey.cli.hub_client import Hub, hub_options
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table
from valetkey.cli.token import for_user

_RUN = ("registry", "began_at", "finished_at", "since", "pages", "servers", "gone", "left_out", "error")


@click.command("refresh")
@click.option("--whole", is_flag=True, help="Read all of the registry, not only what changed since the last time.")
@click.option("--status", "only_status", is_flag=True, help="Say how far it is, or what came of it; read nothing.")
@as_json
@hub_options
def refresh_registry(hub: Hub, whole: bool, only_status: bool, as_json: bool) -> None:
    """Read the registry that the hub's settings name, and wait until that is done."""
    run = hub.get("/registry/run") if only_status else hub.post("/registry/run", {"whole": whole})
    while not only_status and run["finished_at"] is None:
        note(f"{run['pages']} pages, {run['servers']} servers")
        time.sleep(1.0)
        run = hub.get("/registry/run")
    if as_json:
        print_json(run)
    elif run is None:
        print("It has not been read yet.")
    else:
        print_facts({name.replace("_", " "): run[name] for name in _RUN if run[name] not in ("", None)})
    if run and run["error"]:
        raise SystemExit(1)


@click.command("find")
@click.argument("words", nargs=-1, required=True)
@for_user
@as_json
@hub_options
def find_in_registry(hub: Hub, words: tuple[str, ...], user: str, as_json: bool) -> None:
    """Find servers of the registry, to be added by their URL. Nobody has looked at any of them."""
    found = hub.get("/registry", person=user, q=" ".join(words))
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], {"title": "name", "name": "in the registry", "url": "url"}, empty="Nothing fits.")
