"""The SQL of taints."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.policy.model import Taint
from valetkey.store.schema import taint


async def put(tx: AsyncConnection, person_id: str, new: Taint, now: datetime) -> None:
    """Renews the mark, and drops those of the person whose time is over."""
    await tx.execute(delete(taint).where(taint.c.person_id == person_id, taint.c.until <= now))
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    key = {"person_id": person_id, "client_id": new.client_id, "connection_id": new.connection_id}
    values = {"because": new.because, "until": new.until}
    await tx.execute(insert(taint).values(**key, **values).on_conflict_do_update(index_elements=list(key), set_=values))


async def list_of(tx: AsyncConnection, person_id: str, now: datetime) -> list[Taint]:
    rows = await tx.execute(select(taint).where(taint.c.person_id == person_id, taint.c.until > now))
    return [Taint(row.connection_id, row.client_id, row.because, row.until) for row in rows]
