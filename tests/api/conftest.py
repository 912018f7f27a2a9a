"""The hub that the API's tests talk to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.api.hub import Hub, open_hub
from tests.conftest import FakeClock
from valetkey.store.database import Database


@pytest.fixture
async def hub(sqlite_database: Database, clock: FakeClock) -> AsyncIterator[Hub]:
    opened = await open_hub(sqlite_database, clock)
    yield opened
    await opened.services.alerts.settle()
