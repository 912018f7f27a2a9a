"""Both engines keep what was committed, forget what was not, and refuse what would be read wrongly later."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, literal, select
from sqlalchemy.exc import StatementError

from tests.conftest import FakeClock
from valetkey.kernel.errors import BadInput, StartRefused
from valetkey.store.database import Database
from valetkey.store.migrations import migrate
from valetkey.store.schema import lease, main, organization
from valetkey.store.types import Json


async def _count(database: Database) -> int:
    async with database.read() as tx:
        return (await tx.execute(select(func.count()).select_from(organization))).scalar_one()


def _row(name: str, at: datetime) -> dict[str, object]:
    return {"id": name, "name": name, "kind": "organization", "created_at": at}


async def test_a_failed_transaction_leaves_nothing_behind(database: Database, clock: FakeClock) -> None:
    async def add_and_fail() -> None:
        async with database.write() as tx:
            await tx.execute(insert(organization).values(_row("org_1", clock.now())))
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError):
        await add_and_fail()

    assert await _count(database) == 0


async def test_a_text_that_postgresql_cannot_keep_is_the_fault_of_who_sent_it(database: Database) -> None:
    """U+0000, in a text and in JSON; SQLite takes both."""
    wrong: list[str] = []

    for what in (literal("a\0b"), literal({"a": "\0"}, Json)):
        try:
            async with database.read() as tx:
                await tx.execute(select(what))
        except BadInput as error:
            wrong.append(error.message)

    assert len(wrong) == (0 if database.dialect == "sqlite" else 2)
    assert await _count(database) == 0  # the connection is good for others


async def test_many_writers_at_once_all_get_their_turn(database: Database, clock: FakeClock) -> None:
    async def add(number: int) -> None:
        async with database.write() as tx:
            await tx.execute(insert(organization).values(_row(f"org_{number}", clock.now())))

    await asyncio.gather(*(add(number) for number in range(40)))

    assert await _count(database) == 40


async def test_a_reader_is_not_held_up_by_an_open_writer(database: Database, clock: FakeClock) -> None:
    async with database.write() as tx:
        await tx.execute(insert(organization).values(_row("org_1", clock.now())))

        assert await asyncio.wait_for(_count(database), timeout=5) == 0

    assert await _count(database) == 1


async def test_who_is_canceled_while_a_file_opens_waits_and_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, connect = threading.Event(), threading.Event(), sqlite3.connect
    made: list[sqlite3.Connection] = []

    def slowly(*where: Any, **how: Any) -> sqlite3.Connection:
        begun.set()
        go_on.wait(5)
        made.append(connect(*where, **how | {"check_same_thread": False}))
        return made[0]

    database = Database.sqlite(tmp_path / "slow.db")
    monkeypatch.setattr(sqlite3, "connect", slowly)
    asking = asyncio.create_task(database.ping())
    await asyncio.to_thread(begun.wait, 5)
    asking.cancel()
    done, _ = await asyncio.wait({asking}, timeout=0.02)

    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await database.close()

    assert not done
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        made[0].execute("select 1")


async def test_closing_waits_for_whoever_is_still_inside_and_lets_nobody_in_anymore(tmp_path: Path) -> None:
    database = Database.sqlite(tmp_path / "some.db")
    inside, leave = asyncio.Event(), asyncio.Event()

    async def linger() -> None:
        async with database.read():
            inside.set()
            await leave.wait()

    lingering = asyncio.create_task(linger())
    await inside.wait()
    closing = asyncio.create_task(database.close())
    await asyncio.wait({closing}, timeout=0.05)

    assert not closing.done()
    with pytest.raises(RuntimeError, match="closed"):
        await database.ping()
    leave.set()
    await asyncio.gather(lingering, closing)


async def test_an_instant_comes_back_to_the_microsecond_and_aware(database: Database) -> None:
    instant = datetime(2026, 11, 22, 1, 2, 3, 456789, tzinfo=UTC)
    async with database.write() as tx:
        await tx.execute(insert(lease).values(name="x", owner="", fence=0, until=instant))

    async with database.read() as tx:
        assert (await tx.execute(select(lease.c.until))).scalar_one() == instant


async def test_a_naive_datetime_is_refused(database: Database) -> None:
    naive = datetime(2026, 11, 22)  # noqa: DTZ001 (the point of the test)
    async with database.write() as tx:
        with pytest.raises(StatementError):
            await tx.execute(insert(lease).values(name="x", owner="", fence=0, until=naive))


@pytest.mark.parametrize("url", ["mysql://localhost/x", "nonsense", "sqlite://"])
def test_another_engine_is_refused_by_name(url: str) -> None:
    with pytest.raises(StartRefused):
        Database.open(url)


async def test_a_deleted_row_leaves_no_byte_in_any_file(tmp_path: Path, clock: FakeClock) -> None:
    """SQLite keeps deleted bytes in free pages and in its log unless told otherwise (security.md 2.8)."""
    database = Database.sqlite(tmp_path / "valetkey.db")
    await migrate(database, "main")
    canaries = [f"canary-{number:04d}-{'x' * 40}" for number in range(50)]
    async with database.write() as tx:
        for canary in canaries:
            await tx.execute(insert(lease).values(name=canary, owner="", fence=0, until=clock.now()))

    async with database.write() as tx:
        await tx.execute(lease.delete())
    await database.truncate_log()

    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [canary for canary in canaries if canary.encode() in content] == []
    await database.close()


async def test_the_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    database = Database.sqlite(tmp_path / "valetkey.db")
    await migrate(database, "main")

    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"0o600"}
    await database.close()


def test_every_table_has_a_primary_key() -> None:
    assert [table.name for table in main.sorted_tables if not table.primary_key.columns] == []


@pytest.mark.parametrize("odd", ["a\x00b", "a\ud800b"], ids=["nul", "half"])
async def test_a_text_that_cannot_be_kept_is_bad_input_and_nothing_is_written(
    database: Database, clock: FakeClock, odd: str
) -> None:
    """T48. SQLite does keep U+0000; where it does, it comes back as it was."""

    async def add() -> None:
        async with database.write() as tx:
            await tx.execute(insert(organization).values(_row("org_1", clock.now())))
            await tx.execute(insert(organization).values(_row("org_2", clock.now()) | {"name": odd}))

    async def find() -> list[str]:
        async with database.read() as tx:
            return list((await tx.execute(select(organization.c.name).where(organization.c.name == odd))).scalars())

    if database.dialect == "sqlite" and odd == "a\x00b":
        await add()
        assert await find() == [odd]
        return
    for act in (add, find):
        with pytest.raises(BadInput, match="cannot be kept"):
            await act()
    assert await _count(database) == 0
