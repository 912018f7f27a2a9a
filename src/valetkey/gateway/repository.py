"""The SQL of the gateway: which states clients have used up."""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import spent_state


async def spend(tx: AsyncConnection, state_id: bytes, *, until: int, now: int, dialect: str) -> bool:
    """Whether this is the first time; the write that finds the id free takes it. Forgets what is too late anyway."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    done = await tx.execute(insert(spent_state).values(id=state_id, until=until).on_conflict_do_nothing())
    await tx.execute(delete(spent_state).where(spent_state.c.until < now))
    return done.rowcount == 1
