"""The rooms on both engines (`rooms`), and on SQLite alone where the database plays no part (`quick_rooms`)."""

from __future__ import annotations

import pytest

from tests.conftest import FakeClock
from tests.identity.rooms import Rooms
from valetkey.store.database import Database


@pytest.fixture
def rooms(database: Database, clock: FakeClock) -> Rooms:
    return Rooms(database, clock)


@pytest.fixture
def quick_rooms(sqlite_database: Database, clock: FakeClock) -> Rooms:
    return Rooms(sqlite_database, clock)
