"""The SQL of verifying: the log beside what it tells of, read as one instant, changing nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import String, and_, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.audit.leaves import CALL, DELETION, EVENT
from valetkey.audit.leaves import call_record as call_as_recorded
from valetkey.audit.leaves import event_record as event_as_recorded
from valetkey.store.database import Database
from valetkey.store.schema import call_record, trail_event, trail_head, trail_leaf

Reading = AsyncConnection
Contents = dict[tuple[str, str], dict[str, str | int]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Head:
    """`trail_head` as it is. Events and calls up to `events_before`, `calls_before` are older than the log."""

    size: int
    peaks: bytes
    events_before: int
    calls_before: str


@dataclass(frozen=True, slots=True)
class LeafRow:
    seq: int
    kind: str
    reference: str
    hash: bytes
    record: bytes


@asynccontextmanager
async def one_instant(database: Database) -> AsyncIterator[AsyncConnection]:
    """A reading transaction that sees nothing of what is written meanwhile."""
    async with database.read() as tx:
        if database.dialect == "postgresql":
            await tx.execute(text("set transaction isolation level repeatable read, read only"))
        yield tx


async def find_head(tx: AsyncConnection) -> Head | None:
    row = (await tx.execute(select(trail_head).where(trail_head.c.id == 1))).first()
    return (
        Head(_number(row.size), _bytes(row.peaks), _number(row.events_before), str(row.calls_before)) if row else None
    )


async def find_leaves(tx: AsyncConnection, start: int, limit: int) -> list[LeafRow]:
    """From number `start` on, in order."""
    query = select(trail_leaf).where(trail_leaf.c.seq >= start).order_by(trail_leaf.c.seq).limit(limit)
    rows = await tx.execute(query)
    return [_leaf(row) for row in rows]


async def find_leaf(tx: AsyncConnection, kind: str, reference: str) -> LeafRow | None:
    query = select(trail_leaf).where(trail_leaf.c.kind == kind, trail_leaf.c.reference == reference)
    row = (await tx.execute(query)).first()
    return _leaf(row) if row else None


async def find_end(tx: AsyncConnection) -> int:
    """The number after the last leaf's; 0 when there is none."""
    last = (await tx.execute(select(func.max(trail_leaf.c.seq)))).scalar()
    return 0 if last is None else max(0, int(last) + 1)


async def find_deletions(tx: AsyncConnection, *, start: int) -> list[LeafRow]:
    """From number `start` on, in order."""
    where = (trail_leaf.c.kind == DELETION, trail_leaf.c.seq >= start)
    query = select(trail_leaf).where(*where).order_by(trail_leaf.c.seq)
    rows = await tx.execute(query)
    return [_leaf(row) for row in rows]


async def find_contents(tx: AsyncConnection, leaves: Sequence[LeafRow]) -> Contents:
    """What the leaves tell of, as it lies in the tables now and as it would be recorded, by kind and reference.

    What cannot even be read any more, because somebody put something else there, has no fields.
    """
    try:
        return await _find_contents(tx, leaves)
    except (TypeError, ValueError, OverflowError, AttributeError):
        if len(leaves) == 1:
            return {(leaves[0].kind, leaves[0].reference): {}}
        found: Contents = {}
        for leaf in leaves:
            found |= await find_contents(tx, [leaf])
        return found


async def _find_contents(tx: AsyncConnection, leaves: Sequence[LeafRow]) -> Contents:
    contents: Contents = {}
    calls = [leaf.reference for leaf in leaves if leaf.kind == CALL]
    for row in (await tx.execute(select(call_record).where(call_record.c.id.in_(calls)))).mappings() if calls else ():
        columns = {**row, "outcome": str(row["outcome"])}
        columns |= {name: None if row[name] is None else _bytes(row[name]) for name in ("request", "response")}
        started_at = (row["started_at"] - _EPOCH) // _MICROSECOND
        contents[CALL, row["id"]] = call_as_recorded(columns, started_at=started_at)
    numbers = [int(leaf.reference) for leaf in leaves if leaf.kind == EVENT and leaf.reference.isdecimal()]
    query = select(trail_event).where(trail_event.c.seq.in_(numbers))
    for row in (await tx.execute(query)).mappings() if numbers else ():
        contents[EVENT, str(row["seq"])] = event_as_recorded(dict(row), at=(row["at"] - _EPOCH) // _MICROSECOND)
    return contents


async def find_smuggled(tx: AsyncConnection, head: Head) -> list[tuple[str, str]]:
    """Kind and reference of a call and an event that have no leaf: put in past the log. The first of each."""
    # A leaf before the first is none: nobody passes it on the way.
    of_call = and_(trail_leaf.c.seq >= 0, trail_leaf.c.kind == CALL, trail_leaf.c.reference == call_record.c.id)
    calls = (
        select(call_record.c.id)
        .outerjoin(trail_leaf, of_call)
        .where(trail_leaf.c.seq.is_(None), call_record.c.id > head.calls_before)
        .order_by(call_record.c.id)
        .limit(1)
    )
    of_event = and_(
        trail_leaf.c.seq >= 0, trail_leaf.c.kind == EVENT, trail_leaf.c.reference == cast(trail_event.c.seq, String)
    )
    events = (
        select(trail_event.c.seq)
        .outerjoin(trail_leaf, of_event)
        .where(trail_leaf.c.seq.is_(None), trail_event.c.seq > head.events_before)
        .order_by(trail_event.c.seq)
        .limit(1)
    )
    found = [(CALL, str(one)) for one in (await tx.execute(calls)).scalars()]
    return found + [(EVENT, str(one)) for one in (await tx.execute(events)).scalars()]


def _leaf(row: Any) -> LeafRow:
    return LeafRow(row.seq, str(row.kind), str(row.reference), _bytes(row.hash), _bytes(row.record))


def _bytes(value: Any) -> bytes:
    """What lies in a column for bytes; SQLite lets anything lie there, and whoever tampers may put it."""
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode(errors="replace")


def _number(value: Any) -> int:
    return value if isinstance(value, int) else -1
