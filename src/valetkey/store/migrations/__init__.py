"""Migrations: ordered, append-only, one transaction each, run at start under a lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from valetkey.store.database import Database

_LOCK = 0x76616C65746B6579  # "valetkey"; pg_advisory_xact_lock takes a bigint
Which = Literal["main", "keyring"]


async def migrate(database: Database, which: Which) -> None:
    """Brings `database` to the newest schema of `which`. Racing starts wait for each other."""
    async with database.write() as tx:
        if database.dialect == "postgresql":
            await tx.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        await tx.run_sync(_upgrade, which)


def config_for(which: Which, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / which))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        attributes: dict[str, Any] = config.attributes
        attributes["connection"] = connection
    return config


def _upgrade(connection: Connection, which: Which) -> None:
    command.upgrade(config_for(which, connection), "head")
