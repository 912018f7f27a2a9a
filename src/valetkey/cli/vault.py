"""`valetkey vault`: the vault as a whole. No command shows what is in it."""

from __future__ import annotations

import click

from valetkey.cli.hub_client import Hub, hub_options
from valetkey.cli.printing import as_json, note, print_facts, print_json

for_organization = click.option("--org", "organization", default="", metavar="ID", help="Of this organization only.")


@click.group()
def vault() -> None:
    """The vault as a whole: seal, revoke-all."""


@vault.command("seal")
@as_json
@hub_options
def seal(hub: Hub, as_json: bool) -> None:
    """Let no credential leave until the hub is started anew.

    For when something looks wrong: calls fail from this instant on, nothing is lost. What ends access goes on:
    disconnecting, and revoke-all.
    """
    done = hub.post("/vault/seal")
    if as_json:
        print_json(done)
        return
    note("Sealed. Start the hub anew to unseal it; that needs the root key, as every start does.")


@vault.command("revoke-all")
@for_organization
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@hub_options
def revoke_all(hub: Hub, organization: str, yes: bool, as_json: bool) -> None:
    """Revoke every connection at its service and destroy it here.

    Everybody has to connect anew after. What is cut off goes on when the hub starts, or when this is run again.
    """
    whose = f"organization {organization}" if organization else "this hub"
    if not yes:
        click.confirm(f"End every connection of {whose}, for everybody?", abort=True, err=True)
    total = {"ended": 0, "unconfirmed": 0}
    began_at = None
    while True:
        step = hub.post("/vault/revoke-all", {"began_at": began_at}, organization=organization)
        began_at = step["began_at"]
        total = {name: number + step[name] for name, number in total.items()}
        if step["done"]:
            break
        note(f"{total['ended']} ended, {step['left']} to go …")
    if as_json:
        print_json(total)
        return
    print_facts({"connections ended": total["ended"], "not confirmed by their service": total["unconfirmed"]})
    if total["unconfirmed"]:
        note("Each person's receipt says where the access has to be ended by hand.")
