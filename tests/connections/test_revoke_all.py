"""Ending everybody's connections: at the services and here, once begun to the end, and nobody else's."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.connections.conftest import Hub, OpenHub
from tests.connections.outside import AuthServer, Service
from valetkey.connections.model import Connection, OfConnector, OfHub, OfOrganization, State
from valetkey.directory.model import Connector
from valetkey.kernel.errors import NotConnected
from valetkey.store.schema import data_key, trail_event


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def _many(hub: Hub, service: Service, server: AuthServer, *organizations: str) -> list[Connection]:
    """A person of each organization, connected to the organization's connector to one service."""
    made: list[Connection] = []
    connectors: dict[str, Connector] = {}
    for number, organization in enumerate(organizations):
        who = hub.browser(await hub.person(f"person{number}", organization_id=organization))
        if organization not in connectors:
            connectors[organization] = await hub.connector(who.person, service.url)
        made.append(await hub.connect(who, connectors[organization], server))
    return made


async def _states(hub: Hub, connections: list[Connection]) -> list[State]:
    return [(await hub.now(one)).state for one in connections]


async def test_every_connection_of_the_hub_is_revoked_and_destroyed_and_each_person_gets_a_receipt(
    hub: Hub, service: Service, server: AuthServer
) -> None:
    connections = await _many(hub, service, server, "org_1", "org_1", "org_2")

    done = await hub.room.revoking.run(OfHub(), began_at=hub.room.revoking.begin(), by="operator", seconds=60)

    assert (done.ended, done.unconfirmed, done.left, done.is_done) == (3, 0, 0, True)
    assert await _states(hub, connections) == [State.NOT_CONNECTED] * 3
    assert len(server.revoked) == 6
    for one in connections:
        assert len(await hub.room.disconnecting.receipts(one.person_id)) == 1
    async with hub.keyring.read() as tx:
        left = set(await tx.scalars(select(data_key.c.subject)))
    assert not left & {one.id for one in connections}
    async with hub.main.read() as tx:
        events = select(trail_event.c.actor).where(trail_event.c.event == "connection.disconnected")
        assert set(await tx.scalars(events)) == {"operator"}


async def test_of_one_organization_or_to_one_connector_means_those_and_no_others(
    hub: Hub, service: Service, server: AuthServer
) -> None:
    connections = await _many(hub, service, server, "org_1", "org_2", "org_1", "org_3")
    began_at = hub.room.revoking.begin()

    await hub.room.revoking.run(OfOrganization("org_2"), began_at=began_at, by="operator", seconds=60)
    after_one = await _states(hub, connections)
    still_works = server.lets_in(await hub.bearer(connections[0]))
    await hub.room.revoking.run(OfConnector(connections[2].connector_id), began_at=began_at, by="x", seconds=60)

    assert after_one == [State.CONNECTED, State.NOT_CONNECTED, State.CONNECTED, State.CONNECTED]
    assert still_works
    assert await _states(hub, connections) == [*[State.NOT_CONNECTED] * 3, State.CONNECTED]


async def test_when_time_is_up_nobody_can_use_what_is_left_and_the_next_call_goes_on(
    hub: Hub, service: Service, server: AuthServer
) -> None:
    connections = await _many(hub, service, server, "org_1", "org_1", "org_1")
    began_at = hub.room.revoking.begin()

    first = await hub.room.revoking.run(OfHub(), began_at=began_at, by="operator", seconds=0)
    for one in connections:
        with pytest.raises(NotConnected):
            await hub.bearer(one)
    second = await hub.room.revoking.run(OfHub(), began_at=began_at, by="operator", seconds=60)

    assert (first.ended, first.left, first.is_done) == (0, 3, False)
    assert (second.ended, second.left, second.is_done) == (3, 0, True)
    assert len(server.revoked) == 6


async def test_what_a_crash_leaves_of_it_the_next_start_finishes(
    open_hub: OpenHub, service: Service, server: AuthServer
) -> None:
    hub = open_hub()
    await hub.vault.start("dep_test")
    connections = await _many(hub, service, server, "org_1", "org_1")
    await hub.room.revoking.run(OfHub(), began_at=hub.room.revoking.begin(), by="operator", seconds=0)

    restarted = open_hub()
    await restarted.room.start()
    await restarted.room.disconnecting.stop()

    assert await _states(restarted, connections) == [State.NOT_CONNECTED] * 2
    assert len(server.revoked) == 4


async def test_a_service_that_is_away_is_counted_and_keeps_nothing_alive_here(
    hub: Hub, service: Service, server: AuthServer
) -> None:
    connections = await _many(hub, service, server, "org_1", "org_1")
    await server.close()

    done = await hub.room.revoking.run(OfHub(), began_at=hub.room.revoking.begin(), by="operator", seconds=60)

    assert (done.ended, done.unconfirmed, done.is_done) == (2, 2, True)
    assert await _states(hub, connections) == [State.NOT_CONNECTED] * 2


async def test_who_connects_anew_after_the_beginning_is_not_chased(
    hub: Hub, service: Service, server: AuthServer
) -> None:
    [old] = await _many(hub, service, server, "org_1")
    began_at = hub.room.revoking.begin()
    await hub.room.revoking.run(OfHub(), began_at=began_at, by="operator", seconds=60)
    hub.clock.advance(1)
    who = hub.browser(await hub.person("bob"))
    new = await hub.connect(who, await hub.connectors.by_id(old.connector_id), server)

    again = await hub.room.revoking.run(OfHub(), began_at=began_at, by="operator", seconds=60)

    assert (again.ended, again.is_done) == (0, True)
    assert (await hub.now(new)).state is State.CONNECTED
