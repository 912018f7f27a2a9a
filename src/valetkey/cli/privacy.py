"""`valetkey privacy`: what people are told becomes of their data, in versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from valetkey.cli.hub_client import Hub, hub_options
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table


@click.group()
def privacy() -> None:
    """The hub's privacy policy: show, list, accept, set."""


@privacy.command("show")
@click.option("--version", "number", type=click.IntRange(min=1), default=None, help="An earlier one, by its number.")
@as_json
@hub_options
def show(hub: Hub, number: int | None, as_json: bool) -> None:
    """Show the policy that holds, or the template while there is none."""
    found = hub.get(f"/privacy/versions/{number}" if number else "/privacy")
    if as_json:
        print_json(found)
        return
    if not found["number"]:
        note("Not set: this is the template, and nothing can be connected. `valetkey privacy accept` makes it yours.")
    print(found["text"].strip())


@privacy.command("list")
@as_json
@hub_options
def list_versions(hub: Hub, as_json: bool) -> None:
    """List every version there was, newest first."""
    found = hub.all("/privacy/versions")
    if as_json:
        print_json(found)
        return
    columns = {"number": "number", "name": "name", "published_at": "published"}
    print_table(found["items"], columns, empty="Not set: nothing can be connected.")


@privacy.command("accept")
@as_json
@hub_options
def accept(hub: Hub, as_json: bool) -> None:
    """Make the built-in template your policy."""
    _published(hub.post("/privacy/accept"), as_json=as_json)


@privacy.command("set")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
@hub_options
def set_policy(hub: Hub, file: Path, as_json: bool) -> None:
    """Publish a text file as the next version: # begins a heading, an empty line ends a paragraph."""
    try:
        text = file.read_text()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file} is not a text in UTF-8.") from error
    _published(hub.post("/privacy", {"text": text}), as_json=as_json)


def _published(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_facts({"version": found["name"], "published": found["published_at"]})
