"""`valetkey policy`: what an organization permits at most, and why a call is decided as it is."""

from __future__ import annotations

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, print_facts, print_json, print_table

_SHOWN = {
    "id": "id", "setting": "at most", "connector": "connector", "tool": "tool", "tool_class": "class", "role": "role",
}  # fmt: skip
_STEPS = {"level": "level", "rule": "rule", "effect": "effect", "words": "because"}


@click.group()
def policy() -> None:
    """Ceilings and decisions: show, set, remove, explain."""


@policy.command("show")
@as_json
@hub_options
def show(hub: Hub, as_json: bool) -> None:
    """Show what your organization permits at most."""
    found = hub.all("/policy/ceilings")
    if as_json:
        print_json(found)
    else:
        print_table(found["items"], _SHOWN, empty="There are no ceilings: classes and people decide.")


@policy.command("set")
@click.argument("setting", type=click.Choice(["allow", "ask", "block"]))
@click.option("--connector", default="*", help="Only for this connector.")
@click.option("--tool", default="*", help="Only for this tool.")
@click.option("--class", "tool_class", default="*", help="Only for tools of this class: R, W, M, H, V or X.")
@click.option("--role", default="*", help="Only for people in this role.")
@as_json
@hub_options
def set_ceiling(hub: Hub, setting: str, connector: str, tool: str, tool_class: str, role: str, as_json: bool) -> None:
    """Set what is permitted at most; the strictest of all ceilings wins."""
    where = {"connector": connector, "tool": tool, "tool_class": tool_class, "role": role}
    made = hub.post("/policy/ceilings", {"setting": setting, **where})
    if as_json:
        print_json(made)
    else:
        print_facts({"set": made["id"], "at most": made["setting"]})


@policy.command("remove")
@click.argument("ceiling")
@hub_options
def remove(hub: Hub, ceiling: str) -> None:
    """Take a ceiling away."""
    hub.delete(f"/policy/ceilings/{part(ceiling)}")
    print_facts({"removed": ceiling})


@policy.command("explain")
@click.argument("connection")
@click.argument("tool")
@as_json
@hub_options
def explain(hub: Hub, connection: str, tool: str, as_json: bool) -> None:
    """Say what would be decided about a call now, and by which rules."""
    said = hub.get(f"/connections/{part(connection)}/decision", tool=tool)
    if as_json:
        print_json(said)
        return
    asked = f"{said['effect']} ({said['how']})" if said["how"] else said["effect"]
    print_facts({"decision": asked, "rule": said["rule"], "class": f"{said['tool_class']}: {said['because']}"})
    print_table(said["chain"], _STEPS, empty="")
