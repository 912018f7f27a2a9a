"""One database, SQLite or PostgreSQL, behind two verbs: `read()` and `write()`.

Both give a SQLAlchemy `AsyncConnection` inside one transaction. On SQLite there is one writer at a time in the process
(`BEGIN IMMEDIATE`), readers beside it (WAL). No transaction may be open while anyone waits for the network: callers
read, leave, wait, write.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import aiosqlite
from sqlalchemy import event, text
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from valetkey.kernel.errors import BadInput, StartRefused
from valetkey.kernel.failpoints import reached
from valetkey.store.acting import HUB, Reach, acting_for
from valetkey.store.points import Point

_SQLITE_PRAGMAS = (
    "journal_mode=wal",
    "synchronous=full",
    "foreign_keys=on",
    "secure_delete=on",  # a deleted secret is overwritten, not merely unlinked (security.md 2.8)
    "temp_store=memory",
    "busy_timeout=5000",
)


_GOODBYE = 10.0  # seconds
_FOR_WHOM = text(  # true: for this transaction only
    "select set_config('valetkey.reach', :reach, true), set_config('valetkey.person', :person, true),"
    " set_config('valetkey.organization', :organization, true)"
)


async def _opened(*where: Any, **how: Any) -> aiosqlite.Connection:
    """A connection to a SQLite file. Who is canceled while it opens waits and closes it: its thread would stay."""
    connecting = aiosqlite.connect(*where, **how)
    connecting._thread.daemon = True  # as SQLAlchemy does: no thread holds up the process's end
    opening = asyncio.ensure_future(connecting)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        with suppress(sqlite3.Error):
            await (await opening).close()
        raise


_OPENED: Any = {"connect_args": {"async_creator_fn": _opened}}


class Database:
    """An open database. Make one with `Database.sqlite(path)` or `Database.open(url)`."""

    def __init__(
        self, writer: AsyncEngine, reader: AsyncEngine, *, dialect: str, url: URL, is_walled: bool = False
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._one_writer = asyncio.Lock() if dialect == "sqlite" else None
        self._closed = False
        self._is_walled = is_walled
        self.dialect = dialect
        self.url = url

    @classmethod
    def sqlite(cls, path: Path) -> Self:
        """Opens (creating, 0600) the SQLite file at `path`."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        url = URL.create("sqlite+aiosqlite", database=str(path))
        writer = create_async_engine(url, pool_size=1, max_overflow=0, **_OPENED)
        reader = create_async_engine(url, pool_size=4, max_overflow=4, **_OPENED)
        for engine, begin in ((writer, "BEGIN IMMEDIATE"), (reader, "BEGIN")):
            _prepare_sqlite(engine, begin)
            event.listen(engine.sync_engine, "handle_error", _say_what_was_bad)
        return cls(writer, reader, dialect="sqlite", url=url)

    @classmethod
    def read_only(cls, path: Path) -> Self:
        """Opens the SQLite file at `path`, a copy that nobody writes to (with its `-wal`), without changing it."""
        # `immutable`: no lock is taken and no -shm file made, so a copy on read-only media can be read.
        query = {"mode": "ro", "uri": "true"}
        if not Path(f"{path}-wal").exists():
            query["immutable"] = "1"
        url = URL.create("sqlite+aiosqlite", database=f"file:{quote(str(path.absolute()))}", query=query)
        engine = create_async_engine(url, pool_size=1, max_overflow=0, **_OPENED)

        @event.listens_for(engine.sync_engine, "connect")
        def _on_connect(connection: Any, _record: Any) -> None:
            connection.isolation_level = None

        return cls(engine, engine, dialect="sqlite", url=url)

    @classmethod
    def open(cls, url: str, *, is_walled: bool = False) -> Self:
        """Opens `sqlite:///PATH` or `postgresql://…`; raises `StartRefused` for anything else.

        `is_walled`: there is row-level security, which is told with each transaction for whom it is.
        """
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise StartRefused(
                "The database URL cannot be read.", hint="Give postgresql://user@host/name or sqlite:///path."
            ) from error
        backend = parsed.get_backend_name()
        if backend == "sqlite" and parsed.database:
            return cls.sqlite(Path(parsed.database))
        if backend not in ("postgresql", "postgres"):
            raise StartRefused(
                f"The database URL names {backend!r}, which is not supported.",
                hint="Valetkey runs on SQLite and PostgreSQL.",
            )
        engine = create_async_engine(
            parsed.set(drivername="postgresql+asyncpg"), pool_size=8, max_overflow=8, pool_pre_ping=True,
            # Where nothing else is said, the hub is at work for itself; to whoever comes by another way nothing shows.
            connect_args={"server_settings": {"valetkey.reach": Reach.HUB.value}},
        )  # fmt: skip
        event.listen(engine.sync_engine, "handle_error", _say_what_was_bad)
        return cls(engine, engine, dialect="postgresql", url=parsed, is_walled=is_walled)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One writing transaction: committed on leaving, rolled back on an exception."""
        self._require_open()
        if self._one_writer is None:
            async with self._writer.begin() as transaction:
                await self._say_for_whom(transaction)
                yield transaction
                reached(Point.STORE_SAID)
        else:
            async with self._one_writer, self._writer.begin() as transaction:
                yield transaction
                reached(Point.STORE_SAID)
        reached(Point.STORE_COMMITTED)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One reading transaction: a consistent view, rolled back on leaving."""
        self._require_open()
        async with self._reader.connect() as transaction:
            await self._say_for_whom(transaction)
            yield transaction

    async def _say_for_whom(self, transaction: AsyncConnection) -> None:
        whom = acting_for()
        if not self._is_walled or whom is HUB:
            return
        said = {"reach": whom.reach.value, "person": whom.person_id, "organization": whom.organization_id}
        await transaction.execute(_FOR_WHOM, said)

    async def truncate_log(self) -> None:
        """After a shred: no deleted byte stays in SQLite's write-ahead log. Nothing to do on PostgreSQL."""
        if self.dialect != "sqlite":
            return
        assert self._one_writer is not None
        async with self._one_writer, self._writer.connect() as connection:
            raw = await connection.get_raw_connection()
            await raw.driver_connection.execute("pragma wal_checkpoint(truncate)")  # type: ignore[union-attr]  # aiosqlite

    async def ping(self) -> None:
        """Raises when the database does not answer."""
        async with self.read() as transaction:
            await transaction.execute(text("select 1"))

    async def close(self) -> None:
        """Closes what is open; a server that is gone, and would never say goodbye, holds up no stop."""
        self._closed = True
        for engine in {self._writer, self._reader}:
            for goodbye in (_all_returned(engine), engine.dispose()):
                with suppress(TimeoutError):
                    await asyncio.wait_for(goodbye, _GOODBYE)

    def _require_open(self) -> None:
        reached(Point.STORE_ASKED)
        # An engine that was disposed of opens anew for whoever asks, and nobody would close that connection.
        if self._closed:
            raise RuntimeError("the database is closed")


async def _all_returned(engine: AsyncEngine) -> None:
    """Waits for transactions that are still open: disposing of an engine forgets them, and their threads stay."""
    # Looked at in turns: who is canceled while leaving hands the connection back from a task that nobody can wait for.
    while engine.pool.checkedout():  # type: ignore[attr-defined]  # noqa: ASYNC110  # each engine's pool counts; see above
        await asyncio.sleep(0.002)


_NUL_IN_TEXT, _NUL_IN_JSON = "22021", "22P05"  # what PostgreSQL calls them
_LAYERS = 3  # SQLAlchemy's error, asyncpg's, Python's


def _say_what_was_bad(context: ExceptionContext) -> None:
    """What somebody sent has U+0000 in it, which PostgreSQL does not keep, or half of a surrogate pair, kept nowhere.

    The fault is theirs, and not a failure.
    """
    error: BaseException | None = context.original_exception
    if getattr(error, "sqlstate", "") in (_NUL_IN_TEXT, _NUL_IN_JSON):
        raise BadInput("A text has the character U+0000 in it, which cannot be kept.")
    for _ in range(_LAYERS):
        if isinstance(error, UnicodeEncodeError):
            raise BadInput("A text has half of a character in it (U+D800 to U+DFFF), which cannot be kept.")
        error = error.__cause__ if error is not None else None


def _prepare_sqlite(engine: AsyncEngine, begin: str) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling is off: it would begin late and commit before DDL.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _SQLITE_PRAGMAS:
            cursor.execute(f"pragma {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)
