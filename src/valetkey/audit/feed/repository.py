"""Feeds, and the events that they are to get. Each function runs in the transaction it is given."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.audit.feed.model import Feed
from valetkey.audit.model import TrailEvent
from valetkey.store.schema import feed as feeds
from valetkey.store.schema import trail_event

StoreFailed = SQLAlchemyError
"""What background work survives: the database will be back."""


async def add(tx: AsyncConnection, new: Feed) -> None:
    await tx.execute(
        insert(feeds).values(
            id=new.id,
            organization_id=new.organization_id,
            kind=new.kind,
            address=new.address,
            created_at=new.created_at,
            delivered=new.delivered,
            header=new.header,
            failures=0,
            reason="",
        )
    )


async def put(tx: AsyncConnection, feed: Feed) -> None:
    values = {
        name: getattr(feed, name)
        for name in ("delivered", "delivered_at", "failing_since", "failures", "next_at", "reason", "missed_after")
    }
    await tx.execute(update(feeds).where(feeds.c.id == feed.id).values(values))


async def remove(tx: AsyncConnection, feed_id: str) -> None:
    await tx.execute(delete(feeds).where(feeds.c.id == feed_id))


async def list_of(tx: AsyncConnection, organization_id: str) -> list[Feed]:
    query = select(feeds).where(feeds.c.organization_id == organization_id).order_by(feeds.c.created_at, feeds.c.id)
    return [Feed(**row) for row in (await tx.execute(query)).mappings()]


async def list_all(tx: AsyncConnection) -> list[Feed]:
    return [Feed(**row) for row in (await tx.execute(select(feeds).order_by(feeds.c.id))).mappings()]


async def newest(tx: AsyncConnection) -> int:
    """The number of the newest event."""
    return (await tx.execute(select(func.max(trail_event.c.seq)))).scalar_one() or 0


async def events_between(tx: AsyncConnection, organization_id: str, after: int, until: int) -> list[TrailEvent]:
    """The organization's events with numbers above `after`, up to `until`; a window, so that no read is without end."""
    query = select(trail_event).where(
        trail_event.c.seq > after, trail_event.c.seq <= until, trail_event.c.organization_id == organization_id
    )
    return [TrailEvent(**row) for row in (await tx.execute(query.order_by(trail_event.c.seq))).mappings()]


async def is_there(tx: AsyncConnection, feed_id: str, organization_id: str, header: str) -> bool:
    """Whether the organization has this feed, and sends this header along."""
    query = select(feeds.c.id).where(
        feeds.c.id == feed_id, feeds.c.organization_id == organization_id, feeds.c.header == header
    )
    return (await tx.execute(query)).first() is not None
