"""`valetkey data`: what is kept about a person, and how much of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from valetkey.cli import data_retention
from valetkey.cli.hub_client import Hub, hub_options
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table
from valetkey.cli.token import for_user

_LEVELS = click.Choice(["none", "metadata", "full", "unset"])
_for_connector = click.option(
    "--connector", default="*", show_default=True, metavar="SLUG", help="Of calls to this connector; * for every one."
)


@click.group()
def data() -> None:
    """What is kept about people: level, retention, export, erase, …"""


data_retention.add_to(data)


@data.command("level")
@_for_connector
@for_user
@as_json
@hub_options
def show_level(hub: Hub, connector: str, user: str, as_json: bool) -> None:
    """Show how much of a person's calls is kept, and who says so."""
    _print(hub.get("/data/level", connector=connector, person=user), as_json=as_json)


@data.command("set-level")
@click.argument("level", type=_LEVELS)
@_for_connector
@as_json
@hub_options
def set_level(hub: Hub, level: str, connector: str, as_json: bool) -> None:
    """Choose how much of your own calls is kept from now on."""
    _print(hub.post("/data/level", {"connector": connector, "level": _level(level)}), as_json=as_json)


@data.command("set-bound")
@click.argument("kind", type=click.Choice(["floor", "ceiling"]))
@click.argument("level", type=_LEVELS)
@_for_connector
@click.option("--acknowledged", is_flag=True, help="For a ceiling of none: you know that services keep what they get.")
@as_json
@hub_options
def set_bound(hub: Hub, kind: str, level: str, connector: str, acknowledged: bool, as_json: bool) -> None:
    """Say as an owner how much of members' calls is kept at least, or at most."""
    said = {"kind": kind, "connector": connector, "level": _level(level), "acknowledged": acknowledged}
    found = hub.post("/data/bounds", said)
    if as_json:
        print_json(found)
        return
    _print_said(found["items"])


@data.command("consent")
@for_user
@as_json
@hub_options
def show_consent(hub: Hub, user: str, as_json: bool) -> None:
    """Show whether a person allows training; it is given by them on a page only."""
    found = hub.get("/data/training-consent", person=user)
    if as_json:
        print_json(found)
        return
    if not found["given"]:
        print("Not given." if found["can_be_given"] else "Never: the data of an organization is not used for training.")
        return
    print_facts({"given": found["given_at"], "policy": found["policy_version"], "text": found["text_hash"]})


@data.command("withdraw")
@as_json
@hub_options
def withdraw(hub: Hub, as_json: bool) -> None:
    """Take back your own yes to training."""
    found = hub.delete("/data/training-consent")
    if as_json:
        print_json(found)
        return
    print_facts({"items handed out, to be deleted": found["items_to_delete"]})


@data.command("export")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, metavar="FILE",
    help="Where to put it; by default valetkey-export-DATE.zip here.",
)  # fmt: skip
@as_json
@hub_options
def export(hub: Hub, out: Path | None, as_json: bool) -> None:
    """Write everything that is kept about you into a zip of JSON lines."""
    now = datetime.now(UTC)
    out = out or Path(f"valetkey-export-{now:%Y-%m-%d}.zip")
    counts = write_archive(hub, out, now)
    if as_json:
        print_json({"file": str(out), "lines": counts})
        return
    print_facts({"written": str(out), **counts})


def write_archive(hub: Hub, out: Path, now: datetime) -> dict[str, int]:
    """How many lines each file has. Says on the way how far it is; leaves nothing behind that is not whole."""
    from valetkey.privacy.archive import Archive

    archive, counts = Archive(now), dict[str, int]()
    part = hub.get("/data/export")  # first: a hub that refuses leaves no file
    try:
        # Not over what is there already, and for nobody else's eyes: it holds what calls sent and got.
        opened = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise click.ClickException(f"{out} is there already; name another with --out.") from error
    try:
        with os.fdopen(opened, "wb") as file:
            while True:
                if part["file"] not in counts:
                    note(f"reading {part['file']} …")
                counts[part["file"]] = counts.get(part["file"], 0) + len(part["lines"])
                file.write(archive.add(part["file"], part["lines"]))
                if not part["next_after"]:
                    break
                part = hub.get("/data/export", after=part["next_after"])
            file.write(archive.finish())
    except BaseException:
        out.unlink(missing_ok=True)  # half an archive would pass for a whole one
        raise
    return counts


@data.command("erase")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@hub_options
def erase(hub: Hub, yes: bool, as_json: bool) -> None:
    """Erase what is kept about you: connections, calls, approvals, what the log tells. Your account stays.

    Needs a token of yours with data:erase, made within the hour. What was cut off goes on when you ask again.
    """
    if not yes:
        click.confirm(
            "Everything about you is ended and erased, and nobody can bring it back. Go on?", abort=True, err=True
        )
    found = hub.post("/data/erase")
    while not found["finished_at"]:
        note(f"erasing … {found['percent']} %")
        found = hub.post("/data/erase")
    if as_json:
        print_json(found)
        return
    print_facts({
        "erased": found["finished_at"], "connections": found["connections"], "days of contents": found["days"],
        "calls": found["calls"], "events": found["events"],
    })  # fmt: skip
    if found["unconfirmed"]:
        note(f"{found['unconfirmed']} of the services did not confirm: end their access there, in your account.")


@data.command("erasures")
@as_json
@hub_options
def erasures(hub: Hub, as_json: bool) -> None:
    """List the receipts of what you had erased, newest first."""
    found = hub.all("/data/erasures")
    if as_json:
        print_json(found)
        return
    columns = {
        "began_at": "began", "finished_at": "finished", "connections": "connections", "days": "days",
        "calls": "calls", "events": "events",
    }  # fmt: skip
    print_table(found["items"], columns, empty="Nothing was erased.")


@data.command("training-export")
@click.option("--withdrawn", is_flag=True, help="Instead, the items to delete: their person took the yes back.")
@hub_options
def training_export(hub: Hub, withdrawn: bool) -> None:
    """Print as JSON lines what people allowed to learn from; nothing of organizations."""
    if withdrawn:
        for item in hub.all("/data/training-export/withdrawn")["items"]:
            print(json.dumps({"id": item}))
        return
    after = ""
    while True:
        part = hub.post("/data/training-export", {"after": after})
        after = part["next_after"]
        for item in part["items"]:
            print(json.dumps(item))
        if not after:
            return


def _level(word: str) -> str | None:
    return None if word == "unset" else word


def _print(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_facts({name: found[name] for name in ("connector", "level", "choice", "floor", "ceiling")})
    _print_said(found["said"])


def _print_said(said: list[dict[str, Any]]) -> None:
    columns = {"kind": "said", "connector": "of", "level": "level"}
    print_table(said, columns, empty="Nobody has said anything: all of it is kept.")
