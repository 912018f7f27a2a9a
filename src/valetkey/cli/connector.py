"""`valetkey connector`: what can be connected."""

from __future__ import annotations

from typing import Any

import click

from valetkey.cli.hub_client import Hub, HubRefused, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table
from valetkey.cli.token import for_user

_SHOWN = {
    "slug": "connector",
    "name": "name",
    "review_label": "review",
    "auth_kind": "sign-in",
    "state": "state",
    "url": "url",
}

_TOOL = {"name": "tool", "switched_on": "on", "changed_since": "changed since", "says_read_only": "says it only reads"}


@click.group()
def connector() -> None:
    """What can be connected: list, show, add, remove."""


@connector.command("list")
@for_user
@as_json
@hub_options
def list_connectors(hub: Hub, user: str, as_json: bool) -> None:
    """List the connectors a person can connect."""
    found = hub.get("/connectors", person=user)
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], _SHOWN, empty="There are no connectors. Add one: valetkey connector add URL")


@connector.command("show")
@click.argument("slug", metavar="CONNECTOR")
@for_user
@as_json
@hub_options
def show_connector(hub: Hub, slug: str, user: str, as_json: bool) -> None:
    """Show one connector, and with its person's token the tools of each account at it."""
    found = hub.get(f"/connectors/{part(slug)}", person=user)
    accounts = _tools(hub, slug)
    if as_json:
        print_json(found | {"accounts": accounts})
        return
    facts = {title: found[key] for key, title in _SHOWN.items()}
    headers = [*found["auth"].get("headers", ()), *found["auth"].get("optional_headers", ())]
    print_facts(facts | ({"headers": headers} if headers else {}) | {"endpoint": f"/c/{found['slug']}/mcp"})
    for label, tools in accounts.items():
        print(f"\naccount {label}:")
        print_table(tools, _TOOL, empty="No tools were listed.")


@connector.command("add")
@click.argument("url")
@click.option("--name", default="", help="How people will see it; default: its host.")
@click.option(
    "--auth",
    "auth_kind",
    type=click.Choice(["oauth", "header", "none"]),
    default="oauth",
    show_default=True,
    help="How one signs in to it.",
)
@click.option(
    "--header", "headers", multiple=True, metavar="NAME", help="A request header that takes a key; repeat for more."
)
@click.option("--client-id", default="", help="Our client id there, if it does not register clients by itself.")
@click.option("--scope", default="", help="Ask for exactly these scopes.")
@for_user
@as_json
@hub_options
def add_connector(
    hub: Hub,
    url: str,
    name: str,
    auth_kind: str,
    headers: tuple[str, ...],
    client_id: str,
    scope: str,
    user: str,
    as_json: bool,
) -> None:
    """Add a custom connector by the URL of its MCP endpoint."""
    facts = {"headers": list(headers), "client_id": client_id, "scope": scope}
    body = {
        "name": name or _host_in(url),
        "url": url,
        "auth_kind": auth_kind,
        "auth": {key: value for key, value in facts.items() if value},
    }
    added = hub.post("/connectors", body, person=user)
    if as_json:
        print_json(added)
        return
    print_facts({"added": added["slug"], "review": added["review_label"], "url": added["url"]})
    note(f"Next: valetkey connection connect {added['slug']}")


@connector.command("remove")
@click.argument("slug", metavar="CONNECTOR")
@click.option("--everybody", is_flag=True, help="Everybody's accounts at it; for owners and admins.")
@for_user
@hub_options
def remove_connector(hub: Hub, slug: str, everybody: bool, user: str) -> None:
    """Remove a connector, and the person's own accounts at it."""
    hub.delete(f"/connectors/{part(slug)}", person=user, **({"everybody": "true"} if everybody else {}))
    print(f"removed: {slug}")


def _tools(hub: Hub, slug: str) -> dict[str, list[dict[str, Any]]]:
    """The tools of each of one's own accounts at a connector, by label. The operator is shown none."""
    try:
        accounts = [each for each in hub.get("/connections")["items"] if each["connector"] == slug]
        return {each["label"]: hub.get(f"/connections/{part(each['id'])}/tools")["items"] for each in accounts}
    except HubRefused:  # the operator, or a token without the scope; or nothing has been listed yet
        return {}


def _host_in(url: str) -> str:
    """A first guess at a name; whether it is a URL is for the hub to say."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2].partition("?")[0][:100] or "connector"
