"""The SQL of upstream: which era each server was last seen to be of."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.protocol.versions import Era
from valetkey.store.schema import upstream_era
from valetkey.upstream.model import Verdict


async def find_era(tx: AsyncConnection, url: str) -> tuple[Verdict, datetime] | None:
    """The verdict on the server at `url`, and when it was reached."""
    row = (await tx.execute(select(upstream_era).where(upstream_era.c.url == url))).one_or_none()
    return (Verdict(Era(row.era), row.version), row.seen_at) if row is not None else None


async def put_era(tx: AsyncConnection, url: str, verdict: Verdict, now: datetime, dialect: str) -> None:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    values = {"era": verdict.era.value, "version": verdict.version, "seen_at": now}
    statement = insert(upstream_era).values(url=url, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=[upstream_era.c.url], set_=values))


async def delete_era(tx: AsyncConnection, url: str) -> None:
    await tx.execute(delete(upstream_era).where(upstream_era.c.url == url))
