"""`valetkey connection`: a person's accounts at services."""

from __future__ import annotations

import sys
from typing import Any

import click

from valetkey.cli.connection_changes import accept, changes
from valetkey.cli.connection_tools import account_named, level, permit, tools
from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table, tell_of_more
from valetkey.cli.token import for_user

_SHOWN = {
    "connector": "connector",
    "label": "account",
    "state": "state",
    "review_label": "review",
    "granted_scope": "scopes",
    "last_used_at": "last used",
    "id": "id",
}
_USE = {
    "at": "at",
    "what": "what",
    "tool": "tool",
    "outcome": "outcome",
    "client": "client",
    "origin": "went to",
    "call_id": "call",
}
_STEP = {"at": "at", "stage": "stage", "status": "status", "request": "request", "reason": "reason"}


@click.group()
def connection() -> None:
    """Connected accounts: list, connect, disconnect, uses, …"""


for _command in (tools, permit, level, changes, accept):
    connection.add_command(_command)


@connection.command("list")
@for_user
@as_json
@hub_options
def list_connections(hub: Hub, user: str, as_json: bool) -> None:
    """List a person's accounts."""
    found = hub.all("/connections", person=user)
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], _SHOWN, empty="Nothing is connected.")


@connection.command("connect")
@click.argument("connector", metavar="CONNECTOR")
@click.option("--label", default="", help="Tells several accounts at one connector apart: a–z and 0–9, at most 12.")
@click.option("--display-name", default="", help="What you call it.")
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME",
    help="Give the value of this request header: asked for, or read from stdin.",
)
@click.option(
    "--acknowledge",
    default="",
    metavar="VERSION",
    help="What `valetkey connector show` says of the connector was read, in this version; else it is shown and asked.",
)
@click.option("--as-organization", is_flag=True, help="By the key that an owner entered for everybody.")
@as_json
@hub_options
def connect(
    hub: Hub,
    connector: str,
    label: str,
    display_name: str,
    headers: tuple[str, ...],
    acknowledge: str,
    as_organization: bool,
    as_json: bool,
) -> None:
    """Connect an account: prints the page to open, or takes the keys of a connector that wants some."""
    body: dict[str, Any] = {"connector": connector, "label": label, "display_name": display_name}
    if headers or as_organization:
        seen = acknowledge or _acknowledged(hub, connector)
        values = {name: typed_value(name) for name in headers}
        connected = hub.post("/connections/headers", body | {"values": values, "acknowledged": seen})
        if as_json:
            print_json(connected)
        else:
            print_facts({"connected": connected["connector"], "account": connected["label"]})
        return
    page = hub.post("/connections", body)
    if as_json:
        print_json(page)
    else:
        print(f"connect: {page['page']}")
        note("Open it in the browser in which you are signed in.")


@connection.command("disconnect")
@click.argument("account", metavar="[CONNECTOR[/LABEL]|ID]", default="")
@click.option("--all", "everything", is_flag=True, help="Every account of the person.")
@for_user
@as_json
@hub_options
def disconnect(hub: Hub, account: str, everything: bool, user: str, as_json: bool) -> None:
    """Revoke a credential at the service and destroy it here."""
    if everything == bool(account):
        raise click.UsageError("Say which account, or --all.")
    if everything:
        receipts = hub.post("/connections/disconnect-all", person=user)["items"]
    else:
        meant = account_named(hub, account, user)
        receipts = [hub.post(f"/connections/{part(meant)}/disconnect", person=user)]
    if as_json:
        print_json({"items": receipts} if everything else receipts[0])
        return
    for receipt in receipts:
        print_facts(
            {
                "disconnected": f"{receipt['connector_name']} ({receipt['label']})",
                "revoked there": f"{receipt['revocation']} {receipt['revocation_detail']}".strip(),
                "keys destroyed": receipt["keys_destroyed"],
                "receipt": receipt["id"],
            }
        )
    if not receipts:
        print("Nothing was connected.")


@connection.command("quarantine")
@click.argument("account", metavar="CONNECTOR[/LABEL]|ID")
@click.option("--lift", is_flag=True, help="Let calls through again, as before.")
@for_user
@as_json
@hub_options
def quarantine(hub: Hub, account: str, lift: bool, user: str, as_json: bool) -> None:
    """Let no call through to an account any more, at once, and end those under way; its credential stays sealed."""
    path = f"/connections/{part(account_named(hub, account, user))}/quarantine"
    found = hub.delete(path, person=user) if lift else hub.post(path, person=user)
    if as_json:
        print_json(found)
    else:
        print(f"{'lifted' if lift else 'in quarantine'}: {found['connector']} ({found['label']})")


@connection.command("check")
@click.argument("account", metavar="CONNECTOR[/LABEL]|ID")
@as_json
@hub_options
def check(hub: Hub, account: str, as_json: bool) -> None:
    """Look whether an account works: asks its service for the tools, and renews the credential if need be."""
    found = hub.post(f"/connections/{part(account_named(hub, account, ''))}/check")
    if as_json:
        print_json(found)
    else:
        print_facts(
            {
                "status": found["status"],
                "failed at": _said(found["failed_at"], found["probe_status"], found["probe_said"]) or "-",
                "refresh token": "yes" if found["has_refresh_token"] else "no",
                "refresh": _said(found["refresh"], found["refresh_status"], found["refresh_said"]),
            }
        )
    if found["status"] != "valid":
        click.get_current_context().exit(1)


def _said(what: str, status: int | None, words: str) -> str:
    return " ".join(part for part in (what, f"HTTP {status}" if status else "", words) if part)


@connection.command("report")
@click.argument("account", metavar="CONNECTOR[/LABEL]|ID")
@click.option(
    "--reason",
    required=True,
    type=click.Choice(["pretends", "acts", "orders", "takes", "other"]),
    help="It pretends to be another; acts otherwise than it says; gives orders; takes too much; something else.",
)
@hub_options
def report(hub: Hub, account: str, reason: str) -> None:
    """Report a service: its tools as seen now are put on record, and owners are told."""
    hub.post(f"/connections/{part(account_named(hub, account, ''))}/report", {"reason": reason})
    print(f"reported: {account}")


@connection.command("trace")
@click.argument("account", metavar="CONNECTOR[/LABEL]|ID")
@for_user
@as_json
@hub_options
def trace(hub: Hub, account: str, user: str, as_json: bool) -> None:
    """Show each step of signing in and refreshing; secrets are removed."""
    found = hub.get(f"/connections/{part(account_named(hub, account, user))}/trace", person=user)
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], _STEP, empty="Nothing has been tried yet.")


@connection.command("uses")
@click.argument("account", metavar="CONNECTOR[/LABEL]|ID")
@for_user
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="At most this many.")
@click.option("--cursor", default="", metavar="PLACE", help="Go on there: `next` of the page before.")
@as_json
@hub_options
def uses(hub: Hub, account: str, user: str, limit: int, cursor: str, as_json: bool) -> None:
    """Show every use of an account's credential, newest first: when, which call, by whom, and where it went."""
    found = hub.get(
        f"/connections/{part(account_named(hub, account, user))}/uses", person=user, limit=limit, cursor=cursor
    )
    if as_json:
        print_json(found)
        return
    print_table(found["items"], _USE, empty="It has not been used yet.")
    tell_of_more(found)


def _acknowledged(hub: Hub, connector: str) -> str:
    """Shows what is to be known before connecting; its version, once the person said that they read it (S-24)."""
    told = hub.get(f"/directory/{part(connector)}")["disclosure"]
    if not sys.stdin.isatty():  # nobody is there to read it: the hub refuses, and says how to go on
        return ""
    for name, text in told["facts"].items():
        note(f"{name}: {text}")
    for warning in told["warnings"]:
        note(warning)
    click.confirm("Have you read this, and do you trust them with your data?", abort=True, err=True)
    return str(told["version"])


def typed_value(name: str) -> str:
    """A secret: typed without being shown, or a line of stdin; never an argument, which other users could see."""
    if sys.stdin.isatty():
        value: str = click.prompt(f"Value of {name}", hide_input=True, err=True)
        return value
    return sys.stdin.readline().rstrip("\n")
