"""The SQL of `trail_checkpoint` and `trail_sink`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.audit.watch import Step
from valetkey.kernel.errors import NotFound
from valetkey.store.schema import trail_checkpoint, trail_sink


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint as it is kept: number `number` from 1, the signed note, and the watch key's mark if there is one."""

    number: int
    at: datetime
    size: int
    root: bytes
    note: str
    verifier_key: str
    step: Step | None


@dataclass(frozen=True, slots=True)
class SinkState:
    """How far a sink is: the number of the last checkpoint it took, and since when it takes none."""

    name: str
    delivered: int = 0
    delivered_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    next_at: datetime | None = None
    reason: str = ""


async def find_last(tx: AsyncConnection) -> KeptCheckpoint | None:
    query = select(trail_checkpoint).order_by(trail_checkpoint.c.number.desc()).limit(1)
    row = (await tx.execute(query)).mappings().first()
    return _kept(row) if row else None


async def find_from(tx: AsyncConnection, number: int, *, limit: int) -> list[KeptCheckpoint]:
    """From that number on, in order."""
    query = select(trail_checkpoint).where(trail_checkpoint.c.number >= number).order_by(trail_checkpoint.c.number)
    return [_kept(row) for row in (await tx.execute(query.limit(limit))).mappings()]


async def find_newest(tx: AsyncConnection, *, before: int, limit: int) -> list[KeptCheckpoint]:
    """The newest first; below the number `before`, 0 for the beginning."""
    query = select(trail_checkpoint).order_by(trail_checkpoint.c.number.desc()).limit(limit)
    if before:
        query = query.where(trail_checkpoint.c.number < before)
    return [_kept(row) for row in (await tx.execute(query)).mappings()]


async def find_numbered(tx: AsyncConnection, number: int) -> KeptCheckpoint:
    """Raises `NotFound`."""
    row = (await tx.execute(select(trail_checkpoint).where(trail_checkpoint.c.number == number))).mappings().first()
    if row is None:
        raise NotFound("There is no such checkpoint.")
    return _kept(row)


async def add(tx: AsyncConnection, made: KeptCheckpoint) -> bool:
    """False when another replica was quicker."""
    step = made.step or Step("", 0, b"")
    values = {
        "number": made.number,
        "at": made.at,
        "size": made.size,
        "root": made.root,
        "note": made.note,
        "verifier_key": made.verifier_key,
        "watch": step.watch,
        "step": step.number,
        "mac": step.mark,
    }
    try:
        await tx.execute(insert(trail_checkpoint).values(values))
    except IntegrityError:
        return False
    return True


async def find_sinks(tx: AsyncConnection) -> dict[str, SinkState]:
    return {row["name"]: SinkState(**row) for row in (await tx.execute(select(trail_sink))).mappings()}


async def put_sinks(tx: AsyncConnection, states: Sequence[SinkState]) -> None:
    once = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    for state in states:
        values: dict[str, Any] = {name: getattr(state, name) for name in SinkState.__slots__}
        await tx.execute(once(trail_sink).values(values).on_conflict_do_nothing())
        await tx.execute(update(trail_sink).where(trail_sink.c.name == state.name).values(values))


def _kept(row: RowMapping) -> KeptCheckpoint:
    # On SQLite, somebody may have put anything there.
    root, mark = (row[name] if isinstance(row[name], bytes) else b"" for name in ("root", "mac"))
    step = Step(str(row["watch"]), row["step"], mark) if row["watch"] else None
    return KeptCheckpoint(row["number"], row["at"], row["size"], root, str(row["note"]), str(row["verifier_key"]), step)
