"""Somebody else's eyes: the export is checked by a program that shares no code with the product."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.audit.test_verify import Log, log_on
from tests.conftest import FakeClock
from valetkey.audit.model import Everyone, OfPerson, Scope
from valetkey.audit.proofs import Proofs, hashes
from valetkey.store.database import Database

PROGRAM = Path(__file__).parents[2] / "docs/verify_export.py"


@pytest.fixture
async def log(sqlite_database: Database, clock: FakeClock) -> Log:
    """Of two people, with three checkpoints."""
    log = await log_on(sqlite_database, clock)
    for person in ("per_ada", "per_grace", "per_ada"):
        await log.write(10, person=person)
        await log.checkpoints.make()
    return log


async def exported(log: Log, path: Path, scope: Scope) -> list[dict[str, object]]:
    """As `valetkey trail export` prints it."""
    page = await Proofs(log.database, clock=log.clock).export(scope, start=0)
    assert page.next_from == -1
    lines: list[dict[str, object]] = [{"checkpoint": page.checkpoint.note, "key": page.checkpoint.verifier_key}]
    lines += [{"index": one.index, "record": one.record.decode(), "proof": hashes(one.proof)} for one in page.records]
    write(path, lines)
    return lines


def write(path: Path, lines: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def checked(*arguments: object) -> tuple[int, str]:
    done = subprocess.run([sys.executable, PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


async def test_the_whole_export_holds_and_begins_with_an_earlier_checkpoint(log: Log, tmp_path: Path) -> None:
    await exported(log, tmp_path / "all.jsonl", Everyone())
    (tmp_path / "kept").write_text((await log.checkpoints.list())[-1].note)

    told = checked(tmp_path / "all.jsonl", log.signer.verifier_key, tmp_path / "kept")

    assert told == (0, "30 records are in the log of 30 that was signed.")


async def test_a_persons_own_export_holds_without_the_others_records(log: Log, tmp_path: Path) -> None:
    lines = await exported(log, tmp_path / "own.jsonl", OfPerson("per_grace"))

    assert checked(tmp_path / "own.jsonl", log.signer.verifier_key)[0] == 0
    assert len(lines) == 11
    assert "per_ada" not in "".join(str(line["record"]) for line in lines[1:] if '"actor"' not in str(line["record"]))


@pytest.mark.parametrize("line", [1, 7, 30])
async def test_one_changed_record_is_noticed(log: Log, tmp_path: Path, line: int) -> None:
    lines = await exported(log, tmp_path / "all.jsonl", Everyone())
    lines[line]["record"] = str(lines[line]["record"]).replace("per_", "pex_", 1)
    write(tmp_path / "all.jsonl", lines)

    assert checked(tmp_path / "all.jsonl", log.signer.verifier_key) == (
        1,
        f"Record {line - 1} is not in the log that was signed.",
    )


async def test_another_key_is_not_believed(log: Log, tmp_path: Path, clock: FakeClock) -> None:
    await exported(log, tmp_path / "all.jsonl", Everyone())
    other = (await log_on(log.database, clock)).signer

    assert checked(tmp_path / "all.jsonl", other.verifier_key) == (1, "The checkpoint is not signed by this key.")
