"""`valetkey connector request` and `valetkey org requests`: asking for a connector, and deciding on what was asked."""

from __future__ import annotations

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table


@click.command("request")
@click.argument("url", metavar="ENDPOINT")
@click.option("--name", default="", help="What you call it; its host if not said.")
@as_json
@hub_options
def request_connector(hub: Hub, url: str, name: str, as_json: bool) -> None:
    """Ask your organization for a connector. Nothing is contacted; owners and admins decide."""
    asked = hub.post("/connector-requests", {"url": url, "name": name})
    if as_json:
        print_json(asked)
    else:
        print_facts({"asked for": asked["host"], "request": asked["id"], "state": asked["state"]})


@click.command("requests")
@as_json
@hub_options
def my_requests(hub: Hub, as_json: bool) -> None:
    """List the connectors that you asked for, and what came of it."""
    found = hub.all("/connector-requests")
    if as_json:
        print_json(found)
        return
    print_table(found["items"], {"host": "host", "name": "name", "state": "state", "slug": "connector"}, empty="None.")


@click.group()
def requests() -> None:
    """Connectors that members ask for: list, approve, dismiss."""


@requests.command("list")
@click.argument("organization")
@as_json
@hub_options
def list_requests(hub: Hub, organization: str, as_json: bool) -> None:
    """List what members asked for, the newest first."""
    found = hub.all(f"/organizations/{part(organization)}/connector-requests")
    if as_json:
        print_json(found)
        return
    rows = [one | {"for": len(one["askers"])} for one in found["items"]]
    columns = {"id": "id", "host": "host", "name": "name", "for": "asked by", "state": "state"}
    print_table(rows, columns, empty="Nobody asked for anything.")


@requests.command("approve")
@click.argument("organization")
@click.argument("request_id", metavar="REQUEST")
@click.option(
    "--sign-in", "auth_kind", type=click.Choice(["oauth", "header", "none"]), default="oauth", show_default=True,
    help="How members sign in, where no listing says it.",
)  # fmt: skip
@as_json
@hub_options
def approve_request(hub: Hub, organization: str, request_id: str, auth_kind: str, as_json: bool) -> None:
    """Switch it on for the organization, adding it if it is not there. Nobody is connected by it."""
    _resolve(hub, organization, request_id, {"decision": "approved", "auth_kind": auth_kind}, as_json)


@requests.command("dismiss")
@click.argument("organization")
@click.argument("request_id", metavar="REQUEST")
@as_json
@hub_options
def dismiss_request(hub: Hub, organization: str, request_id: str, as_json: bool) -> None:
    """Say no. Whoever asked sees it."""
    _resolve(hub, organization, request_id, {"decision": "dismissed"}, as_json)


def _resolve(hub: Hub, organization: str, request_id: str, decision: dict[str, str], as_json: bool) -> None:
    done = hub.post(f"/organizations/{part(organization)}/connector-requests/{part(request_id)}", decision)
    if as_json:
        print_json(done)
        return
    print_facts({"host": done["host"], "state": done["state"], "connector": done["slug"] or "–"})
    note(f"Asked for by {len(done['askers'])}.")
