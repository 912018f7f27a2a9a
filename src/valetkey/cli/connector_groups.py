"""`valetkey connector groups`: for which groups of the organization a connector is."""

from __future__ import annotations

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, print_facts, print_json
from valetkey.cli.token import for_user


@click.command("groups")
@click.argument("slug", metavar="CONNECTOR")
@click.option("--group", "groups", multiple=True, metavar="ID", help="Only for members of these.")
@click.option("--everybody", is_flag=True, help="For everybody in the organization again.")
@for_user
@as_json
@hub_options
def connector_groups(hub: Hub, slug: str, groups: tuple[str, ...], everybody: bool, user: str, as_json: bool) -> None:
    """Say for which groups of the organization's directory a connector is. Others can neither connect nor call it."""
    if bool(groups) == everybody:
        raise click.UsageError("Say --group ID, once or more, or --everybody.")
    body = {"groups": None if everybody else list(groups)}
    shown = hub.put(f"/connectors/{part(slug)}/groups", body, person=user)
    if as_json:
        print_json(shown)
    else:
        print_facts({"connector": shown["slug"], "for": ", ".join(shown["groups"] or ["everybody"])})
