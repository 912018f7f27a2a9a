"""`valetkey key`: the keys of the vault. No command shows one; a new recovery kit is shown once, to a terminal."""

from __future__ import annotations

from typing import Any

import click

from valetkey.cli.hub_client import Hub, hub_options
from valetkey.cli.key_recover import recover_keys, show_kit
from valetkey.cli.passphrase import ask_for_new_passphrase
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table

_ROOTS = {
    "version": "root key",
    "scheme": "kind",
    "key_id": "id",
    "organization_keys": "wraps",
    "at_hand": "at hand",
}

for_organization = click.option("--org", "organization", default="", metavar="ID", help="Of this organization only.")


@click.group()
def key() -> None:
    """Keys of the vault: status, rotate, rewrap, recover."""


@key.command("status")
@for_organization
@as_json
@hub_options
def show_keys(hub: Hub, organization: str, as_json: bool) -> None:
    """Show ages, counts, and what is left on older keys."""
    found = hub.get("/keys", organization=organization)
    if as_json:
        print_json(found)
        return
    print_facts(
        {
            "organizations": found["organizations"],
            "their keys": found["organization_keys"],
            "on older root keys": found["organization_keys_on_older_roots"],
            "data keys": found["data_keys"],
            "on older keys": found["data_keys_on_older_keys"],
            "oldest in use from": found["oldest_at"],
        }
    )
    if found["roots"]:
        print_table(found["roots"], _ROOTS, empty="")


@key.group("rotate")
def rotate() -> None:
    """Make a new key, and move under it what hangs on the older."""


@rotate.command("root")
@click.option("--to", "to", default="", metavar="KEY", help="Move to another root key, in the words of --root-key.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@hub_options
def rotate_root(hub: Hub, to: str, yes: bool, as_json: bool) -> None:
    """Make a new root key beside the older, and wrap under it."""
    if to and not yes:  # ORG-18: whoever moves to a key of their own is told before what its end would mean
        click.confirm(
            f"Who destroys or loses {to} destroys everything in the vault: nobody opens it any more, but with a "
            "recovery kit. Disabled, it locks the hub. Move to it?",
            abort=True,
            err=True,
        )
    asked: dict[str, Any] = {"to": to} if to else {}
    if to == "passphrase:prompt":
        # The hub must have it: it goes through the control socket, which only this user can open.
        asked["passphrase"] = ask_for_new_passphrase("New passphrase of the vault").reveal().decode()
    made = hub.post("/keys/rotate/root", asked)
    _finish(hub, "", made, as_json=as_json)
    if to:
        note(f"Start the hub with --root-key '{to}' from now on; the key before is needed for older backups only.")
    else:
        note("Back up the new root key now, apart from the data. The older one stays until you remove it.")


key.add_command(show_kit)
key.add_command(recover_keys)


@rotate.command("tenant")
@click.argument("organization", metavar="ID")
@as_json
@hub_options
def rotate_tenant(hub: Hub, organization: str, as_json: bool) -> None:
    """Make a new key of an organization, and destroy the older."""
    made = hub.post("/keys/rotate/tenant", organization=organization)
    _finish(hub, organization, made, as_json=as_json)


@key.command("rewrap")
@for_organization
@as_json
@hub_options
def rewrap(hub: Hub, organization: str, as_json: bool) -> None:
    """Move what is left on older keys, as after a rotation that was cut off."""
    _finish(hub, organization, {}, as_json=as_json)


def _finish(hub: Hub, organization: str, made: dict[str, int], *, as_json: bool) -> None:
    """Asks the hub to go on until nothing is left to move, saying how far it is."""
    moved = {"organization_keys": 0, "data_keys": 0, "destroyed": 0}
    while True:
        step = hub.post("/keys/rewrap", organization=organization)
        moved = {name: number + step[name] for name, number in moved.items()}
        if step["done"]:
            break
        note(f"{moved['data_keys']} data keys rewrapped …")
    result = {**made, **moved, "damaged": step["damaged"]}
    if as_json:
        print_json(result)
        return
    words = {"version": "new version", "organization_keys": "organizations' keys rewrapped"}
    words |= {"data_keys": "data keys rewrapped", "destroyed": "older keys destroyed", "damaged": "damaged"}
    print_facts({words[name]: number for name, number in result.items()})
    if step["damaged"]:
        note("Damaged keys do not open and stay on the older key: restore the keyring, or let people reconnect.")
