"""A deployment gets its id once."""

from __future__ import annotations

import asyncio

from tests.conftest import FakeClock
from valetkey.store.database import Database
from valetkey.store.deployment import find_or_create_deployment


async def test_hubs_that_start_together_are_one_deployment(database: Database, clock: FakeClock) -> None:
    found = await asyncio.gather(
        *(find_or_create_deployment(database, public_url="http://localhost:1", clock=clock) for _ in range(8))
    )

    assert len({each.id for each in found}) == 1


async def test_a_changed_public_url_is_noticed_once(database: Database, clock: FakeClock) -> None:
    await find_or_create_deployment(database, public_url="https://old.example", clock=clock)

    noticed = await find_or_create_deployment(database, public_url="https://new.example", clock=clock)
    again = await find_or_create_deployment(database, public_url="https://new.example", clock=clock)

    assert (noticed.public_url, again.public_url) == ("https://old.example", "https://new.example")
