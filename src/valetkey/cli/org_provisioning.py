"""`valetkey org provisioning`: what an organization's directory may say here (SCIM)."""

from __future__ import annotations

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table


@click.group()
def provisioning() -> None:
    """The organization's directory (SCIM): tokens, create-token, revoke-token, groups, set-role."""


@provisioning.command("tokens")
@click.argument("organization")
@as_json
@hub_options
def list_tokens(hub: Hub, organization: str, as_json: bool) -> None:
    """List the tokens that the organization's directory may show."""
    found = hub.all(f"/organizations/{part(organization)}/provisioning-tokens")
    if as_json:
        print_json(found)
        return
    columns = {"id": "id", "name": "name", "expires_at": "ends", "last_used_at": "used"}
    print_table(found["items"], columns, empty="There is none.")


@provisioning.command("create-token")
@click.argument("organization")
@click.argument("name")
@click.option("--days", type=click.IntRange(1, 365), default=365, show_default=True, help="How long it lasts.")
@as_json
@hub_options
def create_token(hub: Hub, organization: str, name: str, days: int, as_json: bool) -> None:
    """Make a token for the organization's directory, and print it this once."""
    made = hub.post(f"/organizations/{part(organization)}/provisioning-tokens", {"name": name, "days": days})
    if as_json:
        print_json(made)
        return
    print_facts({"id": made["id"], "ends": made["expires_at"], "token": made["token"]})
    note("Give it to the directory, with the address /scim/v2 of this hub. It is not shown again.")


@provisioning.command("revoke-token")
@click.argument("organization")
@click.argument("token_id")
@hub_options
def revoke_token(hub: Hub, organization: str, token_id: str) -> None:
    """Revoke a directory's token, at once."""
    hub.delete(f"/organizations/{part(organization)}/provisioning-tokens/{part(token_id)}")
    note("Revoked.")


@provisioning.command("groups")
@click.argument("organization")
@as_json
@hub_options
def list_groups(hub: Hub, organization: str, as_json: bool) -> None:
    """List the groups that the directory has told of, and the role that each gives."""
    found = hub.all(f"/organizations/{part(organization)}/groups")
    if as_json:
        print_json(found)
        return
    print_table(
        found["items"], {"id": "id", "name": "name", "role": "role", "members": "members"}, empty="There is none."
    )


@provisioning.command("set-role")
@click.argument("organization")
@click.argument("group_id")
@click.argument("role", type=click.Choice(["admin", "auditor", "member", "none"]))
@as_json
@hub_options
def set_role(hub: Hub, organization: str, group_id: str, role: str, as_json: bool) -> None:
    """Say which role a group's members have here."""
    path = f"/organizations/{part(organization)}/groups/{part(group_id)}/role"
    shown = hub.put(path, {"role": None if role == "none" else role})
    if as_json:
        print_json(shown)
    else:
        print_facts({"group": shown["name"], "role": shown["role"], "members": shown["members"]})
