"""`valetkey approval`: what waits for a person's yes, and what stands. It is given in their own browser alone."""

from __future__ import annotations

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, print_facts, print_json, print_table

_SHOWN = {"created_at": "asked", "state": "state", "tool": "tool", "client_name": "by", "how": "takes", "page": "page"}
_STANDING = {
    "id": "id", "state": "state", "tool": "tool", "client_name": "for", "uses_left": "left", "calls": "of",
    "expires_at": "ends",
}  # fmt: skip


@click.group()
def approval() -> None:
    """Approvals: list, standing, revoke. Given in the person's browser only."""


@approval.command("list")
@as_json
@hub_options
def list_approvals(hub: Hub, as_json: bool) -> None:
    """List what waits for your yes, and what became of what did."""
    found = hub.all("/approvals")
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], _SHOWN, empty="Nothing was asked so far.")


@approval.command("standing")
@as_json
@hub_options
def list_standing(hub: Hub, as_json: bool) -> None:
    """List the approvals that stand for a number of calls, and what became of others."""
    found = hub.all("/approvals/standing")
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], _STANDING, empty="Nothing stands: each call that needs your yes is asked for.")


@approval.command("revoke")
@click.argument("standing_id", metavar="ID")
@hub_options
def revoke(hub: Hub, standing_id: str) -> None:
    """End an approval that stands: from now on the assistant has to ask."""
    hub.delete(f"/approvals/standing/{part(standing_id)}")
    print_facts({"revoked": standing_id})
