"""`valetkey connection tools|permit|level`: what a person says about the tools of an account."""

from __future__ import annotations

from typing import Any

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_json, print_table
from valetkey.kernel.errors import NotFound

_SHOWN = {"name": "tool", "counts_as": "class", "setting": "you said", "effect": "now", "rule": "rule"}
_LEVELS = ("always_ask", "before_changes", "before_important", "allow")


@click.command("tools")
@click.argument("account", metavar="CONNECTOR[/LABEL]|ID")
@as_json
@hub_options
def tools(hub: Hub, account: str, as_json: bool) -> None:
    """List an account's tools: the class of each, what you said about it, and what holds now."""
    found = hub.get(_path(hub, account))
    _print(found, as_json)


@click.command("permit")
@click.argument("account", metavar="CONNECTOR[/LABEL]|ID")
@click.argument("setting", type=click.Choice(["allow", "ask", "block", "class"]))
@click.argument("tool", nargs=-1, required=True)
@as_json
@hub_options
def permit(hub: Hub, account: str, setting: str, tool: tuple[str, ...], as_json: bool) -> None:
    """Say of tools that they are always allowed, asked for each time, or blocked; or leave them to their class.

    An *allow* is for the tool as it is described now.
    """
    path = _path(hub, account)
    there = {one["name"]: one for one in hub.get(path)["items"]}
    if unknown := [name for name in tool if name not in there]:
        raise NotFound(
            f"There is no tool {unknown[0]} there.", hint="`valetkey connection tools` shows those there are."
        )
    say = [
        {"name": name, "fingerprint": there[name]["fingerprint"], "setting": setting} for name in dict.fromkeys(tool)
    ]
    _print(hub.post(path, {"say": say}), as_json)


@click.command("level")
@click.argument("account", metavar="CONNECTOR[/LABEL]|ID")
@click.argument("level", type=click.Choice(_LEVELS))
@as_json
@hub_options
def level(hub: Hub, account: str, level: str, as_json: bool) -> None:
    """Say of all tools at once how much is asked; what you blocked stays blocked.

    always_ask asks about everything, before_changes about all but what reads, before_important about all but what reads
    or changes something small, allow only about what is hard to take back or not known.
    """
    path = _path(hub, account)
    _print(hub.post(f"{path}/level", {"level": level, "seen": hub.get(path)["seen"]}), as_json)


def _path(hub: Hub, account: str) -> str:
    return f"/connections/{part(account_named(hub, account, ''))}/permissions"


def _print(found: Any, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_table(found["items"], _SHOWN, empty="It has no tools.")
    if found["level"]:
        note(f"Level: {found['level']}")


def account_named(hub: Hub, account: str, user: str) -> str:
    """The id of the connection that a connector, `connector/label` or an id means."""
    slug, _, label = account.partition("/")
    for found in hub.all("/connections", person=user)["items"]:
        is_meant = found["label"] == label if label else found["is_default"]
        if found["id"] == account or (found["connector"] == slug and is_meant):
            return str(found["id"])
    raise NotFound("There is no such account.", hint="`valetkey connection list` shows those there are.")
