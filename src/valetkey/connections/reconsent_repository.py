"""SQL for what becomes of everybody who is connected to one connector: why they are no more, or that they are again."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.connections.methods.header import ORGANIZATION
from valetkey.connections.model import State
from valetkey.store.schema import connection


async def set_reason_among(tx: AsyncConnection, connector_id: str, reason: str) -> list[str]:
    """Says why nobody is connected to it, in each entry that is not; the people whose entries these are."""
    done = await tx.execute(
        update(connection)
        .where(connection.c.connector_id == connector_id, connection.c.state == State.NOT_CONNECTED.value)
        .values(state_reason=reason)
        .returning(connection.c.person_id)
    )
    return sorted(set(done.scalars()))


async def set_connected_again(tx: AsyncConnection, connector_id: str, version: int) -> list[str]:
    """Connects again whose service refused the organization's key, which is another now; the people whose those are."""
    done = await tx.execute(
        update(connection)
        .where(
            connection.c.connector_id == connector_id,
            connection.c.connector_version == version,
            connection.c.method == ORGANIZATION,
            connection.c.state == State.RECONNECT.value,
        )
        .values(state=State.CONNECTED.value, state_reason="")
        .returning(connection.c.person_id)
    )
    return sorted(set(done.scalars()))


async def suspend_among(tx: AsyncConnection, connector_id: str, reason: str, *, connection_id: str = "") -> list[str]:
    """Everybody who is connected to it, or the one named, must reconnect; the people whose accounts these are."""
    asked = update(connection).where(
        connection.c.connector_id == connector_id, connection.c.state == State.CONNECTED.value
    )
    if connection_id:
        asked = asked.where(connection.c.id == connection_id)
    done = await tx.execute(
        asked.values(state=State.RECONNECT.value, state_reason=reason).returning(connection.c.person_id)
    )
    return sorted(set(done.scalars()))


async def granted_at(tx: AsyncConnection, connector_id: str) -> list[tuple[str, str, str]]:
    """Of each account that is connected to it: its id, its person, the scope it was granted."""
    query = select(connection.c.id, connection.c.person_id, connection.c.granted_scope).where(
        connection.c.connector_id == connector_id, connection.c.state == State.CONNECTED.value
    )
    return [(row[0], row[1], row[2]) for row in await tx.execute(query)]
