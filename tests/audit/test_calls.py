"""Exactly one record per call, whatever happens to the call, to the process, to the disk or to the database (S-09)."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.audit.conftest import intent, let_go_before
from tests.conftest import FakeClock
from valetkey.audit import calls as calls_module
from valetkey.audit import repository
from valetkey.audit.calls import CallLog
from valetkey.audit.journal import MAGIC, Journal, write_zeros
from valetkey.audit.model import CallEnding, CallRecord, Everyone, OfOrganization, OfPerson, Outcome, Wanted
from valetkey.audit.repository import CallRecords
from valetkey.kernel.errors import Conflict, NotFound, NotRecorded
from valetkey.store.database import Database
from valetkey.store.schema import call_record, trail_head, trail_leaf

ADA = OfPerson("per_ada")


async def everything(database: Database) -> Sequence[CallRecord]:
    """Oldest first."""
    return list(reversed(await CallRecords(database).list(Everyone(), limit=100_000)))


def journal_size(directory: Path) -> int:
    """Bytes of records in all files, without each file's magic."""
    return sum(len(path.read_bytes().rstrip(b"\0")) - len(MAGIC) for path in directory.glob("*.journal"))


# --- one call -----------------------------------------------------------------------------------------------------


async def test_a_finished_call_is_kept_with_everything_known_of_it(
    log: CallLog, database: Database, clock: FakeClock
) -> None:
    begun = intent(clock, label="work")
    call = log.begin(begun)
    clock.advance(1.5)
    call.finish(
        Outcome.TOOL_ERROR,
        rule="switched on",
        detail="isError",
        origin="https://mcp.example.com",
        response=b"sealed response",
        response_bytes=9,
        tool_class="W",
    )
    await log.flush()

    record = await CallRecords(database).find(begun.id, ADA)

    assert record == CallRecord(
        id=begun.id,
        started_at=begun.started_at,
        organization_id="org_1",
        person_id="per_ada",
        client="Claude Code",
        connector="github",
        connection_id="con_1",
        label="work",
        method="tools/call",
        tool="get_issue",
        outcome=Outcome.TOOL_ERROR,
        rule="switched on",
        detail="isError",
        origin="https://mcp.example.com",
        duration_us=1_500_000,
        request_bytes=7,
        response_bytes=9,
        day="2026-11-22",
        request=b"sealed request",
        response=b"sealed response",
        tool_class="W",
    )


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome != Outcome.INTERRUPTED])
async def test_every_outcome_makes_one_record(
    small_log: CallLog, sqlite_database: Database, clock: FakeClock, outcome: Outcome
) -> None:
    small_log.begin(intent(clock)).finish(outcome)
    await small_log.flush()

    assert [record.outcome for record in await everything(sqlite_database)] == [outcome]


async def test_a_call_is_not_finished_twice(small_log: CallLog, sqlite_database: Database, clock: FakeClock) -> None:
    call = small_log.begin(intent(clock))
    call.finish(Outcome.OK)

    with pytest.raises(Conflict):
        call.finish(Outcome.FAILED)
    await small_log.flush()

    assert [record.outcome for record in await everything(sqlite_database)] == [Outcome.OK]


@pytest.mark.parametrize(
    ("raised", "outcome", "detail"),
    [
        (asyncio.CancelledError(), Outcome.CANCELLED, ""),
        (TimeoutError("Bearer abc"), Outcome.TIMEOUT, ""),
        (KeyError("Bearer abc"), Outcome.FAILED, "KeyError"),
        (None, Outcome.FAILED, "left without an outcome"),
    ],
)
async def test_a_call_that_is_left_is_recorded_as_it_was_left(
    small_log: CallLog,
    sqlite_database: Database,
    clock: FakeClock,
    raised: BaseException | None,
    outcome: Outcome,
    detail: str,
) -> None:
    async def one_call() -> None:
        with small_log.begin(intent(clock)):
            if raised is not None:
                raise raised

    if raised is None:
        await one_call()
    else:
        with pytest.raises(type(raised)):
            await one_call()
    await small_log.flush()

    assert [(record.outcome, record.detail) for record in await everything(sqlite_database)] == [(outcome, detail)]


async def test_a_record_reaches_the_database_without_being_asked(
    small_log: CallLog, sqlite_database: Database, clock: FakeClock
) -> None:
    small_log.begin(intent(clock)).finish(Outcome.OK)

    async with asyncio.timeout(10):
        while not await everything(sqlite_database):
            await asyncio.sleep(0.01)


async def test_many_calls_make_as_many_records_in_their_order(
    log: CallLog, database: Database, clock: FakeClock
) -> None:
    """More than one batch, of sizes that no single statement has, finished out of order."""
    begun = [intent(clock, id=f"call_{number:05}", tool=f"t{number}") for number in range(1_337)]
    calls = [log.begin(one) for one in begun]
    for call in reversed(calls):
        call.finish(Outcome.OK, response=b"r" * 50)
    await log.flush()

    kept = await everything(database)

    assert [(record.id, record.tool) for record in kept] == [(one.id, one.tool) for one in begun]


async def test_the_journal_is_empty_when_the_database_has_everything(
    small_log: CallLog, journal_dir: Path, clock: FakeClock
) -> None:
    call = small_log.begin(intent(clock))
    assert b"sealed request" in b"".join(path.read_bytes() for path in journal_dir.iterdir())
    call.finish(Outcome.OK)
    await small_log.flush()

    async with asyncio.timeout(10):
        while journal_size(journal_dir):
            await asyncio.sleep(0.01)


NASTY = [
    "",
    "\0",
    "a\0b" * 300,
    "\ud800",
    "\udfff" * 400,
    "ä" * 1_000,
    "\U0001f511" * 400,
    "\u202e\x1b[31m",
    "x" * 99_999,
]


async def test_no_text_from_outside_stops_a_record(log: CallLog, database: Database, clock: FakeClock) -> None:
    """Too long, U+0000 (which PostgreSQL refuses), lone surrogates: kept as far as the column can."""
    fields = itertools.product(NASTY, ("client", "method", "tool", "label", "connector"))
    begun = [intent(clock, **{field: text}) for text, field in fields]
    for call in [log.begin(one) for one in begun]:
        call.finish(Outcome.OK)
    for text in NASTY:
        begun.append(intent(clock))
        log.begin(begun[-1]).finish(Outcome.OK, rule=text, detail=text, origin=text)
    await asyncio.wait_for(log.flush(), 30)

    kept = {record.id: record for record in await everything(database)}

    assert kept.keys() == {one.id for one in begun}
    for one in begun:
        expected = one.tool.encode(errors="replace").decode().replace("\0", "�")[:255]
        assert kept[one.id].tool == expected


# --- the process dies ---------------------------------------------------------------------------------------------

PROGRAM = """
import asyncio, sys
from pathlib import Path
from valetkey.audit.calls import CallLog
from valetkey.audit.model import CallIntent, Outcome
from valetkey.kernel.clock import SystemClock
from valetkey.store.database import Database

async def main():
    clock = SystemClock()
    data = Path(sys.argv[1])
    log = CallLog(Database.sqlite(data / "valetkey.db"), data / "journal", clock)
    await log.start()
    if sys.argv[2] == "unwritten":
        log._write_forever = None
        log._writer.cancel()  # the database is too slow for what follows
        await asyncio.sleep(0)
    for number in range(20):
        call = log.begin(CallIntent(
            id=f"call_{number:03}", started_at=clock.now(), organization_id="org_1", person_id="per_ada", client="c",
            connector="github", connection_id="con_1", label="", method="tools/call", tool="t", day="2026-11-22",
            request_bytes=1, request=b"sealed %d" % number))
        if number % 3:
            call.finish(Outcome.OK, response=b"answer %d" % number)
    if sys.argv[2] == "written":
        await log.flush()
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def killed(data: Path, mode: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(data), mode], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("mode", ["unwritten", "written"])
async def test_after_kill_9_every_call_has_one_record_and_the_unfinished_are_interrupted(
    sqlite_database: Database, tmp_path: Path, clock: FakeClock, mode: str
) -> None:
    killed(tmp_path, mode)

    for _ in range(2):  # starting twice changes nothing
        log = CallLog(sqlite_database, tmp_path / "journal", clock)
        await log.start()
        await log.stop()

    kept = await everything(sqlite_database)
    assert [record.id for record in kept] == [f"call_{number:03}" for number in range(20)]
    for number, record in enumerate(kept):
        whole = await CallRecords(sqlite_database).find(record.id, ADA)
        assert whole.request == b"sealed %d" % number
        assert (whole.outcome, whole.response) == (
            (Outcome.OK, b"answer %d" % number) if number % 3 else (Outcome.INTERRUPTED, None)
        )
    assert list((tmp_path / "journal").iterdir()) == []


async def test_the_journal_of_a_living_process_is_not_replayed(
    small_log: CallLog, sqlite_database: Database, journal_dir: Path, clock: FakeClock
) -> None:
    call = small_log.begin(intent(clock))

    other = CallLog(sqlite_database, journal_dir, clock)
    await other.start()
    await other.stop()

    assert await everything(sqlite_database) == []
    call.finish(Outcome.OK)
    await small_log.flush()
    assert [record.outcome for record in await everything(sqlite_database)] == [Outcome.OK]


def left_by_a_dead_process(journal_dir: Path, clock: FakeClock, *, calls: int) -> Path:
    """A journal with `calls` finished calls that no process holds."""
    journal_dir.mkdir(exist_ok=True)
    journal = Journal(journal_dir)
    journal.open()
    for number in range(calls):
        begun = intent(clock, id=f"call_{number:03}")
        journal.append(calls_module._encode(begun))
        ending = CallEnding(id=begun.id, outcome=Outcome.OK, response=b"r")
        journal.append(calls_module._encode(ending))
    journal.close()
    return next(journal_dir.glob("*.journal"))


async def replayed(database: Database, journal_dir: Path, clock: FakeClock) -> Sequence[CallRecord]:
    log = CallLog(database, journal_dir, clock)
    await log.start()
    await log.stop()
    return await everything(database)


async def test_a_tail_torn_at_any_byte_loses_the_torn_record_only(
    sqlite_database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    whole = left_by_a_dead_process(tmp_path / "whole", clock, calls=2).read_bytes()

    for size in range(len(whole)):
        directory = tmp_path / f"torn{size}"
        directory.mkdir()
        (directory / "jnl_1.journal").write_bytes(whole[:size])
        kept = await replayed(sqlite_database, directory, clock)
        outcomes = [record.outcome for record in kept]
        # Frames in order: begin 0, end 0, begin 1, end 1; the last is torn in every case.
        assert outcomes in ([], [Outcome.INTERRUPTED], [Outcome.OK], [Outcome.OK, Outcome.INTERRUPTED])
        assert list(directory.iterdir()) == []
        async with sqlite_database.write() as tx:  # as if it had never been: what has a leaf is not replayed
            await tx.execute(call_record.delete())
            await tx.execute(trail_leaf.delete())
            await tx.execute(trail_head.update().values(size=0, peaks=b""))


@pytest.mark.parametrize("garbage", [bytes(4096), b"\xff" * 100, b"\x05\0\0\0abc"])
async def test_what_power_loss_leaves_after_the_last_record_does_no_harm(
    sqlite_database: Database, journal_dir: Path, clock: FakeClock, garbage: bytes
) -> None:
    path = left_by_a_dead_process(journal_dir, clock, calls=3)
    path.write_bytes(path.read_bytes() + garbage)

    assert len(await replayed(sqlite_database, journal_dir, clock)) == 3
    assert list(journal_dir.iterdir()) == []


async def test_a_journal_damaged_in_the_middle_is_kept_aside(
    sqlite_database: Database, journal_dir: Path, clock: FakeClock
) -> None:
    path = left_by_a_dead_process(journal_dir, clock, calls=5)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    kept = await replayed(sqlite_database, journal_dir, clock)

    assert 0 < len(kept) < 5
    assert [found.suffix for found in journal_dir.iterdir()] == [".damaged"]


async def test_a_call_begun_in_one_file_and_ended_in_the_next_is_one_record(
    sqlite_database: Database, journal_dir: Path, clock: FakeClock
) -> None:
    journal_dir.mkdir()
    journal = Journal(journal_dir)
    journal.open()
    begun = intent(clock)
    journal.append(calls_module._encode(begun))
    journal._roll()
    journal.append(calls_module._encode(CallEnding(id=begun.id, outcome=Outcome.OK)))
    journal.close()
    assert len(list(journal_dir.iterdir())) == 2

    kept = await replayed(sqlite_database, journal_dir, clock)

    assert [(record.id, record.outcome) for record in kept] == [(begun.id, Outcome.OK)]


async def test_a_replay_cut_off_is_done_again_without_duplicates(
    sqlite_database: Database, journal_dir: Path, clock: FakeClock, tmp_path: Path
) -> None:
    """The batch reached the database, then we died before the file was removed; also a later, fuller answer stays."""
    path = left_by_a_dead_process(journal_dir, clock, calls=700)
    content = path.read_bytes()
    first = await replayed(sqlite_database, journal_dir, clock)

    path.write_bytes(content)
    again = await replayed(sqlite_database, journal_dir, clock)

    assert len(first) == 700
    assert again == first


# --- the database fails -------------------------------------------------------------------------------------------


class Failing:
    """A database that refuses writes while `is_down`, at the edge: what is asked of it otherwise is real."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_down = False
        self.refused = 0

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.write() as tx:
            yield tx
            if self.is_down:  # after the statements: the whole batch is rolled back
                self.refused += 1
                raise OperationalError("insert", {}, OSError("down"))


async def test_while_the_database_is_down_records_wait_and_none_is_lost_or_doubled(
    database: Database, journal_dir: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_module, "_RETRY", 0.01)
    failing = Failing(database)
    log = CallLog(failing, journal_dir, clock)  # type: ignore[arg-type]  # the one verb that the log uses
    await log.start()
    failing.is_down = True
    for number in range(30):
        log.begin(intent(clock, id=f"call_{number:03}")).finish(Outcome.OK)

    async with asyncio.timeout(20):
        while failing.refused < 3:
            await asyncio.sleep(0.01)
    assert await everything(database) == []
    failing.is_down = False
    await log.flush()

    assert len(await everything(database)) == 30
    await log.stop()


async def test_what_the_database_never_took_is_replayed_at_the_next_start(
    sqlite_database: Database, journal_dir: Path, clock: FakeClock
) -> None:
    failing = Failing(sqlite_database)
    log = CallLog(failing, journal_dir, clock)  # type: ignore[arg-type]
    await log.start()
    failing.is_down = True
    log.begin(intent(clock, id="call_done")).finish(Outcome.OK, response=b"r")
    log.begin(intent(clock, id="call_open"))
    await log.stop()

    kept = await replayed(sqlite_database, journal_dir, clock)

    assert [(record.id, record.outcome) for record in kept] == [
        ("call_done", Outcome.OK),
        ("call_open", Outcome.INTERRUPTED),
    ]


@pytest.mark.parametrize(("limit", "value"), [("_MOST_WAITING", 10), ("_MOST_BYTES", 140)])
async def test_when_too_much_waits_no_further_call_is_made(
    sqlite_database: Database,
    journal_dir: Path,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
) -> None:
    monkeypatch.setattr(calls_module, limit, value)
    failing = Failing(sqlite_database)
    log = CallLog(failing, journal_dir, clock)  # type: ignore[arg-type]
    await log.start()
    failing.is_down = True
    for _ in range(10):
        log.begin(intent(clock)).finish(Outcome.OK)

    with pytest.raises(NotRecorded):
        log.begin(intent(clock))
    failing.is_down = False
    await log.flush()

    log.begin(intent(clock)).finish(Outcome.OK)
    await log.stop()
    assert len(await everything(sqlite_database)) == 11


async def test_a_call_waits_for_room_in_a_full_log(
    sqlite_database: Database, journal_dir: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rush is slowed down to what the database takes; only when that takes too long there is no room after all."""
    monkeypatch.setattr(calls_module, "_MOST_WAITING", 10)
    monkeypatch.setattr(calls_module, "_RETRY", 0.01)
    failing = Failing(sqlite_database)
    log = CallLog(failing, journal_dir, clock)  # type: ignore[arg-type]
    await log.start()
    failing.is_down = True
    for _ in range(10):
        log.begin(intent(clock)).finish(Outcome.OK)
    assert log.is_full

    waiting = asyncio.create_task(log.room())
    async with asyncio.timeout(20):
        while not failing.refused:
            await asyncio.sleep(0.01)
    assert not waiting.done()
    failing.is_down = False
    await waiting
    log.begin(intent(clock)).finish(Outcome.OK)

    monkeypatch.setattr(calls_module, "_PATIENCE", 0.01)
    monkeypatch.setattr(calls_module, "_MOST_WAITING", 0)
    await log.room()
    with pytest.raises(NotRecorded):
        log.begin(intent(clock))
    await log.stop()


async def test_records_keep_company_on_their_way_to_the_database(
    small_log: CallLog, sqlite_database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls that end while a batch is written are no reason for a transaction of their own."""
    batches: list[int] = []
    insert = repository.insert_calls

    async def counting(tx: AsyncConnection, calls: Sequence[Any], *, again: bool = False) -> None:
        small_log.begin(intent(clock)).finish(Outcome.OK)
        batches.append(len(calls))
        await insert(tx, calls, again=again)

    monkeypatch.setattr(repository, "insert_calls", counting)
    small_log.begin(intent(clock)).finish(Outcome.OK)
    async with asyncio.timeout(10):
        while len(batches) < 3:
            await asyncio.sleep(0)
    beginning = time.monotonic()
    async with asyncio.timeout(10):
        while len(batches) < 6:
            await asyncio.sleep(0)

    assert time.monotonic() - beginning > 2.5 * calls_module._GATHER


# --- the disk fails -----------------------------------------------------------------------------------------------


async def test_on_a_full_disk_no_call_is_made(
    sqlite_database: Database, journal_dir: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel itself refuses the room (RLIMIT_FSIZE)."""
    monkeypatch.setattr("valetkey.audit.journal._RESERVED_AT_ONCE", 200)
    log = CallLog(sqlite_database, journal_dir, clock, journal=Journal(journal_dir, reserve=write_zeros))
    await log.start()
    first = log.begin(intent(clock))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (40, 0):
        resource.setrlimit(resource.RLIMIT_FSIZE, (journal_size(journal_dir) + room, hard))
        try:
            with pytest.raises(NotRecorded, match="File too large"):
                log.begin(intent(clock))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    second = log.begin(intent(clock))
    first.finish(Outcome.OK)
    second.finish(Outcome.OK)
    await log.stop()

    assert len(await everything(sqlite_database)) == 2


class Disk:
    """Stands for the file system's room; none is left from the moment it is told."""

    def __init__(self) -> None:
        self.is_full = False

    def reserve(self, descriptor: int, at: int, length: int) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.posix_fallocate(descriptor, at, length)


async def test_a_call_made_before_the_disk_was_full_is_still_recorded(
    sqlite_database: Database, journal_dir: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("valetkey.audit.journal._RESERVED_AT_ONCE", 200)
    disk = Disk()
    log = CallLog(sqlite_database, journal_dir, clock, journal=Journal(journal_dir, reserve=disk.reserve))
    await log.start()
    call = log.begin(intent(clock))
    disk.is_full = True

    call.finish(Outcome.OK, response=b"r" * 200)
    with pytest.raises(NotRecorded, match="No space left"):
        log.begin(intent(clock))
    await log.flush()

    assert [record.outcome for record in await everything(sqlite_database)] == [Outcome.OK]
    await log.stop()


async def test_a_record_larger_than_a_file_gets_one_of_its_own(
    small_log: CallLog, sqlite_database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("valetkey.audit.journal._ROLL_AT", 2_000)
    small_log._journal._roll()
    large = os.urandom(1024 * 1024)

    call = small_log.begin(intent(clock, request=large))
    call.finish(Outcome.OK)
    await small_log.flush()

    assert (await CallRecords(sqlite_database).find(call.intent.id, ADA)).request == large


async def test_a_record_that_was_half_copied_when_we_died_is_the_only_one_lost(
    sqlite_database: Database, journal_dir: Path, clock: FakeClock
) -> None:
    """After it there are zeros as far as room was reserved: no sign of damage."""
    path = left_by_a_dead_process(journal_dir, clock, calls=3)
    path.write_bytes(path.read_bytes()[:-4] + bytes(300_000))

    kept = await replayed(sqlite_database, journal_dir, clock)

    assert [record.outcome for record in kept] == [Outcome.OK, Outcome.OK, Outcome.INTERRUPTED]
    assert list(journal_dir.iterdir()) == []


async def test_a_journal_file_that_failed_is_not_trusted_again(
    small_log: CallLog, sqlite_database: Database, journal_dir: Path, clock: FakeClock
) -> None:
    """After a failed fsync the kernel may say "fine" the next time though the pages are gone."""
    failed = small_log.begin(intent(clock))
    small_log._journal._broken = "the disk failed (Input/output error)"

    other = small_log.begin(intent(clock))

    assert other.segment is not failed.segment
    failed.finish(Outcome.OK)
    other.finish(Outcome.OK)
    await small_log.flush()
    assert len(await everything(sqlite_database)) == 2


async def test_a_log_that_is_not_open_makes_no_calls(
    sqlite_database: Database, journal_dir: Path, clock: FakeClock
) -> None:
    log = CallLog(sqlite_database, journal_dir, clock)
    with pytest.raises(NotRecorded):
        log.begin(intent(clock))
    await log.start()
    await log.stop()

    with pytest.raises(NotRecorded):
        log.begin(intent(clock))


async def test_settling_waits_for_the_disk(small_log: CallLog, clock: FakeClock) -> None:
    segment = small_log.begin(intent(clock)).segment
    assert segment.is_dirty

    await small_log.settle()

    assert not segment.is_dirty


async def test_the_disk_has_a_record_soon_without_being_asked(small_log: CallLog, clock: FakeClock) -> None:
    segment = small_log.begin(intent(clock)).segment

    async with asyncio.timeout(10):
        while segment.is_dirty:
            await asyncio.sleep(0.005)


async def test_long_journals_are_cut_into_files_and_these_removed_when_done(
    small_log: CallLog, sqlite_database: Database, journal_dir: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("valetkey.audit.journal._ROLL_AT", 2_000)
    long_call = small_log.begin(intent(clock, id="call_a"))
    for number in range(40):
        small_log.begin(intent(clock, id=f"call_b{number:02}")).finish(Outcome.OK, response=b"r" * 100)
        await small_log.flush()

    assert len(list(journal_dir.iterdir())) >= 2
    long_call.finish(Outcome.OK)
    await small_log.flush()

    async with asyncio.timeout(10):
        while len(list(journal_dir.iterdir())) > 1 or journal_size(journal_dir):
            await asyncio.sleep(0.01)
    assert len(await everything(sqlite_database)) == 41


# --- reading ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def some_calls(log: CallLog, clock: FakeClock) -> list[str]:
    made = []
    for number in range(12):
        begun = intent(
            clock,
            id=f"call_{number:03}",
            person_id="per_bob" if number % 4 == 3 else "per_ada",
            organization_id="org_2" if number >= 8 else "org_1",
            connector="notion" if number % 2 else "github",
            connection_id=f"con_{number % 2}",
            tool="search" if number % 3 else "get_issue",
            client="Claude Code" if number % 5 else "50%_Cursor",
            started_at=clock.now() + timedelta(days=number),
        )
        log.begin(begun).finish(
            Outcome.OK if number % 5 else Outcome.REFUSED, response=b"r", tool_class="R" if number % 2 else "H"
        )
        made.append(begun.id)
    await log.flush()
    return made


async def test_a_person_sees_their_own_calls_newest_first_in_pages(database: Database, some_calls: list[str]) -> None:
    records = CallRecords(database)

    first = await records.list(ADA, limit=4)
    second = await records.list(ADA, before=first[-1].id, limit=100)

    numbers = [int(record.id[-3:]) for record in [*first, *second]]
    assert numbers == [10, 9, 8, 6, 5, 4, 2, 1, 0]
    assert {record.person_id for record in [*first, *second]} == {"per_ada"}


async def test_filters_leave_what_fits(database: Database, clock: FakeClock, some_calls: list[str]) -> None:
    records = CallRecords(database)

    async def numbers(**filters: Any) -> list[int]:
        return [int(record.id[-3:]) for record in await records.list(ADA, wanted=Wanted(**filters))]

    assert await numbers(connector="notion") == [9, 5, 1]
    assert await numbers(tool="get_issue") == [9, 6, 0]
    assert await numbers(outcome=Outcome.REFUSED) == [10, 5, 0]
    assert await numbers(connector="github", tool="search", outcome=Outcome.OK) == [8, 4, 2]
    assert await numbers(tool_class="R") == [9, 5, 1]
    assert await numbers(client="claude", tool_class="R") == [9, 1]
    assert await numbers(client="%_c") == [10, 5, 0]
    assert await numbers(client="%%") == []
    began = (await records.list(ADA, limit=100))[-1].started_at
    assert await numbers(since=began + timedelta(days=2), until=began + timedelta(days=5)) == [4, 2]


async def test_payloads_come_out_for_their_own_person_only_and_not_in_listings(
    database: Database, some_calls: list[str]
) -> None:
    records = CallRecords(database)

    assert (await records.find("call_000", ADA)).request == b"sealed request"
    for scope in (OfOrganization("org_1"), Everyone()):
        seen = await records.find("call_000", scope)
        assert (seen.request, seen.response, seen.tool) == (None, None, "get_issue")
    assert all(record.request is None for record in await records.list(ADA))


async def test_somebody_elses_call_is_not_found_in_the_same_words(database: Database, some_calls: list[str]) -> None:
    records = CallRecords(database)
    answers = []

    for call_id, scope in (
        ("call_003", ADA),
        ("call_none", ADA),
        ("call_000", OfPerson("per_bob")),
        ("call_000", OfOrganization("org_2")),
    ):
        with pytest.raises(NotFound) as caught:
            await records.find(call_id, scope)
        answers.append(str(caught.value))

    assert len(set(answers)) == 1


async def test_every_use_of_a_connection_is_listed(database: Database, some_calls: list[str]) -> None:
    listed = await CallRecords(database).list_for_connection("con_1", ADA)

    assert [int(record.id[-3:]) for record in listed] == [9, 5, 1]


async def test_an_organization_sees_its_own_and_no_payload(database: Database, some_calls: list[str]) -> None:
    listed = await CallRecords(database).list(OfOrganization("org_2"))

    assert [int(record.id[-3:]) for record in listed] == [11, 10, 9, 8]


async def test_erasure_and_retention_delete_what_they_name(
    database: Database, some_calls: list[str], clock: FakeClock
) -> None:
    records = CallRecords(database)

    assert await records.delete_for_person("per_bob") == 3
    assert await let_go_before(database, clock.now() + timedelta(days=5)) == 4

    assert [int(record.id[-3:]) for record in await everything(database)] == [5, 6, 8, 9, 10]


class Silent:
    """A database that takes a transaction and never answers: a network that drops what it gets."""

    @asynccontextmanager
    async def write(self) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield


async def test_a_database_that_does_not_answer_holds_up_no_stop_and_the_next_start_brings_the_records(
    sqlite_database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    stuck = CallLog(Silent(), tmp_path / "journal", clock, last_words=0.05)  # type: ignore[arg-type]  # stands for one
    await stuck.start()
    begun = intent(clock)
    stuck.begin(begun).finish(Outcome.OK)

    async with asyncio.timeout(5):
        await stuck.stop()

    again = CallLog(sqlite_database, tmp_path / "journal", clock)
    await again.start()
    assert [one.id for one in await everything(sqlite_database)] == [begun.id]
    await again.stop()
