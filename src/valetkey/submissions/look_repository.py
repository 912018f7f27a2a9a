"""The SQL of submissions' histories, and of the hub's own looks at listings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import listing_look, submission_entry
from valetkey.submissions.model import Entry, Look, State


async def add_entry(tx: AsyncConnection, entry: Entry) -> None:
    values = {name: getattr(entry, name) for name in Entry.__slots__}
    await tx.execute(submission_entry.insert().values(**values | {"state": entry.state.value}))


async def entries(tx: AsyncConnection, submission_id: str, *, most: int) -> list[Entry]:
    """The newest first."""
    query = select(*(submission_entry.c[name] for name in Entry.__slots__)).where(
        submission_entry.c.submission_id == submission_id
    )
    rows = await tx.execute(query.order_by(submission_entry.c.seq.desc()).limit(most))
    return [Entry(**{**row._mapping, "state": State(row.state)}) for row in rows]


async def last_entry(tx: AsyncConnection, submission_id: str, act: str) -> Entry | None:
    query = select(*(submission_entry.c[name] for name in Entry.__slots__)).where(
        submission_entry.c.submission_id == submission_id, submission_entry.c.act == act
    )
    row = (await tx.execute(query.order_by(submission_entry.c.seq.desc()).limit(1))).first()
    return Entry(**{**row._mapping, "state": State(row.state)}) if row is not None else None


async def first_entry(
    tx: AsyncConnection, submission_id: str, act: str, *, begins: str, since: datetime
) -> Entry | None:
    """The oldest since then whose words begin so."""
    query = select(*(submission_entry.c[name] for name in Entry.__slots__)).where(
        submission_entry.c.submission_id == submission_id, submission_entry.c.act == act,
        submission_entry.c.at >= since, submission_entry.c.words.startswith(begins, autoescape=True),
    )  # fmt: skip
    row = (await tx.execute(query.order_by(submission_entry.c.seq).limit(1))).first()
    return Entry(**{**row._mapping, "state": State(row.state)}) if row is not None else None


async def count_entries(tx: AsyncConnection, submission_id: str, acts: Sequence[str]) -> int:
    query = select(func.count()).where(
        submission_entry.c.submission_id == submission_id, submission_entry.c.act.in_(acts)
    )
    return int((await tx.execute(query)).scalar() or 0)


async def look(tx: AsyncConnection, slug: str) -> Look:
    """The last; an empty one for what was never looked at."""
    row = (await tx.execute(select(listing_look).where(listing_look.c.slug == slug))).first()
    return _look(row) if row is not None else Look(slug=slug)


async def looks(tx: AsyncConnection) -> list[Look]:
    return [_look(row) for row in await tx.execute(select(listing_look).order_by(listing_look.c.slug))]


async def put_look(tx: AsyncConnection, seen: Look) -> None:
    values = {name: getattr(seen, name) for name in Look.__slots__}
    values["tools"] = msgspec.json.encode(seen.tools).decode()
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    await tx.execute(
        insert(listing_look).values(**values).on_conflict_do_update(index_elements=[listing_look.c.slug], set_=values)
    )


async def forget_look(tx: AsyncConnection, slug: str) -> None:
    await tx.execute(delete(listing_look).where(listing_look.c.slug == slug))


def _look(row: Row[Any]) -> Look:
    return Look(**{**row._mapping, "tools": msgspec.json.decode(row.tools, type=dict[str, str])})
