"""The SQL of standing approvals: a use is counted down in the one statement that finds it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.policy.standing_model import Ended, StandingApproval
from valetkey.store.schema import approval_use, standing_approval

_table = standing_approval


async def add(tx: AsyncConnection, new: StandingApproval) -> None:
    await tx.execute(insert(_table).values({column.name: getattr(new, column.name) for column in _table.columns}))


async def find(tx: AsyncConnection, standing_id: str) -> StandingApproval | None:
    row = (await tx.execute(select(_table).where(_table.c.id == standing_id))).first()
    return _read(row) if row else None


async def live_for(
    tx: AsyncConnection, person_id: str, client_id: str, connection_id: str, tool: str, now: datetime
) -> list[StandingApproval]:
    """Those that may be for a call of this tool, the one that ends first before the others."""
    query = (
        select(_table)
        .where(
            _table.c.person_id == person_id,
            _table.c.client_id == client_id,
            _table.c.connection_id == connection_id,
            _table.c.tool == tool,
            _table.c.ended_at.is_(None),
            _table.c.uses_left > 0,
            _table.c.expires_at > now,
        )
        .order_by(_table.c.expires_at, _table.c.id)
    )
    return [_read(row) for row in await tx.execute(query)]


async def use(tx: AsyncConnection, standing_id: str, now: datetime) -> StandingApproval | None:
    """Uses it once: of many who ask at once, as many get it as it has uses (I8)."""
    used = await tx.execute(
        update(_table)
        .where(
            _table.c.id == standing_id, _table.c.ended_at.is_(None), _table.c.uses_left > 0, _table.c.expires_at > now
        )
        .values(uses_left=_table.c.uses_left - 1, last_used_at=now)
        .returning(_table)
    )
    row = used.first()
    return _read(row) if row else None


async def count_live(tx: AsyncConnection, person_id: str, now: datetime) -> int:
    query = select(_table.c.id).where(
        _table.c.person_id == person_id,
        _table.c.ended_at.is_(None),
        _table.c.uses_left > 0,
        _table.c.expires_at > now,
    )
    return len((await tx.execute(query)).all())


async def list_of(tx: AsyncConnection, person_id: str, *, limit: int) -> list[StandingApproval]:
    query = select(_table).where(_table.c.person_id == person_id)
    rows = await tx.execute(query.order_by(_table.c.created_at.desc(), _table.c.id.desc()).limit(limit))
    return [_read(row) for row in rows]


async def page_of(tx: AsyncConnection, person_id: str, *, before: str, limit: int) -> list[StandingApproval]:
    """By id, which sorts by time."""
    query = select(_table).where(_table.c.person_id == person_id)
    if before:
        query = query.where(_table.c.id < before)
    return [_read(row) for row in await tx.execute(query.order_by(_table.c.id.desc()).limit(limit))]


async def end_one(tx: AsyncConnection, person_id: str, standing_id: str, now: datetime) -> StandingApproval | None:
    """`None` when the person has no such one that had not ended."""
    ended = await tx.execute(
        update(_table)
        .where(_table.c.id == standing_id, _table.c.person_id == person_id, _table.c.ended_at.is_(None))
        .values(ended_at=now, ended_because=Ended.REVOKED)
        .returning(_table)
    )
    row = ended.first()
    return _read(row) if row else None


async def find_live(tx: AsyncConnection, connection_id: str, tools: Sequence[str] | None) -> list[StandingApproval]:
    """Those of a connection that were not ended; of the named tools alone if any are named."""
    query = select(_table).where(_table.c.connection_id == connection_id, _table.c.ended_at.is_(None))
    if tools is not None:
        query = query.where(_table.c.tool.in_(tools))
    return [_read(row) for row in await tx.execute(query)]


async def live_of_client(tx: AsyncConnection, person_id: str, client_id: str) -> list[StandingApproval]:
    query = select(_table).where(
        _table.c.person_id == person_id, _table.c.client_id == client_id, _table.c.ended_at.is_(None)
    )
    return [_read(row) for row in await tx.execute(query)]


async def end(tx: AsyncConnection, ids: Sequence[str], because: Ended, now: datetime) -> None:
    await tx.execute(
        update(_table)
        .where(_table.c.id.in_(ids), _table.c.ended_at.is_(None))
        .values(ended_at=now, ended_because=because)
    )


async def mark_uncertain(tx: AsyncConnection, call_id: str) -> None:
    await tx.execute(update(approval_use).where(approval_use.c.call_id == call_id).values(uncertain=True))


async def is_uncertain(tx: AsyncConnection, request_digest: str) -> bool:
    """Whether exactly this call left when it was last let through, and nobody knows what it came to."""
    query = select(approval_use.c.uncertain).where(approval_use.c.request_digest == request_digest)
    row = (await tx.execute(query.order_by(approval_use.c.at.desc(), approval_use.c.call_id.desc()).limit(1))).first()
    return row is not None and bool(row.uncertain)


async def purge(tx: AsyncConnection, person_id: str, before: datetime) -> None:
    """Those whose time was over then. They are kept that long, so that people find what became of them."""
    await tx.execute(delete(_table).where(_table.c.person_id == person_id, _table.c.expires_at < before))


async def purge_all(tx: AsyncConnection, before: datetime) -> int:
    """Of everybody."""
    return (await tx.execute(delete(_table).where(_table.c.expires_at < before))).rowcount


def _read(row: Row[Any]) -> StandingApproval:
    values = {column.name: getattr(row, column.name) for column in _table.columns}
    return StandingApproval(
        **{**values, "scope": bytes(row.scope), "proof": bytes(row.proof) if row.proof is not None else None}
    )
