"""The SQL of the privacy policy's versions, and of who has seen which."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import privacy_policy, privacy_seen

Row = tuple[int, datetime, str, bool, str]


async def find_last(tx: AsyncConnection) -> Row | None:
    return await _first(tx, select(privacy_policy).order_by(privacy_policy.c.number.desc()).limit(1))


async def find(tx: AsyncConnection, number: int) -> Row | None:
    return await _first(tx, select(privacy_policy).where(privacy_policy.c.number == number))


async def list_all(tx: AsyncConnection) -> list[Row]:
    rows = await tx.execute(select(privacy_policy).order_by(privacy_policy.c.number.desc()))
    return [_row(row) for row in rows]


async def add(tx: AsyncConnection, number: int, at: datetime | None, by: str, is_template: bool, text: str) -> bool:
    """Whether nobody else has added the same number."""
    values = {"number": number, "published_at": at, "published_by": by, "is_template": is_template, "text": text}
    try:
        async with tx.begin_nested():
            await tx.execute(insert(privacy_policy).values(**values))
    except IntegrityError:
        return False
    return True


async def find_seen(tx: AsyncConnection, person_id: str) -> int:
    """The last version the person was shown, 0 for none."""
    query = select(privacy_seen.c.number).where(privacy_seen.c.person_id == person_id)
    return int((await tx.execute(query)).scalar() or 0)


async def set_seen(tx: AsyncConnection, person_id: str, number: int) -> None:
    await tx.execute(delete(privacy_seen).where(privacy_seen.c.person_id == person_id))
    await tx.execute(insert(privacy_seen).values(person_id=person_id, number=number))


async def _first(tx: AsyncConnection, query: Select[tuple[object, ...]]) -> Row | None:
    row = (await tx.execute(query)).first()
    return None if row is None else _row(row)


def _row(row: object) -> Row:
    one = row._mapping  # type: ignore[attr-defined]  # a Row
    return one["number"], one["published_at"], one["published_by"], one["is_template"], one["text"]
