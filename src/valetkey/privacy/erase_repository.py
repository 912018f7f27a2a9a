"""The SQL of erasures: how far each is, and the receipt that is left."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import erasure

if TYPE_CHECKING:
    from valetkey.privacy.erase import Erased

Row = tuple[str, str, datetime, datetime | None, int, int, int, int, int, int, int]
_COLUMNS = (
    erasure.c.id, erasure.c.person_id, erasure.c.began_at, erasure.c.finished_at, erasure.c.connections,
    erasure.c.unconfirmed, erasure.c.days, erasure.c.calls, erasure.c.events, erasure.c.next_from, erasure.c.end,
)  # fmt: skip


async def add(tx: AsyncConnection, new: Erased) -> None:
    await tx.execute(insert(erasure).values({column.name: getattr(new, column.name) for column in _COLUMNS}))


async def set_progress(tx: AsyncConnection, now: Erased) -> None:
    changed = {name: getattr(now, name) for name in ("calls", "events", "next_from", "finished_at")}
    await tx.execute(update(erasure).where(erasure.c.id == now.id).values(**changed))


async def find_unfinished(tx: AsyncConnection, person_id: str) -> Row | None:
    query = select(*_COLUMNS).where(erasure.c.person_id == person_id, erasure.c.finished_at.is_(None))
    row = (await tx.execute(query.order_by(erasure.c.id).limit(1))).first()
    return None if row is None else _row(row)


async def list_of(tx: AsyncConnection, person_id: str, *, before: str, limit: int) -> list[Row]:
    """The newest first; `before` is the id of the last one seen."""
    query = select(*_COLUMNS).where(erasure.c.person_id == person_id)
    if before:
        query = query.where(erasure.c.id < before)
    return [_row(row) for row in await tx.execute(query.order_by(erasure.c.id.desc()).limit(limit))]


def _row(row: object) -> Row:
    one = row._mapping  # type: ignore[attr-defined]  # a Row
    return (
        one["id"], one["person_id"], one["began_at"], one["finished_at"], one["connections"], one["unconfirmed"],
        one["days"], one["calls"], one["events"], one["next_from"], one["end"],
    )  # fmt: skip
