"""`valetkey org rules`: what members may do by themselves."""

from __future__ import annotations

from typing import Any

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json


@click.group()
def rules() -> None:
    """What members may do by themselves: show, set."""


@rules.command("show")
@click.argument("organization")
@as_json
@hub_options
def show_rules(hub: Hub, organization: str, as_json: bool) -> None:
    """Show what members may do by themselves."""
    _print(hub.get(f"/organizations/{part(organization)}/rules"), as_json)


@rules.command("set")
@click.argument("organization")
@click.option("--own-connectors/--no-own-connectors", default=None, help="Custom connectors, each for themself.")
@click.option("--own-clients/--no-own-clients", default=None, help="With a client id that they registered.")
@click.option("--local-servers/--no-local-servers", default=None, help="Programs on the hub's host.")
@click.option("--only", "managed", multiple=True, metavar="CONNECTOR", help="Only these connectors, nothing else.")
@click.option("--no-set", is_flag=True, help="No such set: whatever else permits it.")
@click.option("--only-domains/--any-account", default=None, help="Accounts on verified domains only.")
@click.option(
    "--scopes", "scopes", multiple=True, metavar="CONNECTOR:ROLE:SCOPES",
    help="All that this role may be granted there; * is every one. In the place of those that were said.",
)  # fmt: skip
@click.option("--any-scopes", is_flag=True, help="No rule about scopes.")
@click.option("--owners-accept/--members-accept", default=None, help="Who accepts what services add and change.")
@click.option(
    "--text-only", "text_only", multiple=True, metavar="CONNECTOR:TOOL",
    help="No interactive pages of this tool; * is every one. In the place of those that were said.",
)  # fmt: skip
@click.option("--any-pages", is_flag=True, help="No rule about interactive pages.")
@click.option("--purge", is_flag=True, help="End what has no room any more, instead of freezing it.")
@as_json
@hub_options
def set_rules(hub: Hub, organization: str, as_json: bool, **said: Any) -> None:
    """Say what members may do by themselves; what is not said stays. It holds at once."""
    pairs = (("managed", "no_set"), ("scopes", "any_scopes"), ("text_only", "any_pages"))
    if any(said[one] and said[other] for one, other in pairs):
        raise click.UsageError("Say one of the two.")
    path = f"/organizations/{part(organization)}/rules"
    body = {name: value for name, value in hub.get(path).items() if name not in ("set_by", "set_at")}
    for name in ("own_connectors", "own_clients", "local_servers", "only_domains", "owners_accept"):
        if said[name] is not None:
            body[name] = said[name]
    if said["managed"] or said["no_set"]:
        body["managed"] = None if said["no_set"] else list(said["managed"])
    if said["scopes"] or said["any_scopes"]:
        body["scopes"] = [_rule(text) for text in said["scopes"]]
    if said["text_only"] or said["any_pages"]:
        body["text_only"] = [_tool(text) for text in said["text_only"]]
    _print(hub.put(path, body | {"purge": said["purge"]}), as_json)
    if not as_json:
        note("What has no room any more is not called, and is connected anew by its person when there is room.")


def _rule(text: str) -> dict[str, object]:
    parts = text.split(":", 2)
    if len(parts) != 3:
        raise click.UsageError(f"“{text[:60]}” is no rule: write 'github:member:repo read:user'.")
    # A scope may have commas and colons in it, and no space (RFC 6749 3.3).
    return {"connector": parts[0], "role": parts[1], "scopes": parts[2].split()}


def _tool(text: str) -> dict[str, str]:
    connector, found, tool = text.partition(":")
    if not found:
        raise click.UsageError(f"“{text[:60]}” names no tool: write github:show_board.")
    return {"connector": connector, "tool": tool}


def _print(shown: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    managed = shown["managed"]
    lines = [f"{one['connector']}, {one['role']}: {' '.join(one['scopes']) or 'none'}" for one in shown["scopes"]]
    print_facts(
        {
            "own connectors": shown["own_connectors"],
            "own clients": shown["own_clients"],
            "local servers": shown["local_servers"],
            "only these": "no set" if managed is None else ", ".join(managed) or "none",
            "accounts": "on verified domains" if shown["only_domains"] else "any",
            "scopes": "; ".join(lines) or "any",
            "new and changed tools": "wait for an owner" if shown["owners_accept"] else "each member accepts them",
            "text only": "; ".join(f"{one['connector']}, {one['tool']}" for one in shown["text_only"]) or "no tool",
        }
    )
