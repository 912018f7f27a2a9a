"""T14: whatever is done to the trail behind its back is found, named, and told apart by the exit code (S-09 (f))."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.audit.conftest import intent, let_go_before
from tests.audit.signing import FIRST_WATCH_KEY, TestSigner
from tests.conftest import FakeClock
from valetkey.audit.checkpoints import Checkpoints, Inconsistent
from valetkey.audit.leaves import canonical
from valetkey.audit.merkle import Frontier, leaf_hash
from valetkey.audit.model import CallEnding, Outcome
from valetkey.audit.note import Note, read_note
from valetkey.audit.report import Fault, Report
from valetkey.audit.repository import CallRecords, insert_calls
from valetkey.audit.trail import Trail
from valetkey.audit.verify import Against, verify
from valetkey.store.database import Database
from valetkey.store.leases import Leases

RECORDS = 30


@dataclass
class Log:
    """A log of calls and events with checkpoints, and what an auditor keeps of it elsewhere."""

    database: Database
    clock: FakeClock
    signer: TestSigner
    checkpoints: Checkpoints

    async def write(self, count: int, *, person: str = "per_ada") -> None:
        trail = Trail(self.database, self.clock)
        for number in range(count):
            self.clock.advance(1)
            if number % 3 == 2:
                await trail.write("token.created", actor="person:per_ada", person_id=person, detail={"n": number})
                continue
            call = intent(self.clock, person_id=person, request=b"sealed %d" % number)
            ending = CallEnding(id=call.id, outcome=Outcome.OK, response=b"sealed answer")
            async with self.database.write() as tx:
                await insert_calls(tx, [(call, ending)])

    async def look(self, *, since: Note | None = None) -> Report:
        return await verify(self.database, Against(keys=(self.signer.verifier_key,), since=since))


async def log_on(database: Database, clock: FakeClock, signer: TestSigner | None = None) -> Log:
    signer, trail = signer or TestSigner(), Trail(database, clock)
    checkpoints = Checkpoints(
        database, clock=clock, leases=Leases(database, clock=clock), trail=trail, signer=signer, watch=signer
    )
    return Log(database, clock, signer, checkpoints)


@pytest.fixture
async def log(database: Database, clock: FakeClock) -> Log:
    """Thirty records and three checkpoints, on both engines."""
    log = await log_on(database, clock)
    for _ in range(3):
        await log.write(RECORDS // 3)
        await log.checkpoints.make()
    return log


async def test_a_log_that_nobody_touched_is_whole(log: Log) -> None:
    report = await log.look()

    assert (report.is_whole, report.exit_code, report.size, report.records) == (True, 0, RECORDS, RECORDS)
    assert (report.checkpoints, report.signed_size) == (3, RECORDS)


async def test_a_log_without_a_record_is_whole(sqlite_database: Database, clock: FakeClock) -> None:
    assert (await (await log_on(sqlite_database, clock)).look()).is_whole


async def test_what_retention_and_erasure_deleted_is_no_fault_and_is_counted(log: Log) -> None:
    records = CallRecords(log.database)
    await let_go_before(log.database, log.clock.now() - timedelta(seconds=20))
    await log.write(10, person="per_grace")
    await records.delete_for_person("per_ada")

    report = await log.look()

    assert (report.findings, report.deleted) == ((), 21)


async def test_a_persons_payloads_can_be_erased_and_the_log_still_verifies(log: Log) -> None:
    await CallRecords(log.database).erase_payloads("per_ada")

    assert (await log.look()).findings == ()


async def test_one_call_more_than_erasure_deleted_is_missed(log: Log) -> None:
    """Who hides a call behind somebody's erasure is found by the count."""
    async with log.database.write() as tx:
        await tx.exec_driver_sql("delete from call_record where id = (select max(id) from call_record)")
    await CallRecords(log.database).delete_for_person("per_ada")

    (finding,) = (await log.look()).findings
    assert (finding.fault, finding.kind) == (Fault.MOVED, "call")


async def test_a_deletion_explains_nothing_that_came_after_it(log: Log) -> None:
    await CallRecords(log.database).delete_for_person("per_ada")
    await log.write(2)
    async with log.database.write() as tx:
        await tx.exec_driver_sql("delete from call_record where id = (select max(id) from call_record)")

    (finding,) = (await log.look()).findings
    assert (finding.fault, finding.record) == (Fault.MOVED, RECORDS + 2)
    assert "no deletion in the log explains it" in finding.says


COLUMNS = {
    "call_record": ["started_at", "request", "duration_us"],
    "trail_event": ["at", "detail"],
    "trail_leaf": ["hash", "record", "kind", "reference"],
    "trail_head": ["size", "peaks"],
    "trail_checkpoint": ["size", "root", "note", "number"],
}


@pytest.mark.parametrize("table", COLUMNS)
async def test_rubbish_in_any_column_is_found_and_stops_nothing(original: tuple[Path, Log], table: str) -> None:
    """SQLite takes anything anywhere: whoever tampers must not be able to make the verifier fail instead."""
    path, log = original
    for column in COLUMNS[table]:
        for rubbish in ("", "rubbish", b"\xff\x00", -1, 2**62, 1.5):
            where = f"where rowid = (select max(rowid) from {table})"
            if column == "number" and not isinstance(rubbish, int):
                continue  # the one place where SQLite does look

            async def put(copy: Copy, column: str = column, rubbish: object = rubbish, where: str = where) -> None:
                await copy.run(f"update {table} set {column} = ? {where}", rubbish)

            assert not (await detected(path, log, put, 0)).is_whole, (column, rubbish)


async def test_a_checkpoint_kept_elsewhere_shows_a_log_that_was_cut_short_with_its_checkpoints(log: Log) -> None:
    kept = await log.checkpoints.last()
    assert kept is not None
    async with log.database.write() as tx:
        await cut_short(tx_run(tx), RECORDS - 5)
        await tx.exec_driver_sql("delete from trail_checkpoint where number = 3")

    assert (await log.look()).is_whole
    (finding,) = (await log.look(since=read_note(kept.note))).findings
    assert (finding.fault, finding.record) == (Fault.TRUNCATED, RECORDS - 5)


async def test_since_looks_at_what_came_after_only(log: Log) -> None:
    kept = (await log.checkpoints.list())[1]

    report = await log.look(since=read_note(kept.note))

    assert (report.is_whole, report.size, report.records) == (True, RECORDS, RECORDS // 3)


async def test_a_checkpoint_of_another_key_is_not_taken_for_ours(log: Log) -> None:
    report = await log.look()
    foreign = read_note(TestSigner().note(report.size, report.root))

    assert [one.fault for one in (await log.look(since=foreign)).findings] == [Fault.SIGNATURE]


async def test_calls_that_were_begun_and_never_written_are_told(log: Log) -> None:
    report = await verify(log.database, Against(), unfinished=2)

    assert (report.findings[0].fault, report.exit_code) == (Fault.UNFINISHED, 18)


async def test_nothing_more_is_signed_once_the_log_was_rewritten(log: Log) -> None:
    async with log.database.write() as tx:
        await rewrite(tx_run(tx), 4)
    again = await log_on(log.database, log.clock)  # after a restart, with nothing in memory

    with pytest.raises(Inconsistent, match="its last checkpoint, over 30 records"):
        await again.checkpoints.make()


async def test_the_watch_key_shows_a_past_that_was_signed_anew(log: Log) -> None:
    """Whoever takes the host over can sign, but has only the present value of the watch key."""
    log.signer.watch = "watch_1"
    for _ in range(3):
        await log.write(3)
        await log.checkpoints.make()
    against = Against(keys=(log.signer.verifier_key,), watch=("watch_1", FIRST_WATCH_KEY))
    assert (await verify(log.database, against)).is_whole
    async with log.database.write() as tx:
        run = tx_run(tx)
        await rewrite(run, 33)
        await sign_anew(run, log.signer)

    assert (await log.look()).is_whole
    (finding,) = (await verify(log.database, against)).findings
    assert (finding.fault, finding.says) == (
        Fault.SIGNATURE,
        "Step 2 of the watch does not bear the mark of the watch key.",
    )


# --- T14 --------------------------------------------------------------------------------------------------------------

Run = Callable[..., Awaitable[list[tuple[object, ...]]]]


def tx_run(tx: object) -> Run:
    async def run(statement: str, *values: object) -> list[tuple[object, ...]]:
        marks = statement
        if tx.dialect.name == "postgresql":  # type: ignore[attr-defined]  # a connection of either engine
            for number in range(1, len(values) + 1):
                marks = marks.replace("?", f"${number}", 1)
        result = await tx.exec_driver_sql(marks, values)  # type: ignore[attr-defined]  # as above
        return [tuple(row) for row in result] if result.returns_rows else []

    return run


async def leaf_rows(run: Run) -> list[tuple[int, bytes]]:
    rows = await run("select seq, record from trail_leaf order by seq")
    return [(int(str(seq)), bytes(record)) for seq, record in rows]  # type: ignore[call-overload]  # bytes or memoryview


async def set_head(run: Run) -> None:
    """The head as it would be over the leaves there are."""
    frontier = Frontier()
    for (leaf,) in await run("select hash from trail_leaf order by seq"):
        frontier.append(bytes(leaf))  # type: ignore[call-overload]  # bytes or memoryview
    await run("update trail_head set size = ?, peaks = ?", frontier.size, frontier.to_bytes())


async def rewrite(run: Run, seq: int) -> None:
    """Changes a record everywhere it is: row, leaf and head; as somebody does who knows how the log works."""
    record = json.loads(dict(await leaf_rows(run))[seq])
    if record["kind"] == "call":
        record["tool"] = "something_else"
        await run("update call_record set tool = 'something_else' where id = ?", record["id"])
    else:
        record["actor"] = "person:per_mallory"
        await run("update trail_event set actor = 'person:per_mallory' where seq = ?", record["event_seq"])
    written = canonical(record)
    await run("update trail_leaf set record = ?, hash = ? where seq = ?", written, leaf_hash(written), seq)
    await set_head(run)


async def cut_short(run: Run, size: int) -> None:
    """Takes the records from `size` on away, wherever they are."""
    await run("delete from call_record where id in (select reference from trail_leaf where seq >= ?)", size)
    await run(
        "delete from trail_event where cast(seq as varchar) in"
        " (select reference from trail_leaf where kind = 'event' and seq >= ?)",
        size,
    )
    await run("delete from trail_leaf where seq >= ?", size)
    await set_head(run)


async def sign_anew(run: Run, signer: TestSigner) -> None:
    """Every checkpoint over the log as it is now, by who has the signing key."""
    leaves = [bytes(leaf) for (leaf,) in await run("select hash from trail_leaf order by seq")]  # type: ignore[call-overload]  # bytes
    for number, size in await run("select number, size from trail_checkpoint"):
        frontier = Frontier()
        for leaf in leaves[: int(str(size))]:
            frontier.append(leaf)
        note = signer.note(frontier.size, frontier.root())
        await run("update trail_checkpoint set root = ?, note = ? where number = ?", frontier.root(), note, number)


class Copy:
    """One copy of a log to tamper with, as somebody with the file would. `any` picks where."""

    def __init__(self, path: Path, any: random.Random) -> None:
        self._raw = sqlite3.connect(path, isolation_level=None)
        self.any = any

    async def run(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        return self._raw.execute(statement, values).fetchall()

    def close(self) -> None:
        self._raw.close()

    async def one_of(self, kind: str) -> str:
        found = await self.run("select reference from trail_leaf where kind = ?", kind)
        return str(self.any.choice(found)[0])


async def modify(copy: Copy) -> None:
    """A row, or what the log itself says of it."""
    where = copy.any.randrange(RECORDS)
    choice = copy.any.randrange(4)
    if choice == 0:
        await copy.run("update trail_leaf set record = record || ' ' where seq = ?", where)
    elif choice == 1:
        await copy.run("update trail_leaf set hash = ? where seq = ?", bytes(32), where)
    elif choice == 2:
        column = copy.any.choice(["tool", "client", "person_id", "outcome", "origin", "detail", "connection_id", "day"])
        await copy.run(f"update call_record set {column} = 'other' where id = ?", await copy.one_of("call"))
    else:
        column = copy.any.choice(["event", "actor", "person_id", "object", "organization_id"])
        await copy.run(f"update trail_event set {column} = 'other' where seq = ?", await copy.one_of("event"))


async def delete(copy: Copy) -> None:
    """A record alone, or with its leaf: of the last one nothing would be left to miss, that is `truncate`."""
    kind = copy.any.choice(["call", "event"])
    reference, table, key = await copy.one_of(kind), "call_record" if kind == "call" else "trail_event", "id"
    await copy.run(f"delete from {table} where {key if kind == 'call' else 'seq'} = ?", reference)
    if copy.any.random() < 0.5:
        where = "kind = ? and reference = ? and seq < (select max(seq) from trail_leaf)"
        await copy.run(f"delete from trail_leaf where {where}", kind, reference)


async def reorder(copy: Copy) -> None:
    one, other = copy.any.sample(range(RECORDS), 2)
    for now, then in ((one, -2), (other, one), (-2, other)):
        await copy.run("update trail_leaf set seq = ? where seq = ?", then, now)
    if copy.any.random() < 0.5:
        await set_head(copy.run)


async def insert(copy: Copy) -> None:
    """A call or an event that never was; some with a leaf where nobody looks."""
    if copy.any.random() < 0.5:
        new = f"call_zz{copy.any.randrange(10**9)}"
        columns = ", ".join(str(name) for _, name, *_ in await copy.run("pragma table_info(call_record)"))
        values = columns.replace("id, started_at", f"'{new}', started_at", 1)
        await copy.run(f"insert into call_record ({columns}) select {values} from call_record limit 1")
        if copy.any.random() < 0.5:
            await copy.run(
                "insert into trail_leaf select -1, kind, ?, hash, record from trail_leaf where kind = 'call' limit 1",
                new,
            )
    else:
        await copy.run(
            "insert into trail_event (at, event, actor, organization_id, person_id, object, detail)"
            " select at, event, actor, organization_id, person_id, object, detail from trail_event limit 1"
        )


async def truncate(copy: Copy) -> None:
    await cut_short(copy.run, copy.any.randrange(RECORDS))


async def fork(copy: Copy) -> None:
    await rewrite(copy.run, copy.any.randrange(RECORDS))


async def swap_checkpoint(copy: Copy) -> None:
    one, other = copy.any.sample([1, 2, 3], 2)
    notes: dict[object, object] = dict(await copy.run("select number, note from trail_checkpoint"))  # type: ignore[arg-type]  # pairs
    await copy.run("update trail_checkpoint set note = ? where number = ?", notes[other], one)
    if copy.any.random() < 0.5:
        await copy.run("update trail_checkpoint set note = ? where number = ?", notes[one], other)


async def forge_signature(copy: Copy) -> None:
    """One letter of a signature, or a whole note by another key of the same name."""
    number = copy.any.choice([1, 2, 3])
    ((note, size, root),) = await copy.run("select note, size, root from trail_checkpoint where number = ?", number)
    forged = TestSigner().note(int(str(size)), bytes(root))  # type: ignore[call-overload]  # SQLite gives bytes
    if copy.any.random() < 0.5:
        text = str(note)
        at = text.rindex(" ") + copy.any.randrange(10, 80)
        forged = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    await copy.run("update trail_checkpoint set note = ? where number = ?", forged, number)


async def edit_payload(copy: Copy) -> None:
    choice = copy.any.randrange(3)
    if choice == 2:
        await copy.run("""update trail_event set detail = '{"n":-1}' where seq = ?""", await copy.one_of("event"))
        return
    column = copy.any.choice(["request", "response"])
    value = b"other" if choice else None
    await copy.run(f"update call_record set {column} = ? where id = ?", value, await copy.one_of("call"))


TAMPERING: dict[Callable[[Copy], Awaitable[None]], int] = {
    modify: 12,
    delete: 13,
    reorder: 13,
    insert: 13,
    truncate: 14,
    fork: 15,
    swap_checkpoint: 16,
    forge_signature: 16,
    edit_payload: 12,
}


@pytest.fixture
async def original(tmp_path: Path, sqlite_database: Database, clock: FakeClock) -> tuple[Path, Log]:
    log = await log_on(sqlite_database, clock)
    for _ in range(3):
        await log.write(RECORDS // 3)
        await log.checkpoints.make()
    await sqlite_database.truncate_log()
    return tmp_path / "valetkey.db", log


async def detected(original: Path, log: Log, tamper: Callable[[Copy], Awaitable[None]], seed: int) -> Report:
    path = original.with_name("copy.db")
    shutil.copyfile(original, path)
    copy = Copy(path, random.Random(seed))
    await tamper(copy)
    copy.close()
    database = Database.read_only(path)
    report = await verify(database, Against(keys=(log.signer.verifier_key,)))
    await database.close()
    return report


@pytest.mark.parametrize("tamper", TAMPERING, ids=lambda tamper: tamper.__name__)
async def test_every_tampering_is_detected_with_its_own_exit_code(
    tamper: Callable[[Copy], Awaitable[None]], original: tuple[Path, Log]
) -> None:
    """T14, ten of each kind; the long run does two hundred."""
    await play(tamper, original, range(10))


@pytest.mark.long
@pytest.mark.parametrize("tamper", TAMPERING, ids=lambda tamper: tamper.__name__)
async def test_two_hundred_of_every_tampering_are_detected(
    tamper: Callable[[Copy], Awaitable[None]], original: tuple[Path, Log]
) -> None:
    await play(tamper, original, range(200))


async def play(tamper: Callable[[Copy], Awaitable[None]], original: tuple[Path, Log], seeds: range) -> None:
    path, log = original
    wrong = []
    for seed in seeds:
        report = await detected(path, log, tamper, seed)
        if report.exit_code != TAMPERING[tamper]:
            wrong.append((seed, report.exit_code, report.findings[:2]))

    assert wrong == []


async def test_a_head_that_is_not_the_root_is_noticed(original: tuple[Path, Log]) -> None:
    async def another_head(copy: Copy) -> None:
        await copy.run("update trail_head set peaks = zeroblob(length(peaks))")

    (finding,) = (await detected(*original, another_head, 0)).findings
    assert (finding.fault, finding.says) == (Fault.FORKED, "The log's head is not the root over its records.")


async def test_verifying_goes_on_beside_calls_and_deletions(log: Log) -> None:
    """What is deleted while it looks has its record beyond where it began to look."""
    done = asyncio.Event()

    async def go_on() -> None:
        records = CallRecords(log.database)
        while not done.is_set():
            await log.write(3, person="per_grace")
            await records.delete_for_person("per_grace")
            await records.delete_for_person("per_ada")

    beside = asyncio.create_task(go_on())
    reports = [await log.look()]
    while len(reports) < 10 or reports[-1].size < 2 * RECORDS:
        reports.append(await log.look())
        await asyncio.sleep(0.01)
    done.set()
    await beside

    assert {report.findings for report in reports} == {()}


async def test_a_missing_checkpoint_is_a_gap(original: tuple[Path, Log]) -> None:
    async def take_one(copy: Copy) -> None:
        await copy.run("delete from trail_checkpoint where number = 2")

    assert (await detected(*original, take_one, 0)).exit_code == 17
