"""SQL for saying to everybody who was connected why they are no more."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

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
