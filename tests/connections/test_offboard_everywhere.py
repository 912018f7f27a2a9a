"""ORG-20: who is offboarded on one replica is out on every other within five seconds, with all that acts for them."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.connections.conftest import Hub, OpenHub
from tests.connections.outside import AuthServer, Service
from tests.connections.test_leave import House, _connect
from valetkey.identity.model import Person, Role
from valetkey.identity.sessions import Sessions
from valetkey.kernel.errors import NotConnected, NotFound, NotSignedIn
from valetkey.privacy.offboard import Offboarding
from valetkey.store.notify import EVERYTHING

SECONDS = 5.0
TOPICS = ("people", "sessions", "tokens", "connections")


@pytest.fixture
def engine() -> str:
    return "postgresql"


def told(hub: Hub, topic: str, key: str) -> asyncio.Event:
    """Is set when the replica hears that."""
    heard = asyncio.Event()

    def hear(said: str) -> None:
        if said == key:
            heard.set()

    hub.notifications.subscribe(topic, hear)
    return heard


async def listening(hub: Hub) -> None:
    """Once it hears the others, a replica drops all that it remembers: that is the sign."""
    heard = told(hub, "people", EVERYTHING)
    await hub.notifications.start()
    await asyncio.wait_for(heard.wait(), 20)


@pytest.mark.parametrize("how", ["deactivated by the directory", "removed for good"])
async def test_who_is_offboarded_on_one_replica_is_out_on_the_other_within_five_seconds(
    open_hub: OpenHub, service: Service, server: AuthServer, how: str
) -> None:
    """Warm there in every way: a browser, a token, a ticket. Timed by what the other replica hears, not by sleeping."""
    here, there = open_hub(), open_hub()
    house, other = House(here), House(there)
    sessions = Sessions(there.main, clock=there.clock, notifications=there.notifications)
    company = (await house.organizations.create("Engines", "organization")).id
    await house.member("boss", company, Role.OWNER)
    ada: Person = await house.member("ada", company)
    connection = await _connect(house, ada, service, server)
    token, _ = await house.tokens.create_personal(ada, "laptop", "/mcp", (), 3600.0)
    cookie = await sessions.begin(ada, "password", "Firefox")
    await listening(there)
    heard = [told(there, topic, ada.id) for topic in TOPICS]
    assert server.lets_in(await there.bearer(connection))
    assert (await other.tokens.authenticate(token.reveal(), audience="/mcp")).person_id == ada.id
    assert await sessions.find(cookie) is not None
    leaving = Offboarding(house.people, here.room.disconnecting, house.days, house.holds, here.trail)

    began = time.monotonic()
    if how == "removed for good":
        await leaving.remove(ada.id, by="person:boss")
    else:
        await leaving.suspend(ada.id, by="scim:pt_1")
    await asyncio.wait_for(asyncio.gather(*(event.wait() for event in heard)), SECONDS)
    took = time.monotonic() - began

    with pytest.raises(NotSignedIn):
        await other.tokens.authenticate(token.reveal(), audience="/mcp")
    assert other.tokens.authenticate_now(token.reveal(), "/mcp") is None
    assert await sessions.find(cookie) is None
    assert there.room.credentials.ticket_now(connection.id, person_id=ada.id, call_id="call_2") is None
    with pytest.raises((NotConnected, NotFound)):
        await there.bearer(connection)
    assert {hint for hint, _ in server.revoked} == {"refresh_token", "access_token"}
    assert (await other.people.get(ada.id)).state == "disabled"
    assert took < SECONDS
    await there.notifications.stop()
