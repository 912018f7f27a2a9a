"""The SQL of the API: which writes were asked for under which key, and what was answered."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import idempotent_request as kept


class KeptRow(NamedTuple):
    fingerprint: str
    status: int | None
    media_type: str
    day: str
    answer: bytes | None


async def forget_before(tx: AsyncConnection, at: datetime) -> None:
    await tx.execute(delete(kept).where(kept.c.begun_at < at))


async def count(tx: AsyncConnection, whose: str) -> int:
    return int((await tx.execute(select(func.count()).where(kept.c.whose == whose))).scalar_one())


async def begin(
    tx: AsyncConnection, whose: str, key_hash: str, fingerprint: str, at: datetime, *, dialect: str
) -> bool:
    """Whether this is the first time; the write that finds the key free takes it."""
    into = postgresql.insert if dialect == "postgresql" else sqlite.insert
    names = {"whose": whose, "key_hash": key_hash, "fingerprint": fingerprint}
    row = into(kept).values(**names, begun_at=at, media_type="", day="")
    done = await tx.execute(row.on_conflict_do_nothing())
    return done.rowcount == 1


async def find(tx: AsyncConnection, whose: str, key_hash: str) -> KeptRow | None:
    query = select(kept.c.fingerprint, kept.c.status, kept.c.media_type, kept.c.day, kept.c.answer)
    row = (await tx.execute(query.where(kept.c.whose == whose, kept.c.key_hash == key_hash))).first()
    return None if row is None else KeptRow(*row)


async def set_answer(tx: AsyncConnection, whose: str, key_hash: str, row: KeptRow) -> None:
    values = {"status": row.status, "media_type": row.media_type, "day": row.day, "answer": row.answer}
    await tx.execute(update(kept).where(kept.c.whose == whose, kept.c.key_hash == key_hash).values(**values))


async def forget(tx: AsyncConnection, whose: str, key_hash: str) -> None:
    await tx.execute(delete(kept).where(kept.c.whose == whose, kept.c.key_hash == key_hash))
