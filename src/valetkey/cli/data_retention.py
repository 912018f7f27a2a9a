"""`valetkey data retention`, `hold` and the like: for how long calls are kept, and what is held beyond that."""

from __future__ import annotations

from typing import Any

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, print_facts, print_json, print_table
from valetkey.cli.token import for_user

_RUN = {"began_at": "began", "finished_at": "finished", "percent": "%", "days": "days of contents", "calls": "records"}
_HOLD = {"id": "id", "person_id": "on", "reason": "because", "placed_at": "since"}
_UNSET = "unset"


def add_to(data: click.Group) -> None:
    """The commands, as `valetkey data …`."""
    for command in (show_retention, set_retention, list_runs, list_holds, place_hold, release_hold):
        data.add_command(command)


@click.command("retention")
@for_user
@as_json
@hub_options
def show_retention(hub: Hub, user: str, as_json: bool) -> None:
    """Show for how long a person's calls are kept, and who says so."""
    _print(hub.get("/data/retention", person=user), as_json=as_json)


@click.command("set-retention")
@click.argument("contents", metavar="DAYS|unset")
@click.option("--calls", type=int, default=None, metavar="DAYS", help="For how long that a call was made is kept.")
@click.option("--yes", is_flag=True, help="Shorter is meant: what is older goes for good, a day later.")
@as_json
@hub_options
def set_retention(hub: Hub, contents: str, calls: int | None, yes: bool, as_json: bool) -> None:
    """Say as an owner for how long what members' calls sent and got is kept."""
    body = {"contents": _days(contents), "calls": calls, "meant": yes}
    _print(hub.post("/data/retention", body), as_json=as_json)


@click.command("purges")
@as_json
@hub_options
def list_runs(hub: Hub, as_json: bool) -> None:
    """List on the host what the last runs let go of, and how far they are."""
    found = hub.all("/data/retention/runs")
    if as_json:
        print_json(found)
        return
    print_table(found["items"], _RUN, empty="None yet: there is one a day.")


@click.command("holds")
@for_user
@as_json
@hub_options
def list_holds(hub: Hub, user: str, as_json: bool) -> None:
    """List what an organization holds of you; as an owner or admin, all of it."""
    found = hub.all("/data/holds", person=user)
    if as_json:
        print_json(found)
        return
    items = [{**one, "person_id": one["person_id"] or "everybody"} for one in found["items"]]
    print_table(items, _HOLD, empty="Nothing is held.")


@click.command("hold")
@click.argument("reason")
@for_user
@as_json
@hub_options
def place_hold(hub: Hub, reason: str, user: str, as_json: bool) -> None:
    """Keep as an owner what there is of members' calls until `release`; they see that, and why."""
    found = hub.post("/data/holds", {"person": user, "reason": reason})
    if as_json:
        print_json(found)
        return
    print_facts({"id": found["id"], "on": found["person_id"] or "everybody", "because": found["reason"]})


@click.command("release")
@click.argument("hold_id", metavar="ID")
@as_json
@hub_options
def release_hold(hub: Hub, hold_id: str, as_json: bool) -> None:
    """End a hold; what was due meanwhile goes at the next run."""
    hub.delete(f"/data/holds/{part(hold_id)}")
    if as_json:
        print_json({"released": hold_id})
        return
    print(f"released: {hold_id}")


def _days(text: str) -> int | None:
    if text == _UNSET:
        return None
    if not text.isascii() or not text.isdecimal():
        raise click.UsageError("Give a number of days, or `unset` for what the operator says.")
    return int(text)


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    facts: dict[str, object] = {
        "contents": f"{found['contents']} days",
        "records": f"{found['calls']} days",
        "said by": f"the {found['set_by']}",
    }
    if found["soon"]:
        soon = found["soon"]
        facts["soon"] = f"{soon['contents']} and {soon['calls']} days, from {found['soon_at']} on"
    print_facts(facts)
