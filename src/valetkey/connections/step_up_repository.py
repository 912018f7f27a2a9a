"""The SQL of step-up: which scopes a service named when it refused a call, and how often the person was asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import scope_challenge


@dataclass(frozen=True, slots=True)
class ChallengeRow:
    """What is remembered for a connection; `consents` is how often the person has agreed to `scope` since."""

    connection_id: str
    scope: str
    consents: int
    at: datetime


async def find_challenge(tx: AsyncConnection, connection_id: str) -> ChallengeRow | None:
    query = select(scope_challenge).where(scope_challenge.c.connection_id == connection_id)
    row = (await tx.execute(query)).first()
    return ChallengeRow(*row) if row else None


async def put_challenge(tx: AsyncConnection, new: ChallengeRow) -> None:
    upsert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    values = {"scope": new.scope, "consents": new.consents, "at": new.at}
    await tx.execute(
        upsert(scope_challenge)
        .values(connection_id=new.connection_id, **values)
        .on_conflict_do_update(index_elements=["connection_id"], set_=values)
    )


async def count_consent(tx: AsyncConnection, connection_id: str) -> None:
    await tx.execute(
        update(scope_challenge)
        .where(scope_challenge.c.connection_id == connection_id)
        .values(consents=scope_challenge.c.consents + 1)
    )


async def delete_challenge(tx: AsyncConnection, connection_id: str) -> None:
    await tx.execute(delete(scope_challenge).where(scope_challenge.c.connection_id == connection_id))
