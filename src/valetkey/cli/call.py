"""`valetkey call`: the call log, and making one call."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, print_facts, print_json, print_table, tell_of_more
from valetkey.cli.token import for_user
from valetkey.kernel.errors import printable

_SHOWN = {
    "started_at": "at",
    "connector": "connector",
    "label": "account",
    "tool": "tool",
    "outcome": "outcome",
    "took": "took",
    "client": "client",
    "id": "id",
}
_CONTENTS = {
    "not_yours": "Only the person in whose name it was made can see what was sent and came back.",
    "none": "Nothing was kept of what was sent and came back.",
    "erased": "What was sent and came back has been erased.",
}
_SECONDS_BETWEEN_LOOKS = 1.0


@click.group()
def call() -> None:
    """Tool calls: list, show, result, read, tail, run."""


def _filters(command: Any) -> Any:
    for option in (
        click.option("--until", default="", metavar="TIME", help="Only calls before this time (with a zone)."),
        click.option(
            "--since", default="", metavar="TIME", help="Only calls from this time on, e.g. 2026-11-22T08:00Z."
        ),
        click.option("--client", default="", help="Only calls of assistants with this in their name."),
        click.option(
            "--class", "tool_class", default="", help="Only calls whose tool counts as this: R, W, M, H, V, X."
        ),
        click.option("--outcome", default="", help="Only calls that ended so: ok, refused, timeout, …"),
        click.option("--tool", default="", help="Only calls of this tool."),
        click.option("--connector", default="", help="Only calls to this connector."),
        click.option("--members", is_flag=True, help="Those of all members: for owners and auditors."),
        for_user,
    ):
        command = option(command)
    return command


@call.command("list")
@_filters
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="At most this many.")
@click.option("--cursor", default="", metavar="PLACE", help="Go on there: `next` of the page before.")
@as_json
@hub_options
def list_calls(hub: Hub, limit: int, cursor: str, as_json: bool, **filters: Any) -> None:
    """List calls, newest first."""
    found = hub.get("/calls", limit=limit, cursor=cursor, **_query(filters))
    if as_json:
        print_json(found)
        return
    print_table([_with_time(each) for each in found["items"]], _SHOWN, empty="There are no calls.")
    tell_of_more(found)


@call.command("show")
@click.argument("call_id", metavar="ID")
@as_json
@hub_options
def show_call(hub: Hub, call_id: str, as_json: bool) -> None:
    """Show one call; what was sent and came back only with its person's token."""
    _print_opened(hub.get(f"/calls/{part(call_id)}"), as_json=as_json)


def _print_opened(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    contents = {name: found.pop(name) for name in ("contents", "request", "response")}
    print_facts({name.replace("_", " "): value for name, value in _with_time(found).items() if value != ""})
    if contents["contents"] != "shown":
        print(_CONTENTS[contents["contents"]])
        return
    for half in ("request", "response"):
        print(f"\n{half}:")
        print_json(contents[half])


@call.command("read")
@click.argument("call_id", metavar="ID")
@click.argument("reason")
@as_json
@hub_options
def read_call(hub: Hub, call_id: str, reason: str, as_json: bool) -> None:
    """Read as an auditor what a member's call sent and got; they see who did, and the reason."""
    _print_opened(hub.post(f"/calls/{part(call_id)}/readings", {"reason": reason}), as_json=as_json)


@call.command("result")
@click.argument("call_id", metavar="ID")
@as_json
@hub_options
def read_result(hub: Hub, call_id: str, as_json: bool) -> None:
    """Print the whole result of a call of yours that was too large for the assistant; it is JSON."""
    print_json(hub.get(f"/calls/{part(call_id)}/result"))


@call.command("readings")
@click.argument("call_id", metavar="ID")
@as_json
@hub_options
def list_readings(hub: Hub, call_id: str, as_json: bool) -> None:
    """List who read what was in a call of yours, and why."""
    found = hub.all(f"/calls/{part(call_id)}/readings")
    if as_json:
        print_json(found)
        return
    print_table(found["items"], {"at": "at", "by": "by", "reason": "because"}, empty="Nobody but you could.")


@call.command("tail")
@_filters
@click.option("-f", "--follow", is_flag=True, help="Go on and print calls as they end, until stopped.")
@click.option("-n", "--lines", type=click.IntRange(0, 200), default=10, show_default=True, help="Begin with so many.")
@as_json
@hub_options
def tail_calls(hub: Hub, lines: int, follow: bool, as_json: bool, **filters: Any) -> None:
    """Print the last calls, oldest first; with --json one object to a line."""
    query = _query(filters)
    newest = _newest(hub, query)
    seen = {each["id"] for each in newest}
    for each in reversed(newest[:lines]):
        _print_line(each, as_json=as_json)
    while follow:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        # By what was seen, not by the newest id: a call is listed when it ends, and a long one began earlier.
        for each in reversed(_newest(hub, query)):
            if each["id"] not in seen:
                seen.add(each["id"])
                _print_line(each, as_json=as_json)


def _print_line(each: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(each), flush=True)
        return
    shown = _with_time(each)
    print("  ".join(printable(shown[name]) for name in _SHOWN if shown[name] != ""), flush=True)


@call.command("run")
@click.argument("connector", metavar="CONNECTOR[/LABEL]")
@click.argument("tool")
@click.argument("arguments", default="{}", metavar="[JSON]")
@as_json
@hub_options
def run_call(hub: Hub, connector: str, tool: str, arguments: str, as_json: bool) -> None:
    """Make one call as the person whose token this is, e.g. run github list_repos '{"page": 1}'."""
    slug, _, label = connector.partition("/")
    body = {"connector": slug, "label": label, "tool": tool, "arguments": _object(arguments)}
    answer = hub.post("/calls", body)
    if as_json:
        print_json(answer)
    else:
        _print_result(answer["result"])
    if answer["result"].get("isError"):
        raise click.ClickException("The tool answered with an error.")


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"The arguments are not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise click.UsageError("The arguments are not a JSON object.")
    return value


def _print_result(result: Mapping[str, Any]) -> None:
    for block in result.get("content", ()):
        if isinstance(block, dict) and block.get("type") == "text":
            # What a service says may move the cursor or recolor the screen: only lines and tabs pass.
            print("".join(char if char.isprintable() or char in "\n\t" else "�" for char in str(block.get("text", ""))))
        else:
            print_json(block)


def _query(filters: Mapping[str, Any]) -> dict[str, str]:
    query = {"person" if name == "user" else name: value for name, value in filters.items()}
    return {**query, "members": "true" if query["members"] else ""}


def _newest(hub: Hub, query: Mapping[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hub.get("/calls", limit=200, **query)["items"]
    return found


def _with_time(found: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(found)
    shown["took"] = f"{shown.pop('duration_us') / 1000:.1f} ms"
    return shown
