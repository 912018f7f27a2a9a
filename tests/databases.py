"""Migrated databases by the copy: migrating anew for each of thousands of tests takes minutes of the whole."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
import threading
from functools import cache
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from valetkey.store.database import Database
from valetkey.store.migrations import Which, migrate

STORES: tuple[Which, Which] = ("main", "keyring")

_TEMPLATE = "valetkey_template"
_files: dict[Which, Path] = {}
_servers: set[str] = set()
_made: dict[str, list[str]] = {}
_AT_ONCE = 4  # no test has more databases than that


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="vk-templates-")


async def migrated_file(path: Path, which: Which) -> None:
    """Makes `path` a SQLite database of the newest schema of `which`, with nothing in it."""
    if which not in _files:
        template = Path(_folder().name) / f"{which}.db"
        made = Database.sqlite(template)
        await migrate(made, which)
        await made.truncate_log()
        await made.close()
        _files[which] = template
    shutil.copy(_files[which], path)
    path.chmod(0o600)


async def migrated_sqlite(path: Path, which: Which) -> Database:
    """An open SQLite database at `path`, of the newest schema of `which`."""
    await migrated_file(path, which)
    return Database.sqlite(path)


async def migrated_postgres(server: str) -> str:
    """The URL of a new database on `server` with the tables of both stores."""
    if server not in _servers:
        await _on_server(server, f"create database {_TEMPLATE}")
        made = Database.open(_named(server, _TEMPLATE))
        for which in STORES:
            await migrate(made, which)
        await made.close()
        _servers.add(server)
    return await _created(server, f"template {_TEMPLATE}")


async def empty_postgres(server: str) -> str:
    """The URL of a new database on `server` with nothing in it."""
    return await _created(server, "")


def take_down(url: str) -> None:
    """The PostgreSQL database at `url` is down, for everybody: what is connected is cut off, and nobody gets in.

    Done when this returns, in whatever the caller is in the middle of: so with an event loop of its own.
    """
    name = make_url(url).database
    cut = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
    down = _on_server(_named(url, "postgres"), f"alter database {name} with allow_connections false", cut)
    thread = threading.Thread(target=asyncio.run, args=(down,))
    thread.start()
    thread.join()


async def bring_up(url: str) -> None:
    """It is there again, with what was committed."""
    await _on_server(_named(url, "postgres"), f"alter database {make_url(url).database} with allow_connections true")


async def _created(server: str, how: str) -> str:
    """A new database. Those of earlier tests go: each has five hundred files, and a run makes a thousand databases."""
    name = f"t{secrets.token_hex(6)}"
    made = _made.setdefault(server, [])
    old = made[:-_AT_ONCE]
    await _on_server(server, *(f"drop database {one} with (force)" for one in old), f"create database {name} {how}")
    del made[: len(old)]
    made.append(name)
    return _named(server, name)


async def _on_server(server: str, *statements: str) -> None:
    admin = create_async_engine(make_url(server).set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await admin.dispose()


def _named(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)
