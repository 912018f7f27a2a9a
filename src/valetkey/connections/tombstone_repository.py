"""The SQL of tombstones: who ended a connection, and how far that has come. There from the first step to the last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import tombstone


@dataclass(frozen=True, slots=True)
class Tombstone:
    """`keys` is how many keys were held when it began; `revocation` is empty until the service has been told."""

    connection_id: str
    actor: str
    began_at: datetime
    keys: int
    revocation: str
    revocation_detail: str


async def find_tombstone(tx: AsyncConnection, connection_id: str) -> Tombstone | None:
    row = (await tx.execute(select(tombstone).where(tombstone.c.connection_id == connection_id))).first()
    return Tombstone(*row) if row else None


async def add_tombstone_once(tx: AsyncConnection, new: Tombstone) -> None:
    """Whoever began first is the one who ended it."""
    once = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    values = {name: getattr(new, name) for name in new.__slots__}
    await tx.execute(once(tombstone).values(values).on_conflict_do_nothing())


async def update_tombstone(tx: AsyncConnection, connection_id: str, **values: Any) -> None:
    await tx.execute(update(tombstone).where(tombstone.c.connection_id == connection_id).values(values))


async def delete_tombstone(tx: AsyncConnection, connection_id: str) -> None:
    await tx.execute(delete(tombstone).where(tombstone.c.connection_id == connection_id))
