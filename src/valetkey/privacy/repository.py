"""The SQL of privacy."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import log_level

Kind = Literal["floor", "ceiling", "choice"]


async def list_levels(tx: AsyncConnection, organization_id: str, person_id: str) -> list[tuple[Kind, str, str]]:
    """Kind, connector and level of what the person says; of what the organization says for an empty one."""
    query = (
        select(log_level.c.kind, log_level.c.connector, log_level.c.level)
        .where(log_level.c.organization_id == organization_id, log_level.c.person_id == person_id)
        .order_by(log_level.c.connector, log_level.c.kind)
    )
    return [(row.kind, row.connector, row.level) for row in await tx.execute(query)]


async def count_levels(tx: AsyncConnection, organization_id: str, person_id: str) -> int:
    query = select(func.count()).where(
        log_level.c.organization_id == organization_id, log_level.c.person_id == person_id
    )
    return int((await tx.execute(query)).scalar_one())


async def delete_level(tx: AsyncConnection, organization_id: str, person_id: str, connector: str, kind: Kind) -> None:
    await tx.execute(
        delete(log_level).where(
            log_level.c.organization_id == organization_id,
            log_level.c.person_id == person_id,
            log_level.c.connector == connector,
            log_level.c.kind == kind,
        )
    )


async def add_level(
    tx: AsyncConnection, organization_id: str, person_id: str, connector: str, kind: Kind, level: str, *, now: datetime
) -> None:
    values = {"organization_id": organization_id, "person_id": person_id, "connector": connector}
    await tx.execute(insert(log_level).values(**values, kind=kind, level=level, set_at=now))
