"""A hub with its authorization server: on both engines (`hub`), and on SQLite alone (`quick_hub`)."""

from __future__ import annotations

import pytest

from tests.authserver.assistants import Hub
from tests.conftest import FakeClock
from valetkey.store.database import Database


@pytest.fixture
async def hub(database: Database, clock: FakeClock) -> Hub:
    opened = Hub(database, clock)
    await opened.open()
    return opened


@pytest.fixture
async def quick_hub(sqlite_database: Database, clock: FakeClock) -> Hub:
    opened = Hub(sqlite_database, clock)
    await opened.open()
    return opened
