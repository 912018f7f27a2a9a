"""`valetkey org hosts`: which hosts the connectors of an organization's members may reach."""

from __future__ import annotations

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json


@click.group()
def hosts() -> None:
    """The hosts that members' connectors may reach: show, set."""


@hosts.command("show")
@click.argument("organization")
@as_json
@hub_options
def show_hosts(hub: Hub, organization: str, as_json: bool) -> None:
    """Show which hosts may be reached."""
    _print(hub.get(f"/organizations/{part(organization)}/hosts"), as_json)


@hosts.command("set")
@click.argument("organization")
@click.option("--allow", multiple=True, metavar="HOST", help="Only these: a host, or *.DOMAIN for those below it.")
@click.option("--deny", multiple=True, metavar="HOST", help="Never these, whatever is allowed.")
@click.option("--none", "nowhere", is_flag=True, help="Allow no host at all.")
@click.option("--any", "anywhere", is_flag=True, help="Allow every host but those denied.")
@as_json
@hub_options
def set_hosts(
    hub: Hub,
    organization: str,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    nowhere: bool,
    anywhere: bool,
    as_json: bool,
) -> None:
    """Say which hosts may be reached, in the place of what was said before. It holds at once."""
    if (bool(allow), nowhere, anywhere).count(True) != 1:
        raise click.UsageError("Say one of --allow HOST, --none and --any.")
    body = {"allowed": None if anywhere else list(allow), "denied": list(deny)}
    _print(hub.put(f"/organizations/{part(organization)}/hosts", body), as_json)
    if not as_json:
        note("Connectors elsewhere can be neither connected nor called. They can be disconnected.")


def _print(shown: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    allowed, denied = shown["allowed"], shown["denied"]
    assert isinstance(denied, list)
    said = "any host" if allowed is None else ", ".join(allowed) if isinstance(allowed, list) and allowed else "none"
    print_facts({"allowed": said, "denied": ", ".join(denied) or "none"})
