"""`valetkey org invite` and `join`: people with an account of their own become members, when they want to."""

from __future__ import annotations

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table


@click.command("invite")
@click.argument("organization")
@click.argument("login")
@click.option(
    "--role", type=click.Choice(["admin", "auditor", "member"]), default="member", show_default=True,
    help="What they would be.",
)  # fmt: skip
@as_json
@hub_options
def invite_member(hub: Hub, organization: str, login: str, role: str, as_json: bool) -> None:
    """Ask somebody who has an account of their own here to become a member."""
    made = hub.post(f"/organizations/{part(organization)}/invitations", {"login": login, "role": role})
    if as_json:
        print_json(made)
        return
    print_facts({"invited": login, "invitation": made["id"], "until": made["expires_at"]})
    note("They see it in their settings, and decide.")


@click.command("invitations")
@click.argument("organization", required=False)
@as_json
@hub_options
def list_invitations(hub: Hub, organization: str | None, as_json: bool) -> None:
    """List an organization's open invitations; with none named, those to you, and what joining would end."""
    found = hub.all(f"/organizations/{part(organization)}/invitations" if organization else "/invitations")
    if as_json:
        print_json(found)
        return
    shown = {"id": "id", "person_id": "person"} if organization else {
        "id": "id", "organization": "organization", "connections": "connections that would end",
    }  # fmt: skip
    print_table(found["items"], shown | {"role": "role", "expires_at": "until"}, empty="There is none.")


@click.command("withdraw")
@click.argument("organization")
@click.argument("invitation")
@hub_options
def withdraw_invitation(hub: Hub, organization: str, invitation: str) -> None:
    """Take an invitation back."""
    hub.delete(f"/organizations/{part(organization)}/invitations/{part(invitation)}")
    note("Withdrawn.")


@click.command("join")
@click.argument("invitation")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@hub_options
def join_organization(hub: Hub, invitation: str, yes: bool, as_json: bool) -> None:
    """Become a member. Nothing moves: your connections and tokens end, contents of your calls are erased."""
    if not yes:
        click.confirm("End every connection and token, and erase the contents of your calls?", abort=True, err=True)
    moved = hub.post(f"/invitations/{part(invitation)}/join")
    if as_json:
        print_json(moved)
        return
    print_facts(
        {
            "connections ended": moved["connections"],
            "not confirmed by their service": moved["unconfirmed"],
            "days of calls erased": moved["days"],
            "organization now": moved["person"]["organization_id"],
        }
    )


@click.command("decline")
@click.argument("invitation")
@hub_options
def decline_invitation(hub: Hub, invitation: str) -> None:
    """Decline an invitation; everything stays as it is."""
    hub.delete(f"/invitations/{part(invitation)}")
    note("Declined.")


MEMBERS = (invite_member, list_invitations, withdraw_invitation, join_organization, decline_invitation)
