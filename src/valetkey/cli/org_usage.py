"""`valetkey org usage`: how an organization's connectors are used, in numbers."""

from __future__ import annotations

from typing import Any

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_json, print_table

_BY = ("connector", "client", "group", "person", "auth", "day")


@click.command("usage")
@click.argument("organization")
@click.option("--since", metavar="DAY", help="The first day (UTC); 30 days in all, if not said.")
@click.option("--until", metavar="DAY", help="The last day; at most yesterday.")
@click.option("--by", type=click.Choice(_BY), default="connector", show_default=True, help="Divided by what.")
@click.option("--connector", metavar="NAME", help="Of this one only.")
@as_json
@hub_options
def usage(hub: Hub, organization: str, by: str, as_json: bool, **chosen: str | None) -> None:
    """Show how many calls there were, by how many people, and with what; never what was in them."""
    wanted = {name: value for name, value in chosen.items() if value}
    found = hub.all(f"/organizations/{part(organization)}/usage", by=by, **wanted)
    if as_json:
        print_json(found)
        return
    print_table([_shown(one) for one in found["items"]], _columns(by), empty="No calls on these days.")
    if any(one["partial"] for one in found["items"]):
        note("What fewer than five people stand behind is not in it.")


def _columns(by: str) -> dict[str, str]:
    divided = {} if by == "connector" else {"name": by}
    return {"connector": "connector", **divided, "calls": "calls", "carried": "reached it", "people": "people"}


def _shown(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"name": one["name"] or one["key"] or "–"}
