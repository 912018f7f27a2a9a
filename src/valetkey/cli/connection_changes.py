"""`valetkey connection changes|accept`: what a service changed since it was accepted."""

from __future__ import annotations

from typing import Any

import click

from valetkey.cli.connection_tools import account_named
from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_json, print_table
from valetkey.kernel.errors import NotFound

_SHOWN = {"tool": "tool", "kind": "kind", "where": "where", "old": "accepted", "new": "now"}


@click.command("changes")
@click.argument("account", metavar="CONNECTOR[/LABEL]|ID")
@as_json
@hub_options
def changes(hub: Hub, account: str, as_json: bool) -> None:
    """Show what is held back: each place in which a tool differs from what was accepted."""
    found = hub.get(_path(hub, account))
    if as_json:
        print_json(found)
        return
    rows = [
        {"tool": one["tool"] or "(the service itself)", "kind": one["kind"], **place}
        for one in found["items"]
        for place in one["differences"]
    ]
    print_table(rows, _SHOWN, empty="Nothing is held back: everything is as it was accepted.")


@click.command("accept")
@click.argument("account", metavar="CONNECTOR[/LABEL]|ID")
@click.argument("tool", nargs=-1, required=True)
@click.option(
    "--for-everybody", is_flag=True,
    help="For every account of the organization at this connector, also where the same comes later (owners, admins).",
)  # fmt: skip
@as_json
@hub_options
def accept(hub: Hub, account: str, tool: tuple[str, ...], for_everybody: bool, as_json: bool) -> None:
    """Accept changes, as `connection changes` shows them; no permission is given by it.

    A prompt is named `prompt: NAME`, a template `template: URI`, and the service itself `-`.
    """
    path = _path(hub, account)
    held = {one["tool"]: one["seen"] for one in hub.get(path)["items"]}
    named = ["" if name == "-" else name for name in dict.fromkeys(tool)]
    if unknown := [name for name in named if name not in held]:
        raise NotFound(
            f"Nothing of {unknown[0] or 'the service itself'} is held back there.",
            hint="`valetkey connection changes` shows what is.",
        )
    accepting: dict[str, Any] = {"accept": [{"tool": name, "seen": held[name]} for name in named]}
    left = hub.post(path, accepting | {"for_everybody": for_everybody})
    if as_json:
        print_json(left)
    else:
        note(f"Accepted. {len(left['items']) or 'Nothing'} more is held back.")


def _path(hub: Hub, account: str) -> str:
    return f"/connections/{part(account_named(hub, account, ''))}/tools/changes"
