"""`valetkey connector raise`: what a connector, or one of its tools, is at least in this organization."""

from __future__ import annotations

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, print_facts, print_json


@click.command("raise")
@click.argument("slug", metavar="CONNECTOR")
@click.argument("to", type=click.Choice(["finance", "legal", "medical", "insurance", "W", "M", "H", "V", "nothing"]))
@click.option("--tool", default="*", metavar="NAME", help="Only this tool, by its own name; then TO is a class.")
@as_json
@hub_options
def connector_raise(hub: Hub, slug: str, to: str, tool: str, as_json: bool) -> None:
    """Say what a connector acts in, or of which class one of its tools is at least. It only makes things stricter."""
    body = {"tool": tool, "to": "" if to == "nothing" else to}
    shown = hub.put(f"/connectors/{part(slug)}/raised", body)
    if as_json:
        print_json(shown)
    else:
        print_facts({"connector": shown["slug"], "at least": _said(shown["raised"])})


def _said(raised: dict[str, str]) -> str:
    return ", ".join(f"{name}: {to}" for name, to in sorted(raised.items())) or "what it says itself"
