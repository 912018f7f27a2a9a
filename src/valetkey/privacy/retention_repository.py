"""The SQL of how long calls are kept: times, holds, what is owed to who left, and runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.kernel.ids import new_id
from valetkey.privacy.model import Hold, Run
from valetkey.privacy.times import Said
from valetkey.store.schema import call_record, legal_hold, owed_erasure, retention_run, retention_time


async def add_said(tx: AsyncConnection, said: Said) -> None:
    await tx.execute(insert(retention_time).values(id=new_id("keep"), **asdict(said)))


async def list_said(tx: AsyncConnection, organization_ids: Sequence[str] | None = None) -> list[Said]:
    """What was said, in order; of everybody for `None`."""
    query = select(retention_time).order_by(retention_time.c.set_at, retention_time.c.id)
    if organization_ids is not None:
        query = query.where(retention_time.c.organization_id.in_(organization_ids))
    return [
        Said(row.organization_id, row.contents, row.calls, row.at_most, row.set_at, row.set_by)
        for row in await tx.execute(query)
    ]


async def count_going(
    tx: AsyncConnection, organization_id: str, *, day: str, since_day: str, instant: datetime
) -> tuple[int, int]:
    """Of how many calls the contents, from `since_day` on and before `day`, and how many records before `instant`."""
    mine = call_record.c.organization_id == organization_id
    contents = select(func.count()).where(
        mine, call_record.c.day >= since_day, call_record.c.day < day,
        or_(call_record.c.request.is_not(None), call_record.c.response.is_not(None)),
    )  # fmt: skip
    calls = select(func.count()).where(mine, call_record.c.started_at < instant)
    return int((await tx.execute(contents)).scalar_one()), int((await tx.execute(calls)).scalar_one())


async def add_hold(tx: AsyncConnection, hold: Hold) -> None:
    await tx.execute(insert(legal_hold).values(**asdict(hold)))


async def list_holds(tx: AsyncConnection, organization_id: str | None = None) -> list[Hold]:
    """In force, the oldest first; of everybody for `None`."""
    query = select(legal_hold).order_by(legal_hold.c.placed_at, legal_hold.c.id)
    if organization_id is not None:
        query = query.where(legal_hold.c.organization_id == organization_id)
    return [
        Hold(row.id, row.organization_id, row.person_id, row.reason, row.placed_at, row.placed_by)
        for row in await tx.execute(query)
    ]


async def take_hold(tx: AsyncConnection, organization_id: str, hold_id: str) -> Hold | None:
    """Ends the hold, and returns it if it was there."""
    which = (legal_hold.c.id == hold_id, legal_hold.c.organization_id == organization_id)
    row = (await tx.execute(delete(legal_hold).where(*which).returning(legal_hold))).first()
    return Hold(row.id, row.organization_id, row.person_id, row.reason, row.placed_at, row.placed_by) if row else None


async def add_owed(tx: AsyncConnection, organization_id: str, person_id: str, *, now: datetime) -> None:
    where = (owed_erasure.c.organization_id == organization_id, owed_erasure.c.person_id == person_id)
    await tx.execute(delete(owed_erasure).where(*where))
    values = {"organization_id": organization_id, "person_id": person_id, "since": now}
    await tx.execute(insert(owed_erasure).values(**values))


async def list_owed(tx: AsyncConnection) -> list[tuple[str, str]]:
    """Organization and person."""
    query = select(owed_erasure.c.organization_id, owed_erasure.c.person_id).order_by(owed_erasure.c.since)
    return [(row.organization_id, row.person_id) for row in await tx.execute(query)]


async def delete_owed(tx: AsyncConnection, organization_id: str, person_id: str) -> None:
    where = (owed_erasure.c.organization_id == organization_id, owed_erasure.c.person_id == person_id)
    await tx.execute(delete(owed_erasure).where(*where))


async def add_run(tx: AsyncConnection, run: Run) -> None:
    await tx.execute(insert(retention_run).values(**asdict(run)))


async def set_run(tx: AsyncConnection, run: Run) -> None:
    await tx.execute(update(retention_run).where(retention_run.c.id == run.id).values(**asdict(run)))


async def list_runs(tx: AsyncConnection, *, before: str, limit: int) -> list[Run]:
    """The newest first by id, which sorts by time; `before` is that of the last one seen."""
    query = select(retention_run).order_by(retention_run.c.id.desc()).limit(limit)
    if before:
        query = query.where(retention_run.c.id < before)
    return [
        Run(row.id, row.began_at, row.finished_at, row.days, row.calls, row.looked_at, row.of)
        for row in await tx.execute(query)
    ]
