"""DIR-15: what is taken down on one replica is frozen on every other within a minute; it is within seconds.

That no call leaves for what is frozen so, and that calls under way end, `tests/gateway/test_quarantine.py` plays.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy import update

from tests.connections.conftest import OpenHub
from tests.connections.outside import AuthServer, Service
from tests.connections.test_leave import House, _connect
from tests.connections.test_offboard_everywhere import listening, told
from valetkey.connections.quarantine import TOPIC
from valetkey.identity.model import Role
from valetkey.store.notify import EVERYTHING
from valetkey.store.schema import connector

SECONDS = 10.0
"""Of the minute that is asked for, with a machine that has much else to do."""


@pytest.fixture
def engine() -> str:
    return "postgresql"


async def test_dir_15_what_is_taken_down_on_one_replica_is_frozen_on_the_other(
    open_hub: OpenHub, service: Service, server: AuthServer
) -> None:
    """Remembered there as enabled before, and with a ticket out. Timed by what is heard, not by sleeping."""
    here, there = open_hub(), open_hub()
    house = House(here)
    company = (await house.organizations.create("Engines", "organization")).id
    connection = await _connect(house, await house.member("ada", company, Role.OWNER), service, server)
    async with here.main.write() as tx:
        await tx.execute(update(connector).where(connector.c.id == connection.connector_id).values(listing="notes"))
    await listening(there)
    remembered = await there.connectors.by_id(connection.connector_id)
    assert server.lets_in(await there.bearer(connection))
    heard = told(there, TOPIC, EVERYTHING)

    began = time.monotonic()
    await here.room.quarantine.of_listing("notes", reason="It was sold.", by="operator")
    await asyncio.wait_for(heard.wait(), SECONDS)
    frozen = await there.connectors.by_id(connection.connector_id)
    took = time.monotonic() - began

    assert (remembered.state, frozen.state) == ("enabled", "delisted")
    assert await there.room.quarantine.why_down(frozen) == "It was sold."
    assert took < SECONDS
    await there.notifications.stop()
