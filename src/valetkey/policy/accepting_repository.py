"""The SQL of what owners accepted for everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import tool_acceptance

_MOST: Final = 2000
"""Of one connector. The oldest go first: what they were about has changed since, or every account has followed."""
_AT_ONCE: Final = 500


async def remember(tx: AsyncConnection, connector_id: str, said: Mapping[tuple[str, str], str], now: datetime) -> None:
    """`said` is who accepted which tool as it was seen. The same again is kept as it is now."""
    table = tool_acceptance
    for (tool, seen), by in said.items():
        same = (table.c.connector_id == connector_id, table.c.seen == seen)
        await tx.execute(delete(table).where(*same))
        await tx.execute(
            insert(table).values(connector_id=connector_id, tool=tool, seen=seen, accepted_by=by, accepted_at=now)
        )
    newest = select(table.c.seen).where(table.c.connector_id == connector_id).order_by(table.c.accepted_at.desc())
    old = [row.seen for row in await tx.execute(newest.offset(_MOST).limit(_AT_ONCE))]
    if old:
        await tx.execute(delete(table).where(table.c.connector_id == connector_id, table.c.seen.in_(old)))


async def remembered(tx: AsyncConnection, connector_id: str, seen: Sequence[str]) -> dict[tuple[str, str], str]:
    """Who accepted which of these for everybody."""
    table = tool_acceptance
    found: dict[tuple[str, str], str] = {}
    for begin in range(0, len(seen), _AT_ONCE):
        some = list(seen[begin : begin + _AT_ONCE])
        query = select(table).where(table.c.connector_id == connector_id, table.c.seen.in_(some))
        found |= {(row.tool, row.seen): row.accepted_by for row in await tx.execute(query)}
    return found
