"""`valetkey org feed`: where an organization's events go as they happen."""

from __future__ import annotations

import click

from valetkey.cli.connection import typed_value
from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table


@click.group()
def feed() -> None:
    """Where the organization's events go as they happen: list, add, test, remove."""


@feed.command("list")
@click.argument("organization")
@as_json
@hub_options
def list_feeds(hub: Hub, organization: str, as_json: bool) -> None:
    """List an organization's feeds, and how they go."""
    found = hub.all(f"/organizations/{part(organization)}/feeds")
    if as_json:
        print_json(found)
        return
    columns = {"id": "id", "kind": "kind", "address": "address", "delivered_at": "delivered", "reason": "failing"}
    print_table(found["items"], columns, empty="There is none.")


@feed.command("add")
@click.argument("organization")
@click.argument("target")
@click.option(
    "--header", default="", help="For a collector: a header it wants. Its value is asked for, or read from stdin."
)
@as_json
@hub_options
def add_feed(hub: Hub, organization: str, target: str, header: str, as_json: bool) -> None:
    """Send what happens to a webhook (https://…), to syslog over TLS (syslog://host), or to an OpenTelemetry collector
    (otlp+https://host).
    """
    body = {"address": target}
    if header:
        body |= {"header": header, "value": typed_value(header)}
    made = hub.post(f"/organizations/{part(organization)}/feeds", body)
    if as_json:
        print_json(made)
        return
    print_facts({"id": made["id"], "kind": made["kind"]} | ({"key": made["key"]} if made["key"] else {}))
    if made["key"]:
        note("The webhook knows us by signatures with this key. It is not shown again.")


@feed.command("test")
@click.argument("organization")
@click.argument("feed_id")
@as_json
@hub_options
def test_feed(hub: Hub, organization: str, feed_id: str, as_json: bool) -> None:
    """Send a test event there now, and say whether it was taken."""
    shown = hub.post(f"/organizations/{part(organization)}/feeds/{part(feed_id)}/test")
    if as_json:
        print_json(shown)
    elif shown["failing_since"]:
        print_facts({"not taken": shown["reason"]})
    else:
        print_facts({"taken": shown["delivered_at"]})


@feed.command("remove")
@click.argument("organization")
@click.argument("feed_id")
@hub_options
def remove_feed(hub: Hub, organization: str, feed_id: str) -> None:
    """Send nothing more there."""
    hub.delete(f"/organizations/{part(organization)}/feeds/{part(feed_id)}")
    note("Removed.")
