"""The pages' world, fresh for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import FakeClock
from tests.databases import migrated_sqlite
from tests.web.world import World, build_world
from valetkey.store.database import Database


@pytest.fixture
async def world(
    sqlite_database: Database, keyring_database: Database, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[World]:
    built = await build_world(database=sqlite_database, keyring_database=keyring_database, clock=clock, folder=tmp_path)
    await built.calls.start()
    yield built
    await built.services.alerts.settle()
    await built.calls.stop()


@pytest.fixture
async def https_world(clock: FakeClock, tmp_path: Path) -> AsyncIterator[World]:
    """Another hub, that people reach over https as hub.example."""
    folder = tmp_path / "https"
    folder.mkdir()
    database = await migrated_sqlite(folder / "valetkey.db", "main")
    keyring = await migrated_sqlite(folder / "keyring.db", "keyring")
    yield await build_world(
        database=database, keyring_database=keyring, clock=clock, folder=folder, public_url="https://hub.example"
    )
    await database.close()
    await keyring.close()
