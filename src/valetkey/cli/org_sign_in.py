"""`valetkey org sign-in` and `valetkey org domain`: how an organization's people sign in."""

from __future__ import annotations

import sys

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table


@click.group("sign-in")
def sign_in() -> None:
    """The organization's identity provider: show, set, remove."""


@sign_in.command("show")
@click.argument("organization")
@as_json
@hub_options
def show_sign_in(hub: Hub, organization: str, as_json: bool) -> None:
    """Show an organization's identity provider."""
    _print(hub.get(f"/organizations/{part(organization)}/sign-in"), as_json)


@sign_in.command("set")
@click.argument("organization")
@click.argument("issuer")
@click.argument("client_id")
@click.option("--secret-stdin", is_flag=True, help="Read the client secret from standard input.")
@click.option("--required", is_flag=True, help="Let people in this way only; owners excepted.")
@click.option("--known-only", is_flag=True, help="Let in only who has an account already.")
@click.option("--trust-email", is_flag=True, help="Also addresses that are not said to be verified.")
@as_json
@hub_options
def set_sign_in(
    hub: Hub,
    organization: str,
    issuer: str,
    client_id: str,
    secret_stdin: bool,
    required: bool,
    known_only: bool,
    trust_email: bool,
    as_json: bool,
) -> None:
    """Set an organization's identity provider (OpenID Connect): its issuer, and who we are there."""
    body: dict[str, object] = {
        "issuer": issuer,
        "client_id": client_id,
        "required": required,
        "adds_people": not known_only,
        "trusts_email": trust_email,
    }
    if secret_stdin:
        body["client_secret"] = sys.stdin.readline().strip()
    _print(hub.put(f"/organizations/{part(organization)}/sign-in", body), as_json)


@sign_in.command("remove")
@click.argument("organization")
@hub_options
def remove_sign_in(hub: Hub, organization: str) -> None:
    """Remove it: people sign in with passkeys and passwords again."""
    hub.delete(f"/organizations/{part(organization)}/sign-in")
    note("Removed.")


@sign_in.command("untie")
@click.argument("login")
@hub_options
def untie(hub: Hub, login: str) -> None:
    """Untie a person's account from who they are at the provider."""
    hub.delete(f"/people/{part(login)}/identity")
    note("Untied.")


@click.group()
def domain() -> None:
    """The organization's domains: list, add, verify, remove."""


@domain.command("list")
@click.argument("organization")
@as_json
@hub_options
def list_domains(hub: Hub, organization: str, as_json: bool) -> None:
    """List an organization's domains."""
    found = hub.all(f"/organizations/{part(organization)}/domains")
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], {"name": "domain", "verified_at": "verified"}, empty="There is none.")


@domain.command("add")
@click.argument("organization")
@click.argument("name")
@as_json
@hub_options
def add_domain(hub: Hub, organization: str, name: str, as_json: bool) -> None:
    """Name a domain as the organization's own."""
    added = hub.post(f"/organizations/{part(organization)}/domains", {"name": name})
    if as_json:
        print_json(added)
        return
    print_facts({"domain": added["name"], "publish": added["challenge"]})
    note(f"Publish that line at https://{added['name']}/.well-known/valetkey-domain.txt, then verify.")


@domain.command("verify")
@click.argument("organization")
@click.argument("name")
@click.option("--vouch", is_flag=True, help="Do not look: you know that it is theirs. On the hub's host only.")
@as_json
@hub_options
def verify_domain(hub: Hub, organization: str, name: str, vouch: bool, as_json: bool) -> None:
    """Look for the line that proves whose the domain is."""
    path = f"/organizations/{part(organization)}/domains/{part(name)}/verify"
    verified = hub.post(path, {"vouched": vouch})
    if as_json:
        print_json(verified)
    else:
        print_facts({"domain": verified["name"], "verified": verified["verified_at"]})


@domain.command("remove")
@click.argument("organization")
@click.argument("name")
@hub_options
def remove_domain(hub: Hub, organization: str, name: str) -> None:
    """Let nobody new in by a domain."""
    hub.delete(f"/organizations/{part(organization)}/domains/{part(name)}")
    note("Removed.")


def _print(shown: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    print_facts(
        {
            "issuer": shown["issuer"],
            "client": shown["client_id"],
            "the only way in": shown["required"],
            "adds people": shown["adds_people"],
            "callback": shown["callback"],
        }
    )
