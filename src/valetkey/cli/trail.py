"""`valetkey trail`: what happened besides calls."""

from __future__ import annotations

import json

import click

from valetkey.cli.hub_client import Hub, hub_options
from valetkey.cli.printing import as_json, print_json, print_table
from valetkey.cli.token import for_user

_SHOWN = {"seq": "#", "at": "at", "event": "event", "actor": "by", "object": "object", "detail": "detail"}


@click.group()
def trail() -> None:
    """The trail of everything else: list."""


@trail.command("list")
@for_user
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="At most this many.")
@click.option("--before", type=click.IntRange(min=0), default=0, metavar="N", help="Only events before this one.")
@as_json
@hub_options
def list_events(hub: Hub, user: str, limit: int, before: int, as_json: bool) -> None:
    """List events, newest first."""
    found = hub.get("/trail", person=user, limit=limit, before=before or "")
    if as_json:
        print_json(found)
        return
    rows = [event | {"detail": json.dumps(event["detail"]) if event["detail"] else ""} for event in found["items"]]
    print_table(rows, _SHOWN, empty="Nothing has happened yet.")
