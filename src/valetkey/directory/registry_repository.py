"""The SQL of what a registry lists, and of the runs that read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.directory.registry_page import Run, Server
from valetkey.store.schema import registry_run, registry_server


async def put_run(tx: AsyncConnection, run: Run, dialect: str) -> None:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    values = {name: getattr(run, name) for name in Run.__slots__ if name != "registry"}
    await tx.execute(
        insert(registry_run)
        .values(registry=run.registry, **values)
        .on_conflict_do_update(index_elements=[registry_run.c.registry], set_=values)
    )


async def find_run(tx: AsyncConnection, registry: str) -> Run | None:
    row = (await tx.execute(select(registry_run).where(registry_run.c.registry == registry))).first()
    return Run(**row._mapping) if row is not None else None


async def put_servers(tx: AsyncConnection, servers: Iterable[Server], *, seen_in: str, dialect: str) -> None:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    for one in servers:
        values = {name: getattr(one, name) for name in Server.__slots__ if name != "name"} | {"seen_in": seen_in}
        await tx.execute(
            insert(registry_server)
            .values(name=one.name, **values)
            .on_conflict_do_update(index_elements=[registry_server.c.name], set_=values)
        )


async def delete_servers(tx: AsyncConnection, names: Iterable[str]) -> None:
    await tx.execute(delete(registry_server).where(registry_server.c.name.in_(list(names))))


async def delete_unseen(tx: AsyncConnection, *, seen_in: str) -> int:
    """What a run that read all of the registry has not seen; how many those were."""
    return (await tx.execute(delete(registry_server).where(registry_server.c.seen_in != seen_in))).rowcount


async def count_servers(tx: AsyncConnection) -> int:
    return int((await tx.execute(select(func.count()).select_from(registry_server))).scalar_one())


async def search_servers(tx: AsyncConnection, words: Iterable[str], *, limit: int) -> list[Server]:
    """Those that have each word in name, title or description, by name."""
    found = select(registry_server).order_by(registry_server.c.title, registry_server.c.name).limit(limit)
    columns = (registry_server.c.name, registry_server.c.title, registry_server.c.description)
    for word in words:
        found = found.where(or_(*(func.lower(column).contains(word, autoescape=True) for column in columns)))
    return [_server(row) for row in await tx.execute(found)]


def _server(row: Row[Any]) -> Server:
    return Server(row.name, row.title, row.description, row.version, row.url, row.website)


async def note_progress(tx: AsyncConnection, run: Run) -> None:
    values = {name: getattr(run, name) for name in ("pages", "servers", "gone", "left_out")}
    await tx.execute(update(registry_run).where(registry_run.c.id == run.id).values(**values))
