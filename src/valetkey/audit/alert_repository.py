"""The SQL of `alert`: one row for each cause, counted where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import alert

if TYPE_CHECKING:
    from valetkey.audit.alerts import Alert

MOST: Final = 100
"""Causes of one connection that have a row each: a service that thinks of ever new ones fills nothing."""

_COLUMNS: Final = (
    alert.c.id, alert.c.organization_id, alert.c.person_id, alert.c.connection_id, alert.c.connector, alert.c.kind,
    alert.c.subject, alert.c.words, alert.c.call_id, alert.c.first_at, alert.c.last_at, alert.c.times,
    alert.c.dismissed_at,
)  # fmt: skip


async def note(tx: AsyncConnection, new: Alert, *, quiet_since: datetime, kept_since: datetime) -> bool:
    """Adds a row for the cause of `new`, or counts it there; whether it is news to its person.

    What was dismissed is opened again if its last time was before `quiet_since`; rows of the connection that are older
    than `kept_since` go.
    """
    await tx.execute(delete(alert).where(alert.c.connection_id == new.connection_id, alert.c.last_at < kept_since))
    values: dict[str, Any] = {name: getattr(new, name) for name in new.__slots__} | {"kind": new.kind.value}
    known = await _find_cause(tx, values)
    if known is None and await _count(tx, new.connection_id) >= MOST:
        values |= {"subject": "", "words": "More of this kind was noticed than is told one by one."}
        known = await _find_cause(tx, values)
    once = (postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert)(alert).values(values)
    counted = once.on_conflict_do_update(
        index_elements=["connection_id", "kind", "subject"],
        set_={
            "words": once.excluded.words,
            "call_id": once.excluded.call_id,
            "last_at": once.excluded.last_at,
            "times": alert.c.times + once.excluded.times,
            "dismissed_at": case((alert.c.last_at < quiet_since, None), else_=alert.c.dismissed_at),
        },
    )
    await tx.execute(counted)
    return known is None or (known.dismissed_at is not None and known.last_at < quiet_since)


async def delete_before(tx: AsyncConnection, instant: datetime) -> int:
    return (await tx.execute(delete(alert).where(alert.c.last_at < instant))).rowcount


async def find_alert(tx: AsyncConnection, person_id: str, alert_id: str) -> Sequence[Any] | None:
    found = await tx.execute(select(*_COLUMNS).where(alert.c.id == alert_id, alert.c.person_id == person_id))
    return found.first()


async def list_alerts(
    tx: AsyncConnection, person_id: str, *, connection_id: str, dismissed: bool, limit: int
) -> Sequence[Sequence[Any]]:
    query = _of_person(person_id, connection_id, dismissed)
    newest = query.order_by(alert.c.last_at.desc(), alert.c.id.desc()).limit(limit)
    rows: Sequence[Sequence[Any]] = (await tx.execute(newest)).all()
    return rows


async def page_of_alerts(
    tx: AsyncConnection, person_id: str, *, connection_id: str, dismissed: bool, before: str, limit: int
) -> Sequence[Sequence[Any]]:
    """By id, which stays as it is when the same is noticed again."""
    query = _of_person(person_id, connection_id, dismissed)
    if before:
        query = query.where(alert.c.id < before)
    rows: Sequence[Sequence[Any]] = (await tx.execute(query.order_by(alert.c.id.desc()).limit(limit))).all()
    return rows


def _of_person(person_id: str, connection_id: str, dismissed: bool) -> Select[Any]:
    query = select(*_COLUMNS).where(alert.c.person_id == person_id)
    if connection_id:
        query = query.where(alert.c.connection_id == connection_id)
    return query if dismissed else query.where(alert.c.dismissed_at.is_(None))


async def sum_alerts(tx: AsyncConnection, organization_id: str) -> Sequence[Sequence[Any]]:
    """Connector, kind, people, times, first and last time."""
    last = func.max(alert.c.last_at)
    query = (
        select(
            alert.c.connector,
            alert.c.kind,
            func.count(alert.c.person_id.distinct()),
            func.sum(alert.c.times),
            func.min(alert.c.first_at, type_=alert.c.first_at.type),
            func.max(alert.c.last_at, type_=alert.c.last_at.type),
        )
        .where(alert.c.organization_id == organization_id)
        .group_by(alert.c.connector, alert.c.kind)
        .order_by(last.desc())
    )
    return (await tx.execute(query)).all()


async def dismiss(tx: AsyncConnection, alert_id: str, at: datetime) -> None:
    await tx.execute(update(alert).where(alert.c.id == alert_id).values(dismissed_at=at))


async def _find_cause(tx: AsyncConnection, values: dict[str, Any]) -> Any:
    cause = [alert.c[name] == values[name] for name in ("connection_id", "kind", "subject")]
    return (await tx.execute(select(alert.c.dismissed_at, alert.c.last_at).where(*cause))).first()


async def _count(tx: AsyncConnection, connection_id: str) -> int:
    found = await tx.execute(select(func.count()).select_from(alert).where(alert.c.connection_id == connection_id))
    return int(found.scalar_one())
