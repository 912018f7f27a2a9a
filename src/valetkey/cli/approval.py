"""`valetkey approval`: what waits for a person's yes. It is given in their own browser, and nowhere else."""

from __future__ import annotations

import click

from valetkey.cli.hub_client import Hub, hub_options
from valetkey.cli.printing import as_json, print_json, print_table

_SHOWN = {"created_at": "asked", "state": "state", "tool": "tool", "client_name": "by", "how": "takes", "page": "page"}


@click.group()
def approval() -> None:
    """Approvals: list. They are given in the person's browser only."""


@approval.command("list")
@as_json
@hub_options
def list_approvals(hub: Hub, as_json: bool) -> None:
    """List what waits for your yes, and what became of what did."""
    found = hub.get("/approvals")
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], _SHOWN, empty="Nothing was asked so far.")
