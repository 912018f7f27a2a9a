"""Why a listing was taken down, for the people whose connections are frozen by it (DIR-15)."""

from __future__ import annotations

from valetkey.directory import repository
from valetkey.store.database import Database


async def why_taken_down(database: Database, listing: str) -> str:
    """The operator's reason; empty for a listing that was not taken down."""
    async with database.read() as tx:
        return await repository.takedown_reason(tx, listing)
