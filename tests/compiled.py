"""Statements are compiled once for all databases of a test run, not anew for each hub: that was a quarter of its time.

A product keeps one hub open for weeks and has no such need. What is shared is what SQLAlchemy keeps per engine, its
cache of compiled statements. The dialect is part of its keys: so dialects of one class are as good as one.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.util import LRUCache

_COMPILED: Final[LRUCache[Any, Any]] = LRUCache(5_000)


class Sqlite(SQLiteDialect_aiosqlite):
    """A dialect that is equal to every other of its class: nobody here gives one arguments."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


class Postgres(PGDialect_asyncpg):
    """The same: there is one server, so all know the same of its version."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


def share() -> None:
    """From now on, in this process."""
    registry.register("sqlite.aiosqlite", __name__, Sqlite.__name__)
    registry.register("postgresql.asyncpg", __name__, Postgres.__name__)

    @event.listens_for(Engine, "engine_connect")
    def _on_connect(connection: Connection) -> None:
        if isinstance(connection.dialect, Sqlite | Postgres):
            connection.execution_options(compiled_cache=_COMPILED)
