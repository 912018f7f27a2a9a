"""Erasing what the log tells of a person: hashes stay, the log verifies, nobody hides anything behind it (DATA-10)."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from tests.audit.test_verify import Log, log_on
from tests.conftest import FakeClock
from valetkey.audit.erasure import Erasure
from valetkey.audit.model import Everyone
from valetkey.audit.proofs import Proofs, hashes
from valetkey.audit.report import Fault
from valetkey.audit.trail import Trail
from valetkey.store.database import Database

VERIFY = Path(__file__).parents[2] / "docs/verify_export.py"


@pytest.fixture
async def log(database: Database, clock: FakeClock) -> Log:
    """Twenty records of two people, under a checkpoint."""
    log = await log_on(database, clock)
    await log.write(10, person="per_ada")
    await log.write(10, person="per_grace")
    await Trail(database, clock).write("person.created", actor="system", person_id="per_ada", object="per_ada")
    await Trail(database, clock).write("person.created", actor="system", person_id="per_grace", object="per_grace")
    await log.checkpoints.make()
    return log


async def erase(log: Log, person: str) -> tuple[int, int]:
    erasure = Erasure(log.database)
    end, start, calls, events = await erasure.end(), 0, 0, 0
    while start >= 0:
        piece = await erasure.piece(person, start=start, end=end)
        calls, events, start = calls + piece.calls, events + piece.events, piece.next_from
    return calls, events


async def run(log: Log, statement: str) -> list[tuple[object, ...]]:
    async with log.database.write() as tx:
        done = await tx.exec_driver_sql(statement)
        return [tuple(row) for row in done] if done.returns_rows else []


async def test_what_is_left_of_a_person_is_hashes_and_the_log_verifies(log: Log) -> None:
    before = await log.look()

    erased = await erase(log, "per_ada")

    assert sum(erased) > 0
    leaves = await run(log, "select kind, record from trail_leaf")
    mine = b'"person_id":"per_ada"'
    told = [record for kind, record in leaves if kind != "deletion" and mine in bytes(record)]  # type: ignore[call-overload]  # bytes
    assert told == []
    for table in ("call_record", "trail_event"):
        assert await run(log, f"select 1 from {table} where person_id = 'per_ada'") == []
    report = await log.look()
    assert report.findings == ()
    assert report.size > before.size
    assert (await log.checkpoints.make()).size == report.size


async def test_nobody_else_loses_anything_and_asking_again_erases_nothing_more(log: Log) -> None:
    of_grace = await run(log, "select id from call_record where person_id = 'per_grace' order by id")
    await erase(log, "per_ada")

    assert await erase(log, "per_ada") == (0, 0)
    assert await run(log, "select id from call_record where person_id = 'per_grace' order by id") == of_grace
    assert (await log.look()).findings == ()


async def test_a_record_that_was_blanked_behind_somebodys_erasure_is_found(log: Log) -> None:
    await erase(log, "per_ada")
    stub = "(select record from trail_leaf where seq = 0)"
    hidden = "(select max(seq) from trail_leaf where kind = 'call')"
    await run(log, f"delete from call_record where id = (select reference from trail_leaf where seq = {hidden})")
    await run(log, f"update trail_leaf set record = {stub} where seq = {hidden}")

    assert Fault.MODIFIED in [finding.fault for finding in (await log.look()).findings]


async def test_a_record_that_nobody_erased_and_that_is_blank_is_found(log: Log) -> None:
    await run(
        log,
        "update trail_leaf set record = CAST('erased del_none' AS BLOB) where seq = 3"
        if log.database.dialect == "sqlite"
        else "update trail_leaf set record = 'erased del_none'::bytea where seq = 3",
    )

    (finding,) = (await log.look()).findings
    assert (finding.fault, finding.record) == (Fault.MODIFIED, 3)


async def test_a_call_that_is_there_again_under_an_erased_record_is_found(log: Log) -> None:
    await erase(log, "per_ada")
    erased = "(select reference from trail_leaf where seq = 0)"
    kept = "(select max(id) from call_record)"
    await run(log, f"update call_record set id = {erased} where id = {kept}")

    assert "was erased, and is there again" in " ".join(one.says for one in (await log.look()).findings)


async def test_an_export_of_the_log_is_checked_with_its_erased_records_in_it(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await erase(log, "per_ada")
    await log.checkpoints.make()
    page = await Proofs(log.database, clock=log.clock).export(Everyone(), start=0)
    lines = [{"checkpoint": page.checkpoint.note}]
    for one in page.records:
        told = {"index": one.index, "record": one.record.decode(), "proof": hashes(one.proof), "leaf": one.leaf.hex()}
        lines.append(told)  # type: ignore[arg-type]  # JSON
    path = tmp_path / "export.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))

    runpy.run_path(str(VERIFY))["main"](str(path), page.checkpoint.verifier_key)

    assert len(lines) == (await log.look()).size + 1
    assert capsys.readouterr().out


async def test_the_newest_event_stays_so_that_no_number_has_two_records(log: Log) -> None:
    await Trail(log.database, log.clock).write("token.created", actor="system", person_id="per_ada", object="x")

    await erase(log, "per_ada")
    await log.write(3, person="per_grace")

    assert (await log.look()).findings == ()
    assert await run(log, "select event from trail_event where person_id = 'per_ada'") == [("token.created",)]
