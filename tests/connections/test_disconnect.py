"""Disconnecting: the promise that the credential is gone, whatever else is going on (S-20, VLT-04, VLT-05, VLT-11)."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select, text

from tests.connections.conftest import Hub, OpenHub
from tests.connections.outside import Answer, AuthServer, Service
from valetkey.connections.model import Connection, State
from valetkey.connections.quarantine import TOPIC as QUARANTINE
from valetkey.connections.repository import Seen
from valetkey.directory.access.model import ANYWHERE
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import NotConnected, NotFound, ValetkeyError
from valetkey.store.notify import EVERYTHING
from valetkey.store.schema import data_key, secret
from valetkey.vault.model import TicketSpent
from valetkey.vault.tickets import Ticket as OpenTicket
from valetkey.vault.verbs import Ticket


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def connection(hub: Hub, ada: BrowserSession, service: Service, server: AuthServer) -> Connection:
    return await hub.connect(ada, await hub.connector(ada.person, service.url), server)


async def _nothing_is_left(hub: Hub, connection: Connection) -> None:
    async with hub.main.read() as tx:
        assert (await tx.execute(select(secret).where(secret.c.subject == connection.id))).first() is None
    async with hub.keyring.read() as tx:
        assert (await tx.execute(select(data_key).where(data_key.c.subject == connection.id))).first() is None
    with pytest.raises(NotConnected):
        await hub.bearer(connection)


async def test_disconnecting_revokes_destroys_tells_and_gives_a_receipt(
    hub: Hub, ada: BrowserSession, connection: Connection, server: AuthServer
) -> None:
    token = await hub.bearer(connection)

    receipt = await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by=f"person:{ada.person.id}")

    # CON-34: once each, the refresh token first, as the client that we are there: another is answered 401.
    assert [hint for hint, _ in server.revoked] == ["refresh_token", "access_token"]
    assert len(server.posts("/revoke")) == 2
    assert not server.lets_in(token)
    await _nothing_is_left(hub, connection)
    after = await hub.now(connection)
    assert (after.state, after.granted_scope, after.generation) == (State.NOT_CONNECTED, "", 0)
    assert (receipt.keys_destroyed, receipt.revocation, receipt.label) == (2, "confirmed", "main")
    assert receipt.unrecoverable_after > receipt.at
    assert await hub.room.disconnecting.receipt(ada.person.id, receipt.id) == receipt
    assert await hub.room.disconnecting.receipts(ada.person.id) == [receipt]
    assert hub.ended == [connection.id]
    assert (await hub.events())[-1] == "connection.disconnected"


async def test_a_receipt_is_its_persons_own(hub: Hub, ada: BrowserSession, connection: Connection) -> None:
    bob = await hub.person("bob")
    receipt = await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    with pytest.raises(NotFound):
        await hub.room.disconnecting.receipt(bob.id, receipt.id)


async def test_a_ticket_that_is_out_writes_nothing_any_more(
    hub: Hub, ada: BrowserSession, connection: Connection
) -> None:
    """S-03 (a): the call in flight."""
    ticket = await hub.room.credentials.ticket(connection.id, person_id=ada.person.id, call_id="call_1")
    assert ticket is not None
    await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    with pytest.raises(TicketSpent):
        ticket.write_into(memoryview(bytearray(ticket.size)))


async def test_tickets_end_before_the_service_has_answered(
    hub: Hub, ada: BrowserSession, connection: Connection, server: AuthServer
) -> None:
    await hub.bearer(connection)
    out = await hub.room.credentials.ticket(connection.id, person_id=ada.person.id, call_id="call_1")
    assert out is not None
    server.gate.clear()
    ending = asyncio.create_task(hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada"))
    while not server.posts("/revoke"):
        await asyncio.sleep(0.01)

    assert hub.room.credentials.ticket_now(connection.id, person_id=ada.person.id, call_id="call_1") is None
    with pytest.raises(NotConnected) as caught:
        await hub.bearer(connection)
    assert caught.value.reason == "disconnecting"
    with pytest.raises(TicketSpent):
        out.write_into(memoryview(bytearray(out.size)))

    server.gate.set()
    assert (await ending).revocation == "confirmed"


@pytest.mark.parametrize("how", ["down", "500", "404", "not offered"])
async def test_it_works_when_the_service_does_not_and_says_so(
    hub: Hub, ada: BrowserSession, connection: Connection, server: AuthServer, how: str
) -> None:
    """S-03 (b)."""
    if how == "down":
        await server.close()
    elif how == "not offered":
        server.offers_revocation = False
        hub.clock.advance(301)
        await hub.room.servers.renew(
            server.issuer,
            allow_http=True,
            reach=ANYWHERE,
            steps=hub.room.trace.of(person_id=ada.person.id, connection_id=connection.id),
        )
    else:
        server.answers["/revoke"] = Answer(int(how))

    receipt = await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    assert receipt.revocation == ("unsupported" if how == "not offered" else "failed")
    assert "yourself" in receipt.revocation_detail
    assert receipt.keys_destroyed == 2
    await _nothing_is_left(hub, connection)


@pytest.mark.parametrize("state", ["blocked", "delisted"])
async def test_it_works_when_the_connector_is_blocked_or_gone_from_the_directory(
    hub: Hub, ada: BrowserSession, connection: Connection, state: str
) -> None:
    """S-03 (c), (d)."""
    await hub.connectors.set_state(connection.connector_id, state)  # type: ignore[arg-type]  # both are states

    receipt = await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    assert receipt.revocation == "confirmed"
    await _nothing_is_left(hub, connection)


async def test_a_refresh_under_way_does_not_bring_the_token_back(
    hub: Hub, ada: BrowserSession, connection: Connection, server: AuthServer
) -> None:
    """S-20 (b): the answer comes after the disconnect has begun; what it brings is revoked and not kept."""
    server.gate.clear()
    refreshing = hub.room.refreshing.begin(Seen.of(connection))
    while len(server.posts("/token")) < 2:
        await asyncio.sleep(0.01)
    ending = asyncio.create_task(hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada"))
    for _ in range(20):  # it is let to its end first, so that nothing goes out after the receipt
        await asyncio.sleep(0.01)
        assert server.posts("/revoke") == []
    assert (await hub.now(connection)).state is State.DISCONNECTING

    server.gate.set()
    await asyncio.gather(refreshing, ending)

    await _nothing_is_left(hub, connection)
    assert (await hub.now(connection)).state is State.NOT_CONNECTED
    assert not any(grant.is_live for grant in server.access.values())


async def test_a_refresh_in_another_process_does_not_bring_the_token_back(
    open_hub: OpenHub, service: Service, server: AuthServer
) -> None:
    """The answer arrives when everything is over: nothing is written, and the new tokens are given back."""
    one, other = open_hub(), open_hub()
    await one.vault.start("dep_test")
    ada = one.browser(await one.person("ada"))
    connection = await one.connect(ada, await one.connector(ada.person, service.url), server)
    held = server.gate
    held.clear()
    refreshing = other.room.refreshing.begin(Seen.of(connection))
    while len(server.posts("/token")) < 2:
        await asyncio.sleep(0.01)
    server.gate = asyncio.Event()
    server.gate.set()
    await one.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    held.set()
    await refreshing

    await _nothing_is_left(one, connection)
    await _nothing_is_left(other, connection)
    assert not any(grant.is_live for grant in server.access.values())


async def test_an_attempt_under_way_does_not_survive_the_disconnect(
    hub: Hub, ada: BrowserSession, connection: Connection, service: Service, server: AuthServer
) -> None:
    attempt, url = await hub.go(ada, await hub.connectors.by_id(connection.connector_id))
    answer = server.consent(url)

    await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    with pytest.raises(NotFound):
        await hub.come_back(ada, attempt, answer)
    assert (await hub.vault.mark(attempt.id)).names == frozenset()
    await _nothing_is_left(hub, connection)


async def test_disconnecting_all_ends_every_connection_of_the_person_and_nobody_elses(
    hub: Hub, ada: BrowserSession, connection: Connection, service: Service, server: AuthServer
) -> None:
    bob = hub.browser(await hub.person("bob"))
    connector = await hub.connectors.by_id(connection.connector_id)
    work = await hub.connect(ada, connector, server, label="work")
    bobs = await hub.connect(bob, connector, server)

    receipts = await hub.room.disconnecting.disconnect_all(ada.person.id, by=f"person:{ada.person.id}")

    assert {receipt.label for receipt in receipts} == {"main", "work"}
    await _nothing_is_left(hub, connection)
    await _nothing_is_left(hub, work)
    assert server.lets_in(await hub.bearer(bobs))


async def test_twice_is_as_good_as_once(hub: Hub, ada: BrowserSession, connection: Connection) -> None:
    first, second = await asyncio.gather(
        *(hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada") for _ in range(2))
    )

    assert {first.keys_destroyed, second.keys_destroyed} <= {0, 2}
    await _nothing_is_left(hub, connection)
    assert (await hub.now(connection)).state is State.NOT_CONNECTED


async def test_a_caller_who_goes_away_does_not_stop_it(
    hub: Hub, ada: BrowserSession, connection: Connection, server: AuthServer
) -> None:
    server.gate.clear()
    caller = asyncio.create_task(hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada"))
    while not server.posts("/revoke"):
        await asyncio.sleep(0.01)

    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    server.gate.set()
    await hub.room.disconnecting.stop()

    await _nothing_is_left(hub, connection)
    assert len(await hub.room.disconnecting.receipts(ada.person.id)) == 1


async def test_what_a_crash_cut_off_is_finished_by_the_next_start(
    open_hub: OpenHub, service: Service, server: AuthServer
) -> None:
    crashed = open_hub()
    await crashed.vault.start("dep_test")
    ada = crashed.browser(await crashed.person("ada"))
    connection = await crashed.connect(ada, await crashed.connector(ada.person, service.url), server)
    async with crashed.main.write() as tx:
        await tx.execute(text("update connection set state = 'disconnecting'"))

    restarted = open_hub()
    await restarted.room.start()
    await restarted.room.disconnecting.stop()

    await _nothing_is_left(restarted, connection)
    (receipt,) = await restarted.room.disconnecting.receipts(ada.person.id)
    assert (receipt.keys_destroyed, receipt.revocation) == (2, "confirmed")
    assert restarted.ended == [connection.id]


async def test_a_token_that_no_connection_owns_up_to_is_destroyed_at_the_start(
    hub: Hub, connection: Connection
) -> None:
    """A crash between sealing and writing it down."""
    async with hub.main.write() as tx:
        await tx.execute(text("update connection set state = 'not_connected'"))

    assert await hub.room.disconnecting.resume() == 1

    await _nothing_is_left(hub, connection)


async def test_who_derived_something_is_asked_before_the_receipt_and_a_failure_is_finished_later(
    open_hub: OpenHub, service: Service, server: AuthServer
) -> None:
    hub = open_hub()
    await hub.vault.start("dep_test")
    ada = hub.browser(await hub.person("ada"))
    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)
    broken = [True]

    async def forgets(_connection: Connection) -> None:
        if broken:
            raise ValetkeyError("The cache is stuck.")

    hub.room.disconnecting._on_ended = [forgets]

    with pytest.raises(ValetkeyError, match="stuck"):
        await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")
    state = (await hub.now(connection)).state
    broken.clear()
    await hub.room.start()
    await hub.room.disconnecting.stop()

    assert state is State.DISCONNECTING
    await _nothing_is_left(hub, connection)
    assert (await hub.now(connection)).state is State.NOT_CONNECTED


async def test_another_connection_at_the_same_server_is_warned_of_before_and_named_after(
    hub: Hub, ada: BrowserSession, connection: Connection, server: AuthServer
) -> None:
    """CON-34."""
    work = await hub.connect(ada, await hub.connectors.by_id(connection.connector_id), server, label="work")

    shared = await hub.room.disconnecting.shared_with(await hub.now(connection))
    receipt = await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    assert [one.id for one in shared] == [work.id]
    assert "work" in receipt.revocation_detail


async def test_a_lost_vault_is_no_reason_to_stay_connected(
    hub: Hub, ada: BrowserSession, connection: Connection
) -> None:
    async with hub.keyring.write() as tx:
        await tx.execute(data_key.delete().where(data_key.c.subject == connection.id))
    await hub.notifications.publish("connections", ada.person.id)

    with pytest.raises(NotConnected):
        await hub.bearer(connection)
    assert (await hub.now(connection)).state is State.RECONNECT
    receipt = await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    assert receipt.keys_destroyed == 0
    await _nothing_is_left(hub, connection)


async def test_connecting_again_after_a_disconnect_takes_a_new_consent(
    hub: Hub, ada: BrowserSession, connection: Connection, server: AuthServer
) -> None:
    await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    again = await hub.connect(ada, await hub.connectors.by_id(connection.connector_id), server)

    assert again.id == connection.id
    assert server.lets_in(await hub.bearer(again))
    assert len([one for one in server.posts("/token") if one.form["grant_type"] == "authorization_code"]) == 2


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_on_every_replica_what_was_warm_is_cold_within_a_second(
    open_hub: OpenHub, service: Service, server: AuthServer
) -> None:
    """2.8: a ticket that the other replica could give from memory, without asking anybody, and one that is out."""
    one, other = open_hub(), open_hub()
    await one.vault.start("dep_test")
    for hub in (one, other):
        await hub.notifications.start()
    ada = one.browser(await one.person("ada"))
    connection = await one.connect(ada, await one.connector(ada.person, service.url), server)
    await other.bearer(connection)
    mine = {"person_id": ada.person.id, "call_id": "call_1"}
    out = other.room.credentials.ticket_now(connection.id, **mine)
    assert out is not None

    await one.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")
    async with asyncio.timeout(1):
        while other.room.credentials.ticket_now(connection.id, **mine) is not None:
            await asyncio.sleep(0.01)
        while not _is_dead(out):
            await asyncio.sleep(0.01)

    for hub in (one, other):
        await hub.notifications.stop()


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("whose", ["person", "organization"])
async def test_a_quarantine_holds_on_every_replica_within_five_seconds(
    open_hub: OpenHub, service: Service, server: AuthServer, whose: str
) -> None:
    """Two hubs on one database: what is warm at the other is cold, what is out is dead, and it hears whom to cut."""
    one, other = open_hub(), open_hub()
    await one.vault.start("dep_test")
    heard: list[str] = []
    other.notifications.subscribe(QUARANTINE, heard.append)
    for hub in (one, other):
        await hub.notifications.start()
    ada = one.browser(await one.person("ada"))
    connection = await one.connect(ada, await one.connector(ada.person, service.url), server)
    await other.bearer(connection)
    mine = {"person_id": ada.person.id, "call_id": "call_1"}
    out = other.room.credentials.ticket_now(connection.id, **mine)
    assert out is not None

    if whose == "person":
        await one.room.quarantine.of_connection(ada.person.id, connection.id, on=True, by="person:ada")
    else:
        connector = await one.connectors.by_id(connection.connector_id)
        await one.room.quarantine.of_connector(connector, on=True, by="person:olga", person_id="")
    async with asyncio.timeout(5):
        while other.room.credentials.ticket_now(connection.id, **mine) is not None or not _is_dead(out):
            await asyncio.sleep(0.01)
        while not {connection.id, connection.connector_id} & set(heard):
            await asyncio.sleep(0.01)

    with pytest.raises(NotConnected, match="in quarantine"):
        await other.room.credentials.ticket(connection.id, **mine)
    assert await other.room.quarantine.affected(heard[-1]) == [connection.id]
    assert await other.room.quarantine.affected(EVERYTHING) == [connection.id]
    for hub in (one, other):
        await hub.notifications.stop()


def _is_dead(ticket: Ticket) -> bool:
    """Whether a ticket of the subject can be written no more; looks at its gate, since writing would use it up."""
    assert isinstance(ticket, OpenTicket)
    return all(opened.gate.is_closed for opened in ticket.values)
