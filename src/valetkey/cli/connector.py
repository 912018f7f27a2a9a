"""`valetkey connector`: what can be connected."""

from __future__ import annotations

import re
from typing import Any

import click

from valetkey.cli.connector_groups import connector_groups
from valetkey.cli.connector_key import key
from valetkey.cli.connector_raise import connector_raise
from valetkey.cli.connector_registry import find_in_registry, refresh_registry
from valetkey.cli.connector_schema import print_schema
from valetkey.cli.hub_client import Hub, HubRefused, hub_options, part
from valetkey.cli.org_requests import my_requests, request_connector
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

_LISTED = {
    "slug": "connector",
    "name": "name",
    "publisher": "publisher",
    "review_label": "review",
    "state": "state",
    "url": "url",
}

_LABEL = {
    "words": "label",
    "endpoint": "endpoint",
    "policy": "policy version",
    "at": "as of",
    "until": "good until",
    "keys": "keys",
    "statement": "statement",
}

_TOOL = {"name": "tool", "switched_on": "on", "changed_since": "changed since", "says_read_only": "says it only reads"}


@click.group()
def connector() -> None:
    """What can be connected: list, show, add, block, …"""


connector.add_command(connector_groups)
connector.add_command(connector_raise)
connector.add_command(key)
connector.add_command(request_connector)
connector.add_command(my_requests)
connector.add_command(refresh_registry)
connector.add_command(find_in_registry)
connector.add_command(print_schema)


@connector.command("list")
@click.argument("words", nargs=-1)
@click.option("--category", default="", help="Only those of this category.")
@click.option("--added", is_flag=True, help="Only those that were added here: listings that nobody uses are left out.")
@for_user
@as_json
@hub_options
def list_connectors(hub: Hub, words: tuple[str, ...], category: str, added: bool, user: str, as_json: bool) -> None:
    """List what a person can connect: what was added here, and the directory."""
    found = hub.all("/directory", person=user, q=" ".join(words), category=category)
    if added:
        found["items"] = [one for one in found["items"] if one["state"] != "listed"]
    if as_json:
        print_json(found)
        return
    print_table(found["items"], _LISTED, empty="Nothing fits. Add a connector: valetkey connector add URL")


@connector.command("show")
@click.argument("slug", metavar="CONNECTOR")
@for_user
@as_json
@hub_options
def show_connector(hub: Hub, slug: str, user: str, as_json: bool) -> None:
    """Show one connector, and with its person's token the tools of each account at it."""
    listed = hub.get(f"/directory/{part(slug)}", person=user)
    if listed["state"] == "listed":
        if as_json:
            print_json(listed)
        else:
            print_facts({title: listed[key] for key, title in _SHOWN.items()} | _listing(listed) | _told(listed))
        return
    found = hub.get(f"/connectors/{part(slug)}", person=user)
    accounts = _tools(hub, slug)
    if as_json:
        print_json(found | {"accounts": accounts, "disclosure": listed["disclosure"]})
        return
    facts = (
        {title: found[key] for key, title in _SHOWN.items()}
        | (_listing(listed) if listed["source"] else {})
        | _told(listed)
    )
    headers = [*found["auth"].get("headers", ()), *found["auth"].get("optional_headers", ())]
    if found["acts_as"] == "organization":
        facts["acts as"] = "the organization, not you"
    print_facts(facts | ({"headers": headers} if headers else {}) | {"endpoint": f"/c/{found['slug']}/mcp"})
    for label, tools in accounts.items():
        print(f"\naccount {label}:")
        print_table(tools, _TOOL, empty="No tools were listed.")


@connector.command("label")
@click.argument("slug", metavar="CONNECTOR")
@for_user
@as_json
@hub_options
def show_label(hub: Hub, slug: str, user: str, as_json: bool) -> None:
    """Show how a connector is labeled now, as a signed statement that can be checked elsewhere."""
    found = hub.get(f"/directory/{part(slug)}/label", person=user)
    if as_json:
        print_json(found)
    else:
        print_facts({name: found[key] for key, name in _LABEL.items()})


@connector.command("add")
@click.argument("url", metavar="URL|LISTING")
@click.option("--at", default="", metavar="URL", help="Your address, for a listing that has one for each customer.")
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
@click.option(
    "--organization-key", is_flag=True, help="One key for everybody, which an owner enters; with --auth header."
)
@click.option("--client-id", default="", help="Our client id there, if it does not register clients by itself.")
@click.option("--scope", default="", help="Ask for exactly these scopes.")
@click.option("--transport", default="streamable-http", show_default=True, help="How it is spoken to: there is one.")
@for_user
@as_json
@hub_options
def add_connector(
    hub: Hub,
    url: str,
    at: str,
    name: str,
    auth_kind: str,
    headers: tuple[str, ...],
    organization_key: bool,
    client_id: str,
    scope: str,
    transport: str,
    user: str,
    as_json: bool,
) -> None:
    """Add a listing of the directory, or a custom connector by the URL of its MCP endpoint.

    Nobody is connected by it: each person signs in when they need it, or at once with `valetkey connection connect`.
    """
    if re.fullmatch(r"[a-z0-9-]{1,24}", url):
        added = hub.post(f"/directory/{part(url)}", {"url": at}, person=user)
        _tell_added(added, as_json=as_json)
        return
    identity = "organization" if organization_key else ""
    facts = {"headers": list(headers), "client_id": client_id, "scope": scope, "identity": identity}
    body = {
        "name": name or _host_in(url),
        "url": url,
        "auth_kind": auth_kind,
        "transport": transport,
        "auth": {key: value for key, value in facts.items() if value},
    }
    _tell_added(hub.post("/connectors", body, person=user), as_json=as_json)


@connector.command("set")
@click.argument("slug", metavar="CONNECTOR")
@click.option("--name", default=None, help="How people see it; only this leaves everybody connected.")
@click.option("--at", default=None, metavar="URL", help="Its MCP endpoint: another path of the same host.")
@click.option("--follow-listing", is_flag=True, default=None, help="Go where its listing in the directory is now.")
@click.option("--auth", "auth_kind", type=click.Choice(["oauth", "header", "none"]), help="How one signs in to it.")
@click.option("--header", "headers", multiple=True, metavar="NAME", help="A request header that takes a key.")
@click.option(
    "--identity",
    type=click.Choice(["organization", ""]),
    help="organization: one key for everybody; empty: people's own.",
)
@click.option(
    "--client", type=click.Choice(["document", "register", ""]), help="Who the hub is there; empty: as it is offered."
)
@click.option("--client-id", default=None, help="Our client id there, registered by hand; empty for none.")
@click.option("--scope", default=None, help="Ask for exactly these scopes; empty for what the service names.")
@for_user
@as_json
@hub_options
def set_connector(hub: Hub, slug: str, user: str, as_json: bool, **told: Any) -> None:
    """Change a connector. Unless only its name changes, everybody is disconnected first, and connects anew."""
    given = {"url": told.pop("at"), **told}
    change = {name: value for name, value in given.items() if value is not None and value != ()}
    if not change:
        raise click.UsageError(
            "Say what to change: --name, --at, --follow-listing, --auth, --header, --identity, --client, "
            "--client-id or --scope."
        )
    changed = hub.patch(f"/connectors/{part(slug)}", change, person=user)
    if as_json:
        print_json(changed)
        return
    print(f"changed: {slug}")
    if change.keys() != {"name"}:
        note("Everybody connects it anew. A secret, if there is one, is asked for on the page before the sign-in.")


@connector.command("block")
@click.argument("slug", metavar="CONNECTOR")
@for_user
@hub_options
def block_connector(hub: Hub, slug: str, user: str) -> None:
    """Switch a connector off for everybody in the organization; accounts stay, and can be disconnected."""
    hub.patch(f"/connectors/{part(slug)}", {"state": "blocked"}, person=user)
    print(f"blocked: {slug}")


@connector.command("enable")
@click.argument("slug", metavar="CONNECTOR")
@for_user
@hub_options
def enable_connector(hub: Hub, slug: str, user: str) -> None:
    """Switch a connector on again for everybody in the organization."""
    hub.patch(f"/connectors/{part(slug)}", {"state": "enabled"}, person=user)
    print(f"enabled: {slug}")


@connector.command("quarantine")
@click.argument("slug", metavar="CONNECTOR")
@click.option("--lift", is_flag=True, help="Let calls through again, as before.")
@for_user
@as_json
@hub_options
def quarantine_connector(hub: Hub, slug: str, lift: bool, user: str, as_json: bool) -> None:
    """Let no call of the organization through to a connector any more, at once, and end those under way."""
    path = f"/connectors/{part(slug)}/quarantine"
    found = hub.delete(path, person=user) if lift else hub.post(path, person=user)
    if as_json:
        print_json(found)
    else:
        print(f"{'lifted' if lift else 'in quarantine'}: {slug}")


@connector.command("takedown")
@click.argument("listing", metavar="LISTING")
@click.option("--reason", default="", help="Why; it is kept in the trail.")
@click.option("--lift", is_flag=True, help="Put it back: everything is as it was before.")
@hub_options
def take_down(hub: Hub, listing: str, reason: str, lift: bool) -> None:
    """Take a listing down for everybody on this hub: its connections are frozen at once; for the operator."""
    path = f"/directory/{part(listing)}/takedown"
    if lift:
        hub.delete(path)
    elif not reason:
        raise click.UsageError("Say why: --reason TEXT.")
    else:
        hub.post(path, {"reason": reason})
    print(f"{'put back' if lift else 'taken down'}: {listing}")


@connector.command("remove")
@click.argument("slug", metavar="CONNECTOR")
@click.option("--everybody", is_flag=True, help="Everybody's accounts at it; for owners and admins.")
@for_user
@hub_options
def remove_connector(hub: Hub, slug: str, everybody: bool, user: str) -> None:
    """Remove a connector, and the person's own accounts at it."""
    hub.delete(f"/connectors/{part(slug)}", person=user, **({"everybody": "true"} if everybody else {}))
    print(f"removed: {slug}")


def _tell_added(added: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(added)
        return
    print_facts({"added": added["slug"], "review": added["review_label"], "url": added["url"]})
    note(f"Next: valetkey connection connect {added['slug']}")


def _listing(listed: dict[str, Any]) -> dict[str, Any]:
    """What the directory says of a listing."""
    source = listed["source"]
    read_in = f"{source['url']} {source['file']} ({source['date']})"
    told = {
        "publisher": listed["publisher"],
        "about": listed["about"],
        "categories": ", ".join(listed["categories"]),
        "privacy policy": listed["privacy_policy"],
        "terms": listed["terms"],
        "domain proved": source["date"] if source["proved"] else "",
        "endpoint read in": "" if source["proved"] else read_in,
    }
    return {name: text for name, text in told.items() if text}


def _told(listed: dict[str, Any]) -> dict[str, Any]:
    """What is to be known before connecting, and the version of it that is acknowledged."""
    told = listed["disclosure"]
    unknown = [name for name, text in told["facts"].items() if text == "not known"]
    return {"not known": ", ".join(unknown), "know": " ".join(told["warnings"]), "to acknowledge": told["version"]}


def _tools(hub: Hub, slug: str) -> dict[str, list[dict[str, Any]]]:
    """The tools of each of one's own accounts at a connector, by label. The operator is shown none."""
    try:
        accounts = [each for each in hub.all("/connections")["items"] if each["connector"] == slug]
        return {each["label"]: hub.get(f"/connections/{part(each['id'])}/tools")["items"] for each in accounts}
    except HubRefused:  # the operator, or a token without the scope; or nothing has been listed yet
        return {}


def _host_in(url: str) -> str:
    """A first guess at a name; whether it is a URL is for the hub to say."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2].partition("?")[0][:100] or "connector"
