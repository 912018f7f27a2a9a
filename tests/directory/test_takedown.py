"""DIR-15: a listing that the operator takes down is frozen in every organization, and as it was when it is put back."""

from __future__ import annotations

import pytest

from tests.conftest import FakeClock
from tests.directory.rows import add_person
from tests.directory.test_connectors import ADA, BOB
from tests.directory.test_listings import listing
from valetkey.directory.connectors import Connectors
from valetkey.directory.listings import Listings
from valetkey.kernel.errors import NotFound
from valetkey.net.url import parse_url
from valetkey.store.database import Database
from valetkey.store.notify import Notifications


async def test_a_listing_that_is_taken_down_is_delisted_everywhere_and_put_back_as_it_was(
    database: Database, clock: FakeClock
) -> None:
    for one in (ADA, BOB):
        await add_person(database, one.id, organization_id=one.organization_id)
    notifications = Notifications(database)
    directory = Connectors(
        database, notifications, clock=clock, parse_url=parse_url, listings=Listings([listing(), listing("other")])
    )
    hers = await directory.add_listed(ADA, "notes")
    other = await directory.add_custom(ADA, name="Another", url="https://another.example/mcp")
    await directory.set_state(hers.id, "blocked")
    assert (await directory.by_id(hers.id)).state == "blocked"  # remembered from here on

    await directory.take_down("notes", "It was sold.")
    await directory.take_down("notes", "It was sold.")
    his = await directory.add_listed(BOB, "notes")
    await directory.set_state(hers.id, "enabled")
    down = [(await directory.by_id(one.id)).state for one in (hers, his, other)]
    await directory.set_state(hers.id, "blocked")
    await directory.put_back("notes")
    back = [(await directory.by_id(one.id)).state for one in (hers, his, other)]

    assert down == ["delisted", "delisted", "enabled"]
    assert back == ["blocked", "enabled", "enabled"]
    with pytest.raises(NotFound):
        await directory.put_back("notes")
