"""`valetkey connector key`: the key of an organization for a service, which its owners enter for everybody (CUS-04)."""

from __future__ import annotations

import click

from valetkey.cli.connection import typed_value
from valetkey.cli.hub_client import Hub, hub_options, part


@click.command("key")
@click.argument("slug", metavar="CONNECTOR")
@click.option("--remove", is_flag=True, help="Destroy it, and disconnect everybody who is connected by it.")
@hub_options
def key(hub: Hub, slug: str, remove: bool) -> None:
    """Enter the organization's key for a connector, or replace it: asked for, or read from stdin; for owners."""
    path = f"/connectors/{part(slug)}/key"
    if remove:
        hub.delete(path)
        print(f"taken away: the organization's key for {slug}")
        return
    auth = hub.get(f"/connectors/{part(slug)}")["auth"]
    names = [*auth.get("headers", ()), *auth.get("optional_headers", ())]
    hub.put(path, {"values": {name: typed_value(name) for name in names}})
    print(f"sealed: the organization's key for {slug}")
