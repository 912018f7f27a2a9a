"""A PostgreSQL with the roles of docs/postgresql.md: one that owns the tables, one that a hub runs as."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.engine import make_url

from tests.databases import migrated_postgres
from valetkey.store.database import Database
from valetkey.store.privileges import lay_down

RUNTIME = "vk_runtime"


def as_role(url: str, role: str) -> str:
    return make_url(url).set(username=role).render_as_string(hide_password=False)


async def ensure_role(owner: Database) -> None:
    async with owner.write() as tx:
        there = (await tx.execute(text("select 1 from pg_roles where rolname = :role"), {"role": RUNTIME})).first()
        if there is None:
            await tx.execute(text(f"create role {RUNTIME} login"))


@asynccontextmanager
async def walled(server: str) -> AsyncIterator[tuple[Database, Database]]:
    """The owner's database, and the same one as the role that a hub runs as sees it."""
    url = await migrated_postgres(server)
    owner = Database.open(url)
    await ensure_role(owner)
    for which in ("main", "keyring"):
        await lay_down(owner, which, RUNTIME)
    runtime = Database.open(as_role(url, RUNTIME), is_walled=True)
    yield owner, runtime
    await runtime.close()
    await owner.close()
