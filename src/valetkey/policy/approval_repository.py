"""The SQL of approvals: each change of state is one statement that says from which state it goes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.policy.approval_model import Approval, State, Use
from valetkey.store.schema import approval, approval_use

_LIVE = (State.PENDING, State.APPROVED)


async def add(tx: AsyncConnection, new: Approval) -> bool:
    """Whether it was added: not when the same call has a live one, which somebody else added just now."""
    values = {column.name: getattr(new, column.name) for column in approval.columns}
    try:
        async with tx.begin_nested():
            await tx.execute(insert(approval).values(**values))
    except IntegrityError:
        return False
    return True


async def expire(tx: AsyncConnection, person_id: str, now: datetime) -> None:
    """What was not decided, or not used, in time."""
    await tx.execute(
        update(approval)
        .where(approval.c.person_id == person_id, approval.c.state.in_(_LIVE), approval.c.expires_at <= now)
        .values(state=State.EXPIRED)
    )


async def find(tx: AsyncConnection, person_id: str, approval_id: str) -> Approval | None:
    query = select(approval).where(approval.c.id == approval_id, approval.c.person_id == person_id)
    row = (await tx.execute(query)).first()
    return _read(row) if row else None


async def find_newest(tx: AsyncConnection, person_id: str, request_digest: str, now: datetime) -> Approval | None:
    """The newest one for this call that says something about it still: live, or denied a moment ago."""
    query = (
        select(approval)
        .where(
            approval.c.person_id == person_id,
            approval.c.request_digest == request_digest,
            approval.c.state.in_((*_LIVE, State.DENIED)),
            approval.c.expires_at > now,
        )
        .order_by(approval.c.created_at.desc(), approval.c.id.desc())
        .limit(1)
    )
    row = (await tx.execute(query)).first()
    return _read(row) if row else None


async def find_like(tx: AsyncConnection, new: Approval) -> Approval | None:
    """The newest one of the same tool on the same connection that its person said yes to, of those before `new`."""
    query = (
        select(approval)
        .where(
            approval.c.person_id == new.person_id,
            approval.c.connection_id == new.connection_id,
            approval.c.tool == new.tool,
            approval.c.id != new.id,
            approval.c.created_at <= new.created_at,
            approval.c.decided_at.is_not(None),
            approval.c.state.in_((State.APPROVED, State.CONSUMED, State.UNCERTAIN)),
        )
        .order_by(approval.c.created_at.desc(), approval.c.id.desc())
        .limit(1)
    )
    row = (await tx.execute(query)).first()
    return _read(row) if row else None


async def count_again(tx: AsyncConnection, approval_id: str) -> None:
    """The same call was asked for once more while it waits."""
    await tx.execute(
        update(approval)
        .where(approval.c.id == approval_id, approval.c.state == State.PENDING)
        .values(times=approval.c.times + 1)
    )


async def count(tx: AsyncConnection, connection_id: str, *, since: datetime, now: datetime) -> tuple[int, int]:
    """On one connection: how many wait, and how many were asked for since then."""
    pending = case(((approval.c.state == State.PENDING) & (approval.c.expires_at > now), 1), else_=0)
    query = select(func.coalesce(func.sum(pending), 0), func.count()).where(
        approval.c.connection_id == connection_id, approval.c.created_at > since
    )
    waiting, asked = (await tx.execute(query)).one()
    return int(waiting), int(asked)


async def decide(
    tx: AsyncConnection, person_id: str, approval_id: str, now: datetime, values: Mapping[str, Any]
) -> Approval | None:
    """Moves it on from *pending*, once; `None` when it does not wait any more."""
    done = await tx.execute(
        update(approval)
        .where(
            approval.c.id == approval_id,
            approval.c.person_id == person_id,
            approval.c.state == State.PENDING,
            approval.c.expires_at > now,
        )
        .values(decided_at=now, **values)
        .returning(approval)
    )
    row = done.first()
    return _read(row) if row else None


async def consume(
    tx: AsyncConnection, person_id: str, request_digest: str, policy_version: str, now: datetime
) -> Approval | None:
    """Uses it up: of many who ask at once, as many get it as it has uses, and that is one (I8)."""
    used = await tx.execute(
        update(approval)
        .where(
            approval.c.person_id == person_id,
            approval.c.request_digest == request_digest,
            approval.c.policy_version == policy_version,
            approval.c.state == State.APPROVED,
            approval.c.uses_left > 0,
            approval.c.expires_at > now,
        )
        .values(
            uses_left=approval.c.uses_left - 1,
            state=case((approval.c.uses_left <= 1, State.CONSUMED), else_=State.APPROVED),
            consumed_at=now,
        )
        .returning(approval)
    )
    row = used.first()
    return _read(row) if row else None


async def add_use(tx: AsyncConnection, use: Use) -> None:
    await tx.execute(
        insert(approval_use).values(
            call_id=use.call_id,
            approval_id=use.approval_id,
            connection_id=use.connection_id,
            tool=use.tool,
            request_digest=use.request_digest,
            at=use.at,
            uncertain=False,
        )
    )


async def find_use(tx: AsyncConnection, call_id: str) -> Use | None:
    row = (await tx.execute(select(approval_use).where(approval_use.c.call_id == call_id))).first()
    if row is None:
        return None
    return Use(row.call_id, row.approval_id, row.connection_id, row.tool, row.request_digest, row.at)


async def mark_uncertain(tx: AsyncConnection, approval_id: str) -> None:
    await tx.execute(
        update(approval)
        .where(approval.c.id == approval_id, approval.c.state.in_((State.CONSUMED, State.APPROVED)))
        .values(state=State.UNCERTAIN, uses_left=0)
    )


async def list_of(tx: AsyncConnection, person_id: str, *, limit: int) -> list[Approval]:
    query = select(approval).where(approval.c.person_id == person_id)
    rows = await tx.execute(query.order_by(approval.c.created_at.desc(), approval.c.id.desc()).limit(limit))
    return [_read(row) for row in rows]


async def page_of(tx: AsyncConnection, person_id: str, *, before: str, limit: int) -> list[Approval]:
    """By id, which sorts by time."""
    query = select(approval).where(approval.c.person_id == person_id)
    if before:
        query = query.where(approval.c.id < before)
    return [_read(row) for row in await tx.execute(query.order_by(approval.c.id.desc()).limit(limit))]


async def count_pending(tx: AsyncConnection, person_id: str, now: datetime) -> int:
    query = select(func.count()).where(
        approval.c.person_id == person_id, approval.c.state == State.PENDING, approval.c.expires_at > now
    )
    return int((await tx.execute(query)).scalar_one())


async def drop(tx: AsyncConnection, connection_id: str) -> None:
    """All live ones of a connection that has ended, or of a tool that changed."""
    await tx.execute(
        update(approval)
        .where(approval.c.connection_id == connection_id, approval.c.state.in_(_LIVE))
        .values(state=State.EXPIRED)
    )


async def drop_one(tx: AsyncConnection, approval_id: str) -> None:
    """What was asked, or said, under rules that have changed since."""
    await tx.execute(update(approval).where(approval.c.id == approval_id).values(state=State.EXPIRED))


async def purge(tx: AsyncConnection, person_id: str, before: datetime) -> None:
    await tx.execute(delete(approval).where(approval.c.person_id == person_id, approval.c.created_at < before))
    await tx.execute(delete(approval_use).where(approval_use.c.at < before))


async def purge_all(tx: AsyncConnection, before: datetime) -> int:
    """Of everybody."""
    await tx.execute(delete(approval_use).where(approval_use.c.at < before))
    return (await tx.execute(delete(approval).where(approval.c.created_at < before))).rowcount


def _read(row: Row[Any]) -> Approval:
    values = {column.name: getattr(row, column.name) for column in approval.columns}
    values |= {"nonce": bytes(row.nonce), "call": bytes(row.call), "proof": bytes(row.proof) if row.proof else None}
    return Approval(**{**values, "state": State(row.state)})
