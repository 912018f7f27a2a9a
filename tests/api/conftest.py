"""The hub that the API's tests talk to."""

from __future__ import annotations

import pytest

from tests.api.hub import Hub, open_hub
from tests.conftest import FakeClock
from valetkey.store.database import Database


@pytest.fixture
async def hub(sqlite_database: Database, clock: FakeClock) -> Hub:
    return await open_hub(sqlite_database, clock)
