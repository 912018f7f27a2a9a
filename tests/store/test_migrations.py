"""Migrations lead to the tables as written, whoever starts first, as often as they are run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import IntegrityError

from tests.conftest import FakeClock
from valetkey.store import schema
from valetkey.store.database import Database
from valetkey.store.migrations import Which, migrate


def _differences(connection: Connection, metadata: MetaData, version_table: str) -> list[Any]:
    options = {"version_table": version_table, "compare_type": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


async def test_the_migrated_main_database_is_the_schema_as_written(empty_database: Database) -> None:
    await migrate(empty_database, "main")

    async with empty_database.read() as tx:
        assert await tx.run_sync(_differences, schema.main, "schema_version_main") == []


async def test_the_migrated_keyring_is_the_schema_as_written(keyring_database: Database) -> None:
    async with keyring_database.read() as tx:
        assert await tx.run_sync(_differences, schema.keyring, "schema_version_keyring") == []


@pytest.mark.parametrize(("table", "column"), [("organization", "kind"), ("person", "state"), ("membership", "role")])
async def test_a_word_that_is_none_of_ours_is_refused_by_the_database(
    database: Database, clock: FakeClock, table: str, column: str
) -> None:
    organization = {"id": "org_1", "name": "Home", "kind": "organization", "created_at": clock.now()}
    person = {"id": "p_1", "login": "ada", "display_name": "Ada", "state": "active", "created_at": clock.now()}
    membership = {"organization_id": "org_1", "person_id": "p_1", "role": "owner", "created_at": clock.now()}
    rows = {"organization": organization, "person": person, "membership": membership}
    rows[table][column] = "root"

    async def add_all() -> None:
        async with database.write() as tx:
            for name, row in rows.items():
                await tx.execute(schema.main.tables[name].insert().values(row))

    with pytest.raises(IntegrityError, match=f"ck_{table}_{column}"):
        await add_all()


@pytest.mark.parametrize("which", ["main", "keyring"])
async def test_four_hubs_that_start_at_once_migrate_once(empty_database: Database, which: Which) -> None:
    await asyncio.gather(*(migrate(empty_database, which) for _ in range(4)))

    async with empty_database.read() as tx:
        metadata = getattr(schema, which)
        names = set(await tx.run_sync(lambda c: __import__("sqlalchemy").inspect(c).get_table_names()))
    assert {table.name for table in metadata.sorted_tables} <= names
