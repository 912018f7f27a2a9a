"""The SQL of ceilings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.policy.model import Ceiling, Setting
from valetkey.store.schema import ceiling, enabled_vertical


async def list_of(tx: AsyncConnection, organization_id: str) -> list[Ceiling]:
    query = select(ceiling).where(ceiling.c.organization_id == organization_id).order_by(ceiling.c.id)
    return [
        Ceiling(
            row.id, row.organization_id, row.connector, row.tool, row.tool_class, row.role, Setting(row.setting),
            row.set_by, row.set_at,
        )
        for row in await tx.execute(query)
    ]  # fmt: skip


async def count(tx: AsyncConnection, organization_id: str) -> int:
    query = select(func.count()).where(ceiling.c.organization_id == organization_id)
    return int((await tx.execute(query)).scalar_one())


async def add(tx: AsyncConnection, new: Ceiling) -> None:
    await tx.execute(insert(ceiling).values({column.name: getattr(new, column.name) for column in ceiling.columns}))


async def delete_same(tx: AsyncConnection, new: Ceiling) -> None:
    """The one that says what holds in the same place."""
    await tx.execute(
        delete(ceiling).where(
            ceiling.c.organization_id == new.organization_id,
            ceiling.c.connector == new.connector,
            ceiling.c.tool == new.tool,
            ceiling.c.tool_class == new.tool_class,
            ceiling.c.role == new.role,
        )
    )


async def remove(tx: AsyncConnection, organization_id: str, ceiling_id: str) -> bool:
    done = await tx.execute(
        delete(ceiling).where(ceiling.c.organization_id == organization_id, ceiling.c.id == ceiling_id)
    )
    return done.rowcount == 1


async def list_enabled(tx: AsyncConnection, organization_id: str) -> list[str]:
    query = select(enabled_vertical.c.connector).where(enabled_vertical.c.organization_id == organization_id)
    return [row.connector for row in await tx.execute(query)]


async def enable(
    tx: AsyncConnection, organization_id: str, connector: str, *, is_on: bool, by: str, now: datetime
) -> None:
    await tx.execute(
        delete(enabled_vertical).where(
            enabled_vertical.c.organization_id == organization_id, enabled_vertical.c.connector == connector
        )
    )
    if is_on:
        values = {"organization_id": organization_id, "connector": connector, "set_by": by, "set_at": now}
        await tx.execute(insert(enabled_vertical).values(**values))
