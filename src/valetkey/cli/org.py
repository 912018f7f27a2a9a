"""`valetkey org`: organizations that people are members of."""

from __future__ import annotations

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.org_feed import feed
from valetkey.cli.org_hosts import hosts
from valetkey.cli.org_members import MEMBERS
from valetkey.cli.org_provisioning import provisioning
from valetkey.cli.org_requests import requests
from valetkey.cli.org_rules import rules
from valetkey.cli.org_sign_in import domain, sign_in
from valetkey.cli.org_usage import usage
from valetkey.cli.printing import as_json, print_facts, print_json, print_table


@click.group()
def org() -> None:
    """Organizations: members, sign-in, domains, provisioning, hosts, rules, requests, usage, feeds."""


org.add_command(sign_in)
org.add_command(domain)
org.add_command(provisioning)
org.add_command(hosts)
org.add_command(requests)
org.add_command(rules)
org.add_command(usage)
for _command in MEMBERS:
    org.add_command(_command)
org.add_command(feed)


@org.command("list")
@as_json
@hub_options
def list_organizations(hub: Hub, as_json: bool) -> None:
    """List the organizations you may see."""
    found = hub.all("/organizations")
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], {"id": "id", "name": "name", "kind": "kind"}, empty="There is none.")


@org.command("create")
@click.argument("name")
@as_json
@hub_options
def create_organization(hub: Hub, name: str, as_json: bool) -> None:
    """Create an organization, without members."""
    created = hub.post("/organizations", {"name": name})
    if as_json:
        print_json(created)
    else:
        print_facts({"created": created["id"], "name": created["name"]})


@org.command("leave")
@click.argument("login")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@hub_options
def leave_organization(hub: Hub, login: str, yes: bool, as_json: bool) -> None:
    """Let a person leave their organization and keep their account."""
    if not yes:
        click.confirm(
            f"End every connection and token of {login}, and erase the contents of their calls?", abort=True, err=True
        )
    moved = hub.post(f"/people/{part(login)}/leave")
    if as_json:
        print_json(moved)
        return
    print_facts(
        {
            "left": login,
            "connections ended": moved["connections"],
            "not confirmed by their service": moved["unconfirmed"],
            "days of calls erased": moved["days"],
            "organization now": moved["person"]["organization_id"],
        }
    )
