"""`valetkey trail`: what happened besides calls, and whether all that was written down is still as it was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from valetkey.cli.hub_client import Hub, hub_options, part
from valetkey.cli.printing import as_json, note, print_facts, print_json, print_table
from valetkey.cli.token import for_user

_SHOWN = {"seq": "#", "at": "at", "event": "event", "actor": "by", "object": "object", "detail": "detail"}
_SINKS = {
    "name": "sink",
    "delivered": "checkpoint",
    "delivered_at": "at",
    "failing_since": "fails since",
    "reason": "why",
}
_ReadFile = click.File("r", encoding="utf-8")


@click.group()
def trail() -> None:
    """The trail: list, status, verify, checkpoint, export, prove, …"""


@trail.command("list")
@for_user
@click.option("--limit", type=click.IntRange(1, 5000), default=50, show_default=True, help="At most this many.")
@click.option("--before", type=click.IntRange(min=0), default=0, metavar="N", help="Only events before this one.")
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="N", help="Only events after this one.")
@click.option("--event", default="", metavar="NAME", help="Only these: connection.added, or all of connection.")
@click.option("--actor", default="", metavar="WHO", help="Only what this one did: operator, person:ID, …")
@click.option("--since", default="", metavar="TIME", help="Only events from this time on, e.g. 2026-11-22T08:00Z.")
@click.option("--until", default="", metavar="TIME", help="Only events before this time (with a zone).")
@as_json
@hub_options
def list_events(hub: Hub, user: str, before: int, after: int, as_json: bool, **filters: Any) -> None:
    """List events, newest first."""
    found = hub.get("/trail", person=user, before_id=before or "", after_id=after or "", **filters)
    if as_json:
        print_json(found)
        return
    rows = [event | {"detail": json.dumps(event["detail"]) if event["detail"] else ""} for event in found["items"]]
    print_table(rows, _SHOWN, empty="Nothing has happened yet.")


@trail.command("status")
@as_json
@hub_options
def status(hub: Hub, as_json: bool) -> None:
    """Show who signs, the last checkpoint, and how far each sink has them."""
    found = hub.get("/trail/status")
    if as_json:
        print_json(found)
        return
    last = found["last"]
    print_facts(
        {
            "key": found["key"],
            "checkpoint": f"{last['number']}, over {last['size']} records" if last else None,
            "at": last["at"] if last else None,
            "marked by a watch key": last["watched"] if last else None,
            "signing": found["broken"] or "yes",
        }
    )
    if found["sinks"]:
        print_table(found["sinks"], _SINKS, empty="")
    else:
        note("No sink: checkpoints stay on this host, where who takes it over can rewrite them. Set --trail-sink.")


@trail.command("checkpoint")
@as_json
@hub_options
def checkpoint(hub: Hub, as_json: bool) -> None:
    """Sign the log as it stands, send it to the sinks, and print the signed note."""
    made = hub.post("/trail/checkpoints")
    if as_json:
        print_json(made)
    else:
        print(made["note"], end="")
        note(f"Checkpoint {made['number']}, over {made['size']} records. Keep it where this host cannot write.")


@trail.command("verify")
@click.option(
    "--since", type=_ReadFile, metavar="CHECKPOINT", help="A signed note kept elsewhere; looks at what came after."
)
@click.option("--watch-key", type=_ReadFile, metavar="FILE", help="The watch key's first value.")
@click.option("--key", "keys", multiple=True, metavar="KEY", help="Who signs: name+id+key. Repeat for older keys.")
@click.option("--copy", metavar="DATABASE", help="Verify a copy of the database instead of asking a hub.")
@click.option("--journal", type=click.Path(path_type=Path), metavar="DIR", help="The copy's journal, if it was copied.")
@as_json
@hub_options
@click.pass_context
def verify(ctx: click.Context, /, hub: Hub, keys: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Verify that the trail is whole and as it was signed; name the first bad record.

    Exit codes: 0 whole, 12 a record was modified, 13 deleted or moved or put in, 14 cut short, 15 rewritten, 16 a
    signature or mark is wrong, 17 a checkpoint is missing, 18 calls were begun and have no record.
    """
    since, watch_key = (given[name].read() if given[name] else "" for name in ("since", "watch_key"))
    if given["copy"]:
        report = _verify_copy(given["copy"], since, watch_key, keys, given["journal"])
    elif given["journal"]:
        raise click.UsageError("--journal goes with --copy.")
    else:
        report = hub.post("/trail/verify", {"since": since, "watch_key": watch_key.strip(), "keys": list(keys)})
    if as_json:
        print_json(report)
    else:
        _print_report(report)
    ctx.exit(report["exit_code"])


def _verify_copy(copy: str, since: str, watch_key: str, keys: tuple[str, ...], journal: Path | None) -> Any:
    """The report on a copy, in the words of the API."""
    import asyncio

    from valetkey.audit.note import read_note, read_verifier_key
    from valetkey.audit.report import Report, as_told
    from valetkey.audit.unfinished import count_unfinished
    from valetkey.audit.verify import Against
    from valetkey.audit.verify import verify as verify_trail
    from valetkey.audit.watch import read_start
    from valetkey.store.database import Database

    if "://" not in copy and not Path(copy).is_file():
        raise click.UsageError(f"There is no file {copy}.")
    against = Against(
        keys=tuple(map(read_verifier_key, keys)),
        since=read_note(since) if since else None,
        watch=read_start(watch_key) if watch_key else None,
    )

    database = Database.open(copy) if "://" in copy else Database.read_only(Path(copy))
    unfinished = count_unfinished(journal) if journal else 0

    async def look() -> Report:
        try:
            return await verify_trail(database, against, unfinished=unfinished)
        finally:
            await database.close()

    return as_told(asyncio.run(look()))


def _print_report(report: Any) -> None:
    print_facts(
        {
            "records": f"{report['size']}, of which {report['records']} were looked at",
            "deleted": f"{report['deleted']} calls, by retention or erasure",
            "interrupted": f"{report['interrupted']} calls",
            "checkpoints": f"{report['checkpoints']}, the last good one over {report['signed_size']} records",
            "signed by": ", ".join(report["keys"]) or None,
        }
    )
    for finding in report["findings"]:
        where = f"record {finding['record']}" if finding["record"] >= 0 else "the log"
        what = f" ({finding['kind']} {finding['reference']})" if finding["reference"] else ""
        print(f"✗ {where}{what}: {finding['says']}")
    if report["is_whole"]:
        print("✓ The trail is whole.")
    if not report["keys_given"] and report["checkpoints"]:
        note("The key was taken from the copy itself: give --key, as `valetkey trail status` printed it.")


@trail.command("export")
@for_user
@click.option("--from", "start", type=click.IntRange(min=0), default=0, metavar="N", help="From this record on.")
@hub_options
def export(hub: Hub, user: str, start: int) -> None:
    """Print records as JSON Lines: a line for the checkpoint, then one for each record with its proof."""
    at: int | None = start
    under = 0
    while at is not None:
        page = hub.get("/trail/export", person=user, checkpoint=under or "", **{"from": at})
        if not under:
            under = page["checkpoint"]["number"]
            print(json.dumps({"checkpoint": page["checkpoint"]["note"], "key": page["checkpoint"]["key"]}))
        for record in page["records"]:
            print(json.dumps(record))
        at = page["next_from"]


@trail.group("prove")
def prove() -> None:
    """Print a proof, for whoever keeps a checkpoint."""


@prove.command("call")
@click.argument("call_id", metavar="ID")
@for_user
@hub_options
def prove_call(hub: Hub, call_id: str, user: str) -> None:
    """Prove that a call is in the log."""
    print_json(hub.get(f"/trail/proofs/calls/{part(call_id)}", person=user))


@prove.command("event")
@click.argument("number", type=click.IntRange(min=1), metavar="NUMBER")
@for_user
@hub_options
def prove_event(hub: Hub, number: int, user: str) -> None:
    """Prove that an event is in the log."""
    print_json(hub.get(f"/trail/proofs/events/{number}", person=user))


@prove.command("consistency")
@click.argument("before", type=click.IntRange(min=1), metavar="NUMBER")
@click.argument("after", type=click.IntRange(min=1), metavar="NUMBER")
@hub_options
def prove_consistency(hub: Hub, before: int, after: int) -> None:
    """Prove that the log under one checkpoint begins with the log under an earlier one."""
    print_json(hub.get(f"/trail/proofs/consistency/{before}/{after}"))


@trail.command("watch-key")
@hub_options
def watch_key(hub: Hub) -> None:
    """Begin a watch: a key that evolves with every checkpoint, and whose first value is printed this once.

    Whoever takes the host over later finds only later values, and cannot make the marks of the past anew. An earlier
    watch ends.
    """
    begun = hub.post("/trail/watch-key")
    print(begun["watch_key"])
    note("Keep it off this host; nobody can show it again. `valetkey trail verify --watch-key FILE` checks with it.")
