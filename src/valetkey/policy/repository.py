"""The policy room's SQL: what people said about tools."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.policy.model import Permission, Setting
from valetkey.store.schema import tool_permission


async def list_permissions(tx: AsyncConnection, connection_id: str) -> list[Permission]:
    rows = await tx.execute(
        select(tool_permission).where(tool_permission.c.connection_id == connection_id).order_by(tool_permission.c.tool)
    )
    return [
        Permission(row.connection_id, row.tool, row.fingerprint, row.set_at, Setting(row.setting), row.tool_class)
        for row in rows
    ]


async def put_permission(tx: AsyncConnection, given: Permission, dialect: str) -> None:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    values = {
        "fingerprint": given.fingerprint,
        "set_at": given.set_at,
        "setting": given.setting,
        "tool_class": given.tool_class,
    }
    await tx.execute(
        insert(tool_permission)
        .values(connection_id=given.connection_id, tool=given.tool, **values)
        .on_conflict_do_update(index_elements=[tool_permission.c.connection_id, tool_permission.c.tool], set_=values)
    )


async def delete_permissions(tx: AsyncConnection, connection_id: str, tools: Sequence[str]) -> None:
    await tx.execute(
        delete(tool_permission).where(
            tool_permission.c.connection_id == connection_id, tool_permission.c.tool.in_(tools)
        )
    )


async def delete_all_permissions(tx: AsyncConnection, connection_id: str) -> None:
    await tx.execute(delete(tool_permission).where(tool_permission.c.connection_id == connection_id))
