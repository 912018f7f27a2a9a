"""The pages' world, fresh for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import FakeClock
from tests.web.world import World, build_world
from valetkey.store.database import Database


@pytest.fixture
async def world(
    sqlite_database: Database, keyring_database: Database, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[World]:
    built = await build_world(database=sqlite_database, keyring_database=keyring_database, clock=clock, folder=tmp_path)
    await built.calls.start()
    yield built
    await built.calls.stop()
