"""The root key's provider, or a sealed vault, says no for a while: nothing is lost, and the connection works after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.connections.conftest import Hub, OpenHub
from tests.connections.outside import AuthServer, Service
from valetkey.connections.model import Connection, State, StepFailed, TemporarilyUnavailable
from valetkey.connections.points import Point
from valetkey.connections.refresh import Outcome
from valetkey.connections.repository import Seen
from valetkey.identity.model import BrowserSession
from valetkey.kernel import failpoints
from valetkey.kernel.errors import RootKeyUnavailable
from valetkey.vault.release import NotReleased
from valetkey.vault.root_keys.file import FileRootKey


@dataclass
class Provider:
    """The root key's provider, of which a test says when it says no."""

    hub: Hub
    says_no: bool = False

    def deny(self) -> None:
        self.says_no = True
        self.hub.vault.keyring.forget_everything()  # as after a start: what is warm in memory needs no provider

    def deny_at(self, point: Point) -> None:
        failpoints.listen(lambda reached: self.deny() if reached == point else None)

    def allow(self) -> None:
        failpoints.listen(lambda _: None)
        self.says_no = False


@pytest.fixture
def provider(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    made = Provider(hub)
    for name in ("wrap", "unwrap"):
        real = getattr(FileRootKey, name)

        async def answer(root: FileRootKey, *given: bytes, context: bytes, real: object = real) -> object:
            if made.says_no:
                raise RootKeyUnavailable("The key service said no (AccessDenied).")
            return await real(root, *given, context=context)  # type: ignore[operator]  # one of the two above

        monkeypatch.setattr(FileRootKey, name, answer)
    yield made
    made.allow()


@pytest.fixture
async def connection(hub: Hub, ada: BrowserSession, service: Service, server: AuthServer) -> Connection:
    return await hub.connect(ada, await hub.connector(ada.person, service.url), server)


def refreshes(server: AuthServer) -> int:
    return sum(one.form["grant_type"] == "refresh_token" for one in server.posts("/token"))


async def slots(hub: Hub) -> int:
    """How many answers the keyring holds a key for."""
    async with hub.keyring.read() as tx:
        found = await tx.exec_driver_sql("select count(*) from data_key where purpose like 'spool%'")
        return int(found.scalar_one())


@pytest.mark.parametrize("point", [None, Point.REFRESH_PREPARED, Point.REFRESH_ANSWERED, Point.REFRESH_SPOOLED])
async def test_a_refresh_that_the_root_key_stops_is_made_later_and_loses_nothing(
    hub: Hub, connection: Connection, server: AuthServer, provider: Provider, point: Point | None
) -> None:
    """Wherever it stops: before the spool, before the token leaves, and when the new one has come and waits there."""
    old = await hub.bearer(connection)
    hub.clock.advance(3600)
    if point is None:
        provider.deny()
    else:
        provider.deny_at(point)

    outcome = await hub.room.refreshing.refresh(Seen.of(connection))

    assert outcome is Outcome.UNAVAILABLE
    during = await hub.now(connection)
    assert during.state is State.CONNECTED
    assert during.state_reason == "Temporarily unavailable: The key service said no (AccessDenied)."
    has_come = point in (Point.REFRESH_ANSWERED, Point.REFRESH_SPOOLED)
    assert (refreshes(server), await slots(hub)) == ((1, 1) if has_come else (0, 0))

    provider.allow()
    hub.clock.advance(60)
    new = await hub.bearer(connection)

    assert new != old
    assert server.lets_in(new)
    assert refreshes(server) == 1
    assert await slots(hub) == 0
    assert (await hub.now(connection)).state_reason == ""
    assert "connection.reconnect_needed" not in await hub.events()


async def test_an_answer_in_the_spool_waits_while_the_root_key_says_no(
    hub: Hub, open_hub: OpenHub, connection: Connection, server: AuthServer, provider: Provider
) -> None:
    """The old refresh token is not tried again meanwhile: it is used up, and would end the whole family."""
    hub.clock.advance(3600)
    provider.deny_at(Point.REFRESH_SPOOLED)
    await hub.room.refreshing.refresh(Seen.of(connection))

    started = open_hub()
    await started.room.start()
    hub.clock.advance(60)
    again = await hub.room.refreshing.refresh(Seen.of(await hub.now(connection)))

    assert again is Outcome.UNAVAILABLE
    assert (refreshes(server), await slots(hub)) == (1, 1)
    provider.allow()
    await started.room.start()
    assert server.lets_in(await started.bearer(connection))
    assert (refreshes(server), await slots(hub)) == (1, 0)


async def test_a_call_that_the_root_key_stops_is_told_so_and_the_connection_stays(
    hub: Hub, open_hub: OpenHub, connection: Connection, server: AuthServer, provider: Provider
) -> None:
    cold = open_hub()
    provider.deny()

    with pytest.raises(TemporarilyUnavailable, match=r"cannot be opened just now. The key service said no"):
        await cold.bearer(connection)

    assert (await hub.now(connection)).state is State.CONNECTED
    provider.allow()
    assert server.lets_in(await cold.bearer(connection))


async def test_a_sealed_vault_renews_nothing_and_ends_nothing(
    hub: Hub, open_hub: OpenHub, connection: Connection, server: AuthServer
) -> None:
    hub.clock.advance(3600)
    await hub.vault.seal_shut()

    assert await hub.room.refreshing.refresh(Seen.of(connection)) is Outcome.UNAVAILABLE
    with pytest.raises(NotReleased, match="sealed"):
        await hub.bearer(connection)

    during = await hub.now(connection)
    assert during.state is State.CONNECTED
    assert "The vault is sealed" in during.state_reason
    assert (refreshes(server), await slots(hub)) == (0, 0)
    hub.clock.advance(60)
    started = open_hub()  # which lifts it
    assert server.lets_in(await started.bearer(connection))


@pytest.mark.parametrize("when", ["leaving", "coming back", "tokens came"])
async def test_connecting_says_that_the_vault_is_not_available_and_works_when_it_is(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, provider: Provider, when: str
) -> None:
    connector = await hub.connector(ada.person, service.url)

    async def connect() -> Connection:
        attempt = await hub.room.connecting.begin(ada, connector)
        if when == "leaving":
            provider.deny()
        seen = attempt.facts
        url = await hub.room.connecting.accept(attempt.id, ada, seen.hash, seen.scopes)
        if when == "coming back":
            provider.deny()
        provider.deny_at(Point.CONNECT_EMPTIED)
        return await hub.come_back(ada, attempt, server.consent(url))

    with pytest.raises(StepFailed, match=r"vault is not available just now. The key service said no") as failed:
        await connect()

    assert failed.value.kind == "unreachable"
    assert failed.value.reference
    account = await hub.room.connections.list(ada.person.id)
    assert [one.state for one in account] == [State.NOT_CONNECTED]
    provider.allow()
    assert server.lets_in(await hub.bearer(await hub.connect(ada, connector, server)))


async def test_disconnecting_goes_on_without_the_root_key(hub: Hub, connection: Connection, provider: Provider) -> None:
    provider.deny()

    receipt = await hub.room.disconnecting.disconnect(connection.person_id, connection.id, by="person:ada")

    assert receipt.revocation == "failed"
    assert not (await hub.vault.mark(connection.id)).names
