"""The SQL of `call_record` and `trail_event`; whatever is written or deleted gets its leaf in the same transaction.

`call_record` is written in multi-row inserts of plain SQL: the statement is built once per size, since composing
500 rows anew costs more than writing them, and `executemany` hands the interpreter lock over at every row.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, delete, func, insert, null, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.audit import log_repository
from valetkey.audit.leaves import CALL, DELETION, EVENT, CallLeaf, Leaf, event_record, payload_hash
from valetkey.audit.merkle import Frontier
from valetkey.audit.model import (
    ALL_CALLS,
    ALL_EVENTS,
    CallEnding,
    CallIntent,
    CallRecord,
    EventsOf,
    Everyone,
    OfPerson,
    Outcome,
    Scope,
    TrailEvent,
    Wanted,
    WantedEvents,
)
from valetkey.kernel.errors import NotFound
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database
from valetkey.store.schema import call_record, trail_event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COLUMNS = [str(column.name) for column in call_record.columns]
_PAYLOADS = ("request", "response")
MOST_ROWS = 500
_SIZES = (MOST_ROWS, 250, 100, 50, 20, 10, 5, 2, 1)  # few, so that every statement stays prepared


async def insert_calls(
    tx: AsyncConnection, calls: Sequence[tuple[CallIntent, CallEnding]], *, again: bool = False
) -> None:
    """Writes finished calls; one that is there already is left as it is, so that a replay changes nothing.

    `again` when they may have been written before: what has a leaf is left out, even if it was deleted since.
    """
    on_postgresql = tx.dialect.name == "postgresql"
    log = await log_repository.lock_head(tx)
    if again:
        known = await log_repository.find_known(tx, CALL, [intent.id for intent, _ in calls])
        calls = [call for call in calls if call[0].id not in known]
    rows: list[tuple[Any, ...]] = []
    inserted = 0
    while len(rows) < len(calls):  # in portions: the event loop has other things to do in between
        size = next(size for size in _SIZES if size <= len(calls) - len(rows))
        some = [_row(*call, on_postgresql=on_postgresql) for call in calls[len(rows) : len(rows) + size]]
        values = tuple(chain.from_iterable(some))
        inserted += (await tx.exec_driver_sql(_statement(size, on_postgresql=on_postgresql), values)).rowcount
        rows += some
    known_now = set() if inserted == len(rows) else await log_repository.find_known(tx, CALL, [row[0] for row in rows])
    # Some were there before, and so were their leaves.
    leaves = [_leaf(row) for row in rows if row[0] not in known_now]
    await log_repository.append(tx, log, leaves)


def _leaf(row: tuple[Any, ...]) -> Leaf:
    """As `leaves.call_record` makes it of the same row."""
    (
        id, at, organization_id, person_id, client, connector, connection_id, label, method, tool, outcome, rule,
        detail, origin, duration_us, request_bytes, response_bytes, day, request, response, tool_class,
    ) = row  # fmt: skip
    record = CallLeaf(
        client, connection_id, connector, day, detail, duration_us, id, CALL, label, method, organization_id, origin,
        outcome, person_id, payload_hash(request), request_bytes, payload_hash(response), response_bytes, rule, 0,
        at if isinstance(at, int) else (at - _EPOCH) // _MICROSECOND, tool, tool_class,
    )  # fmt: skip
    return CALL, id, record


@functools.cache
def _statement(rows: int, *, on_postgresql: bool) -> str:
    width = len(_COLUMNS)
    if on_postgresql:
        marks = (", ".join(f"${row * width + column}" for column in range(1, width + 1)) for row in range(rows))
    else:
        marks = (", ".join("?" * width) for _ in range(rows))
    places = ", ".join(f"({row})" for row in marks)
    # Only our own column names and placeholders are put together here.
    names = ", ".join(_COLUMNS)
    return f"insert into call_record ({names}) values {places} on conflict do nothing"  # noqa: S608 – ours


def _row(intent: CallIntent, ending: CallEnding, *, on_postgresql: bool) -> tuple[Any, ...]:
    """In the order of the table's columns; texts cut to what the columns hold, or one would fail its whole batch."""
    started_at = intent.started_at
    return (
        intent.id,
        started_at if on_postgresql else (started_at - _EPOCH) // _MICROSECOND,
        intent.organization_id,
        intent.person_id,
        _fit(intent.client, 200),
        _fit(intent.connector, 40),
        _fit(intent.connection_id, 40),
        _fit(intent.label, 12),
        _fit(intent.method, 60),
        _fit(intent.tool, 255),
        ending.outcome.value,
        _fit(ending.rule, 60),
        _fit(ending.detail, 300),
        _fit(ending.origin, 300),
        ending.duration_us,
        intent.request_bytes,
        ending.response_bytes,
        intent.day,
        intent.request,
        ending.response,
        ending.tool_class,
    )


@functools.lru_cache(maxsize=4096)
def _fit(text: str, limit: int) -> str:
    """PostgreSQL takes neither what is too long nor U+0000. Remembered: most texts come again with the next call."""
    return text if len(text) <= limit and "\0" not in text else text[:limit].replace("\0", "�")


class CallRecords:
    """Reads the call log, and erases from it. Payloads come out sealed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, call_id: str, scope: Scope) -> CallRecord:
        """One record; with its payloads for its own person only. Raises `NotFound`, also for somebody else's."""
        columns = call_record.columns if isinstance(scope, OfPerson) else _without_payloads()
        query = select(*columns).where(call_record.c.id == call_id, _within(scope))
        async with self._database.read() as tx:
            row = (await tx.execute(query)).mappings().first()
        if row is None:
            raise NotFound("There is no such call.")
        return _record(row)

    async def list(
        self,
        scope: Scope,
        *,
        wanted: Wanted = ALL_CALLS,
        before: str = "",
        limit: int = 50,
    ) -> Sequence[CallRecord]:
        """The newest first, without payloads; `before` is the id of the last one seen."""
        return await self._newest(and_(_within(scope), *_fitting(wanted)), before, limit)

    async def list_for_connection(
        self, connection_id: str, scope: Scope, *, before: str = "", limit: int = 50
    ) -> Sequence[CallRecord]:
        """Every use of one connection's credential (S-22d), the newest first."""
        return await self._newest(and_(_within(scope), call_record.c.connection_id == connection_id), before, limit)

    async def delete_for_person(self, person_id: str) -> int:
        """Erasure. How many records were deleted; call `CallLog.flush` before, so that none follows."""
        async with self._database.write() as tx:
            return await _delete(tx, call_record.c.person_id == person_id, person_id=person_id)

    async def erase_payloads(self, person_id: str) -> int:
        """Erasure that keeps what happened and lets go of what was sent and answered. Of how many records."""
        async with self._database.write() as tx:
            log = await log_repository.lock_head(tx)
            mine = call_record.c.person_id == person_id
            erased = (await tx.execute(update(call_record).where(mine).values(request=None, response=None))).rowcount
            await _log_deletion(tx, log, person_id=person_id, calls=erased, only="payloads")
            return erased

    async def _newest(self, wanted: ColumnElement[bool], before: str, limit: int) -> Sequence[CallRecord]:
        query = select(*_without_payloads()).where(wanted)
        if before:
            query = query.where(call_record.c.id < before)
        query = query.order_by(call_record.c.id.desc()).limit(limit)
        async with self._database.read() as tx:
            return [_record(row) for row in (await tx.execute(query)).mappings()]


async def _delete(tx: AsyncConnection, which: ColumnElement[bool], *, person_id: str) -> int:
    """Deletes, and says so in the log: a record that is missing without a word was deleted by somebody else."""
    log = await log_repository.lock_head(tx)
    deleted = (await tx.execute(delete(call_record).where(which))).rowcount
    await _log_deletion(tx, log, person_id=person_id, calls=deleted)
    return deleted


async def _log_deletion(tx: AsyncConnection, log: Frontier, **told: str | int) -> None:
    record: dict[str, str | int] = {"kind": DELETION, "id": new_id("del"), "person_id": "", "before": 0, **told}
    await log_repository.append(tx, log, [(DELETION, str(record["id"]), record)])


def _fitting(wanted: Wanted) -> list[ColumnElement[bool]]:
    columns = call_record.c
    same = ((columns.connector, wanted.connector), (columns.tool, wanted.tool), (columns.tool_class, wanted.tool_class))
    fitting: list[ColumnElement[bool]] = [column == value for column, value in same if value]
    if wanted.outcome is not None:
        fitting.append(columns.outcome == wanted.outcome.value)
    if wanted.client:
        fitting.append(func.lower(columns.client).contains(wanted.client.lower(), autoescape=True))
    if wanted.since is not None:
        fitting.append(columns.started_at >= wanted.since)
    if wanted.until is not None:
        fitting.append(columns.started_at < wanted.until)
    return fitting


def _without_payloads() -> Sequence[ColumnElement[Any]]:
    return [null().label(c.name) if c.name in _PAYLOADS else c for c in call_record.columns]


def _within(scope: Scope) -> ColumnElement[bool]:
    if isinstance(scope, (OfPerson, EventsOf)):
        return call_record.c.person_id == scope.person_id
    if isinstance(scope, Everyone):
        return true()
    return call_record.c.organization_id == scope.organization_id


def _record(row: RowMapping) -> CallRecord:
    return CallRecord(**{**row, "outcome": Outcome(row["outcome"])})


# --- the trail ----------------------------------------------------------------------------------------------------


async def insert_event(tx: AsyncConnection, **values: Any) -> None:
    log = await log_repository.lock_head(tx)  # first: so events are numbered in the order of their leaves
    query = insert(trail_event).values(**values).returning(trail_event.c.seq)
    seq = (await tx.execute(query)).scalar_one()
    record = event_record({**values, "seq": seq}, at=(values["at"] - _EPOCH) // _MICROSECOND)
    await log_repository.append(tx, log, [(EVENT, str(seq), record)])


async def find_calls_with_credential(
    tx: AsyncConnection, connection_id: str, scope: Scope, *, before: str, limit: int
) -> list[CallRecord]:
    """Calls with which the connection's credential left, the newest first; `before` is the id of the last one seen."""
    query = select(*_without_payloads()).where(
        _within(scope), call_record.c.connection_id == connection_id, call_record.c.origin != ""
    )
    if before:
        query = query.where(call_record.c.id < before)
    return [_record(row) for row in (await tx.execute(query.order_by(call_record.c.id.desc()).limit(limit))).mappings()]


async def find_events_about(
    tx: AsyncConnection, thing: str, scope: OfPerson, *, before: int, limit: int, only: str = "%"
) -> list[TrailEvent]:
    """What happened to a thing of the person's, the newest first; `before` as in `find_events`.

    What was noticed about it (`audit.alerts`) happened to nothing. `only` is a pattern for what happened.
    """
    query = select(trail_event).where(
        trail_event.c.person_id == scope.person_id,
        trail_event.c.object == thing,
        trail_event.c.event.not_like("alert.%"),
        trail_event.c.event.like(only),
    )
    if before:
        query = query.where(trail_event.c.seq < before)
    rows = await tx.execute(query.order_by(trail_event.c.seq.desc()).limit(limit))
    return [TrailEvent(**row) for row in rows.mappings()]


async def find_events(
    tx: AsyncConnection, scope: Scope, *, before: int, limit: int, wanted: WantedEvents = ALL_EVENTS
) -> list[TrailEvent]:
    """The newest first; `before` is the number of the last one seen, 0 for the beginning."""
    query: Select[Any] = select(trail_event)
    if isinstance(scope, OfPerson):
        query = query.where(trail_event.c.person_id == scope.person_id)
    elif not isinstance(scope, Everyone):
        query = query.where(trail_event.c.organization_id == scope.organization_id)
    if before:
        query = query.where(trail_event.c.seq < before)
    query = query.where(*_events_fitting(wanted))
    rows = await tx.execute(query.order_by(trail_event.c.seq.desc()).limit(limit))
    return [TrailEvent(**row) for row in rows.mappings()]


def _events_fitting(wanted: WantedEvents) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.after:
        found.append(trail_event.c.seq > wanted.after)
    if wanted.event:
        name = trail_event.c.event
        found.append(or_(name == wanted.event, name.startswith(f"{wanted.event}.", autoescape=True)))
    if wanted.actor:
        found.append(trail_event.c.actor == wanted.actor)
    if wanted.since is not None:
        found.append(trail_event.c.at >= wanted.since)
    if wanted.until is not None:
        found.append(trail_event.c.at < wanted.until)
    return found
