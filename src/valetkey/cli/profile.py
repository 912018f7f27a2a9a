"""`valetkey profile`: named choices of connections and tools, each with an endpoint of its own."""

from __future__ import annotations

from typing import Any

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table
from valetkey.cli.token import for_user
from valetkey.kernel.errors import NotFound

_SHOWN = {"name": "name", "title": "title", "access": "tools", "path": "endpoint", "holds": "holds"}

_access = click.option(
    "--access", type=click.Choice(["auto", "all", "search"]), default=None, help="How many tools are offered."
)
_title = click.option("--title", default=None, help="What you call it.")
_take = click.option(
    "--take",
    "taken",
    multiple=True,
    metavar="CONNECTOR[/LABEL][:TOOL,…]",
    help="Put this connection in: all of it, or the tools named; repeat for more.",
)


@click.group()
def profile() -> None:
    """Profiles of connections and tools: list, show, add, set, remove."""


@profile.command("list")
@for_user
@as_json
@hub_options
def list_profiles(hub: Hub, user: str, as_json: bool) -> None:
    """List a person's profiles."""
    found = hub.all("/profiles", person=user)
    if as_json:
        print_json(found)
    else:
        rows = [one | {"holds": _holds(one)} for one in found["items"]]
        print_table(rows, _SHOWN, empty="There are no profiles. Make one: valetkey profile add NAME --take CONNECTOR")


@profile.command("show")
@click.argument("name")
@for_user
@as_json
@hub_options
def show_profile(hub: Hub, name: str, user: str, as_json: bool) -> None:
    """Show one profile and what is in it."""
    _print(hub.get(f"/profiles/{part(name)}", person=user), as_json)


@profile.command("add")
@click.argument("name")
@_title
@_access
@_take
@as_json
@hub_options
def add_profile(
    hub: Hub, name: str, title: str | None, access: str | None, taken: tuple[str, ...], as_json: bool
) -> None:
    """Make a profile; its address is /p/NAME/mcp."""
    body = {"name": name, "title": title or "", "access": access or "auto", "connections": _choices(hub, taken)}
    _print(hub.post("/profiles", body), as_json)
    note("It switches nothing on: a tool that is off stays off.")


@profile.command("set")
@click.argument("name")
@_title
@_access
@_take
@as_json
@hub_options
def set_profile(
    hub: Hub, name: str, title: str | None, access: str | None, taken: tuple[str, ...], as_json: bool
) -> None:
    """Change a profile. What --take names replaces what was in it; without any, that stays."""
    now = hub.get(f"/profiles/{part(name)}")
    kept = [{key: one[key] for key in ("connection_id", "whole", "tools")} for one in now["connections"]]
    body = {
        "title": now["title"] if title is None else title,
        "access": access or now["access"],
        "connections": _choices(hub, taken) if taken else kept,
    }
    _print(hub.post(f"/profiles/{part(name)}", body), as_json)


@profile.command("remove")
@click.argument("name")
@hub_options
def remove_profile(hub: Hub, name: str) -> None:
    """Remove a profile; connections stay as they are."""
    hub.delete(f"/profiles/{part(name)}")
    print(f"removed: {name}")


def _choices(hub: Hub, taken: tuple[str, ...]) -> list[dict[str, Any]]:
    connections = hub.all("/connections")["items"] if taken else []
    choices = []
    for text in taken:
        account, colon, tools = text.partition(":")
        slug, _, label = account.partition("/")
        for one in connections:
            if one["connector"] == slug and (one["label"] == label if label else one["is_default"]):
                named = [tool for tool in tools.split(",") if tool]
                choices.append({"connection_id": one["id"], "whole": not colon, "tools": named})
                break
        else:
            raise NotFound(f"There is no account {account}.", hint="`valetkey connection list` shows those there are.")
    return choices


def _holds(shown: dict[str, Any]) -> list[str]:
    return [
        f"{one['connector']}/{one['label']}" + ("" if one["whole"] else ":" + ",".join(one["tools"]))
        for one in shown["connections"]
    ]


def _print(shown: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    print_facts({title: (shown | {"holds": _holds(shown)})[key] for key, title in _SHOWN.items()})
