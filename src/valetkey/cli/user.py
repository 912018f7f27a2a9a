"""`valetkey user`: the people who may sign in to this hub."""

from __future__ import annotations

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table

_SHOWN = {"login": "login", "display_name": "name", "role": "role", "state": "state", "organization_id": "organization"}


@click.group()
def user() -> None:
    """People: list, add, invite, disable, remove."""


@user.command("list")
@click.option("--org", default="", metavar="ID", help="Only members of this organization.")
@as_json
@hub_options
def list_users(hub: Hub, org: str, as_json: bool) -> None:
    """List the people you may see."""
    found = hub.all("/people", organization=org)
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], _SHOWN, empty="There is nobody.")


@user.command("add")
@click.argument("login")
@click.option("--name", default="", help="How they are shown; default: the login.")
@click.option("--org", default="", metavar="ID", help="Their organization; default: a personal one of their own.")
@click.option("--role", type=click.Choice(["owner", "admin", "auditor", "member"]), help="Their role there.")
@as_json
@hub_options
def add_user(hub: Hub, login: str, name: str, org: str, role: str | None, as_json: bool) -> None:
    """Add a person, who can sign in once they are invited."""
    body: dict[str, object] = {"login": login, "display_name": name, "organization_id": org}
    added = hub.post("/people", body | ({"role": role} if role else {}))
    if as_json:
        print_json(added)
        return
    print_facts({"added": added["login"], "role": added["role"], "organization": added["organization_id"]})
    note(f"Next: valetkey user invite {added['login']}")


@user.command("invite")
@click.argument("login")
@click.option("--recovery", is_flag=True, help="Also for somebody who has a password or passkey; they are shown it.")
@as_json
@hub_options
def invite_user(hub: Hub, login: str, recovery: bool, as_json: bool) -> None:
    """Make a one-time sign-in link, good for 15 minutes."""
    link = hub.post(f"/people/{part(login)}/invite", {"recovery": recovery})
    if as_json:
        print_json(link)
        return
    print(f"sign in: {link['url']}")
    note("It works once, within 15 minutes. Hand it to nobody but them.")


@user.command("remove")
@click.argument("login")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@hub_options
def remove_user(hub: Hub, login: str, yes: bool, as_json: bool) -> None:
    """Let a person leave: end all they have, and forget their name."""
    if not yes:
        click.confirm(f"End every connection of {login}, and erase the contents of their calls?", abort=True, err=True)
    left = hub.delete(f"/people/{part(login)}")
    if as_json:
        print_json(left)
        return
    print_facts(
        {
            "removed": login,
            "connections ended": left["connections"],
            "not confirmed by their service": left["unconfirmed"],
            "days of calls erased": left["days"],
        }
    )


@user.command("disable")
@click.argument("login")
@as_json
@hub_options
def disable_user(hub: Hub, login: str, as_json: bool) -> None:
    """End a person's sessions and tokens, and let them sign in no more."""
    disabled = hub.post(f"/people/{part(login)}/disable")
    if as_json:
        print_json(disabled)
    else:
        print_facts({"disabled": disabled["login"]})
