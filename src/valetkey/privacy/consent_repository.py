"""The SQL of consents to training, and of what was handed out under them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import training_consent, training_item

Row = tuple[str, str, str, datetime, str, str, datetime | None]


async def list_live(tx: AsyncConnection, person_id: str) -> list[Row]:
    query = select(training_consent).where(
        training_consent.c.person_id == person_id, training_consent.c.ended_at.is_(None)
    )
    return [_row(row) for row in await tx.execute(query.order_by(training_consent.c.id))]


async def list_all(tx: AsyncConnection, person_id: str) -> list[Row]:
    """Those that were taken back, too."""
    query = select(training_consent).where(training_consent.c.person_id == person_id).order_by(training_consent.c.id)
    return [_row(row) for row in await tx.execute(query)]


async def next_live(tx: AsyncConnection, after: str) -> Row | None:
    """The first that was not taken back, after the one with this id."""
    query = select(training_consent).where(training_consent.c.id > after, training_consent.c.ended_at.is_(None))
    row = (await tx.execute(query.order_by(training_consent.c.id).limit(1))).first()
    return None if row is None else _row(row)


async def find_live(tx: AsyncConnection, consent_id: str) -> Row | None:
    query = select(training_consent).where(training_consent.c.id == consent_id, training_consent.c.ended_at.is_(None))
    row = (await tx.execute(query)).first()
    return None if row is None else _row(row)


async def add(
    tx: AsyncConnection,
    consent_id: str,
    person_id: str,
    organization_id: str,
    given_at: datetime,
    policy_version: str,
    text_hash: str,
) -> None:
    await tx.execute(
        insert(training_consent).values(
            id=consent_id,
            person_id=person_id,
            organization_id=organization_id,
            given_at=given_at,
            policy_version=policy_version,
            text_hash=text_hash,
        )
    )


async def end(tx: AsyncConnection, person_id: str, *, at: datetime) -> None:
    await tx.execute(
        update(training_consent)
        .where(training_consent.c.person_id == person_id, training_consent.c.ended_at.is_(None))
        .values(ended_at=at)
    )


async def count_items(tx: AsyncConnection, consents: Sequence[str]) -> int:
    query = select(func.count()).where(training_item.c.consent_id.in_(consents))
    return int((await tx.execute(query)).scalar_one())


async def items_of(tx: AsyncConnection, calls: Sequence[str]) -> dict[str, str]:
    """The item of each of these calls that was handed out before."""
    query = select(training_item.c.call_id, training_item.c.id).where(training_item.c.call_id.in_(calls))
    return {row.call_id: row.id for row in await tx.execute(query)}


async def add_items(tx: AsyncConnection, items: Sequence[tuple[str, str]], consent_id: str, *, now: datetime) -> None:
    """`items` are pairs of call and item."""
    if items:
        rows = [{"call_id": call, "id": item, "consent_id": consent_id, "exported_at": now} for call, item in items]
        await tx.execute(insert(training_item), rows)


async def withdrawn_items(tx: AsyncConnection, *, after: str, limit: int) -> list[str]:
    """Items that were handed out under a yes that was taken back."""
    query = (
        select(training_item.c.id)
        .join(training_consent, training_consent.c.id == training_item.c.consent_id)
        .where(training_consent.c.ended_at.is_not(None), training_item.c.id > after)
        .order_by(training_item.c.id)
        .limit(limit)
    )
    return list((await tx.execute(query)).scalars())


def _row(row: object) -> Row:
    one = row._mapping  # type: ignore[attr-defined]  # a Row
    return (
        one["id"], one["person_id"], one["organization_id"], one["given_at"], one["policy_version"], one["text_hash"],
        one["ended_at"],
    )  # fmt: skip
