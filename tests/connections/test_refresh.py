"""Refreshing: exactly once, never lost, ended by nothing but the server's word."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.connections.conftest import Hub, OpenHub
from tests.connections.outside import Answer, AuthServer, Service
from valetkey.connections.model import Connection, State, TemporarilyUnavailable
from valetkey.connections.refresh import Outcome
from valetkey.connections.repository import Seen
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import NotConnected


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def connection(hub: Hub, ada: BrowserSession, service: Service, server: AuthServer) -> Connection:
    """Ada's account, connected; its access token lives an hour."""
    return await hub.connect(ada, await hub.connector(ada.person, service.url), server)


def _refreshes(server: AuthServer) -> int:
    return sum(one.form["grant_type"] == "refresh_token" for one in server.posts("/token"))


async def test_an_expired_token_is_renewed_before_it_is_used(
    hub: Hub, connection: Connection, service: Service, server: AuthServer
) -> None:
    old = await hub.bearer(connection)
    hub.clock.advance(3600)

    new = await hub.bearer(connection)

    assert new != old
    assert server.lets_in(new)
    request = server.posts("/token")[-1]
    assert request.form["resource"] == service.url
    assert "scope" not in request.form
    after = await hub.now(connection)
    assert after.expires_at == hub.clock.now() + timedelta(seconds=3540)
    assert after.granted_scope == connection.granted_scope


async def test_a_renewal_is_in_the_trail_before_it_happens_and_does_not_happen_when_it_cannot_be(
    hub: Hub, connection: Connection, server: AuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I4 for the refresh token, which leaves the vault as a call's credential does (T15)."""
    hub.clock.advance(3600)

    async def fails(*_args: object, **_more: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(hub.trail, "write", fails)
        with pytest.raises(OSError, match="disk is full"):
            await hub.bearer(connection)
    assert _refreshes(server) == 0

    await hub.bearer(connection)

    assert _refreshes(server) == 1
    assert (await hub.events())[-1] == "connection.refresh"


async def test_a_month_in_which_nobody_asks_for_anything_asks_nobody_for_anything(
    hub: Hub, open_hub: OpenHub, connection: Connection, service: Service, server: AuthServer
) -> None:
    """S-22 (a): renewing waits for a call, whatever has expired meanwhile, and a start renews nothing either."""
    before = len(server.asked), len(service.asked)

    for _ in range(30):
        hub.clock.advance(86_400)
    again = open_hub()
    await again.vault.start("dep_test")
    await again.room.start()
    await again.room.disconnecting.stop()

    assert (len(server.asked), len(service.asked)) == before
    assert server.lets_in(await again.bearer(connection))


async def test_a_token_near_its_end_is_renewed_beside_the_call(
    hub: Hub, connection: Connection, server: AuthServer
) -> None:
    """CON-21: within five minutes of its expiry; the call does not wait for it."""
    old = await hub.bearer(connection)
    hub.clock.advance(3540 - 299)
    server.gate.clear()

    during = await hub.bearer(connection)
    server.gate.set()
    await hub.room.refreshing.settle(connection.id, seconds=5)
    after = await hub.bearer(connection)

    assert during == old
    assert after != old
    assert _refreshes(server) == 1


async def test_fifty_callers_at_expiry_make_one_refresh(hub: Hub, connection: Connection, server: AuthServer) -> None:
    """CON-22; the server ends the whole family if a refresh token comes twice."""
    hub.clock.advance(3600)

    tokens = await asyncio.gather(*(hub.bearer(connection) for _ in range(50)))

    assert _refreshes(server) == 1
    assert len(set(tokens)) == 1
    assert server.lets_in(tokens[0])


async def test_two_processes_at_expiry_make_one_refresh(
    open_hub: OpenHub, service: Service, server: AuthServer
) -> None:
    one, other = open_hub(), open_hub()
    await one.vault.start("dep_test")
    ada = one.browser(await one.person("ada"))
    connection = await one.connect(ada, await one.connector(ada.person, service.url), server)
    one.clock.advance(3600)

    tokens = await asyncio.gather(*(hub.bearer(connection) for hub in (one, other) for _ in range(25)))

    assert _refreshes(server) == 1
    assert len(set(tokens)) == 1
    assert server.lets_in(tokens[0])


async def test_rotation_goes_on_for_as_long_as_the_connection(
    hub: Hub, connection: Connection, server: AuthServer
) -> None:
    seen = set()
    for _ in range(5):
        hub.clock.advance(3600)
        seen.add(await hub.bearer(connection))

    assert (len(seen), _refreshes(server)) == (5, 5)
    assert len({one.form["refresh_token"] for one in server.posts("/token")[1:]}) == 5


async def test_a_server_that_returns_no_refresh_token_means_the_old_one(
    hub: Hub, connection: Connection, server: AuthServer
) -> None:
    server.rotates = False

    for _ in range(3):
        hub.clock.advance(3600)
        assert server.lets_in(await hub.bearer(connection))

    assert len({one.form["refresh_token"] for one in server.posts("/token")[1:]}) == 1
    assert (await hub.now(connection)).has_refresh_token


@pytest.mark.parametrize("says", [True, False])
async def test_a_refresh_does_not_widen_what_was_granted(
    hub: Hub, connection: Connection, server: AuthServer, says: bool
) -> None:
    """S-17 (c): suspended and told, not adopted."""
    server.refresh_scope, server.says_scope = "notes:read notes:write admin", says
    hub.clock.advance(3600)

    if says:
        with pytest.raises(NotConnected) as caught:
            await hub.bearer(connection)
        assert caught.value.reason == "reconnect"
        assert "admin" in (await hub.now(connection)).state_reason
        assert (await hub.events()).count("connection.reconnect_needed") == 1
    else:
        assert server.lets_in(await hub.bearer(connection))
        assert (await hub.now(connection)).granted_scope == connection.granted_scope


@pytest.mark.parametrize(
    "answer",
    [
        Answer(400, {"error": "invalid_grant"}),
        Answer(200, {"error": "invalid_grant"}),
        Answer(401, {"error": "INVALID_GRANT"}),
        Answer(403, {"error": {"code": "invalid_grant"}}),
    ],
)
async def test_a_grant_that_has_ended_ends_the_connection_once(
    hub: Hub, connection: Connection, server: AuthServer, answer: Answer
) -> None:
    """S-21 (a), (b): one refresh, the tokens destroyed, told once, and nobody asks again."""
    server.failures = [answer]
    hub.clock.advance(3600)

    results = await asyncio.gather(*(hub.bearer(connection) for _ in range(10)), return_exceptions=True)

    assert all(isinstance(result, NotConnected) for result in results)
    after = await hub.now(connection)
    assert (after.state, after.has_refresh_token) == (State.RECONNECT, False)
    assert (await hub.vault.mark(connection.id)).names == frozenset()
    assert _refreshes(server) == 1
    assert (await hub.events()).count("connection.reconnect_needed") == 1
    with pytest.raises(NotConnected):
        await hub.bearer(connection)
    assert _refreshes(server) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, b"oops"),
        Answer(503, {"error": "invalid_grant"}),
        Answer(429, b"", {"retry-after": "5"}),
        Answer(403, b"<html>firewall</html>"),
        Answer(400, {"error": "invalid_request"}),
        Answer(400, {"message": "bad"}),
        Answer(200, b"not json"),
        Answer(200, {"token_type": "Bearer"}),
        Answer(200, b"x" * 100_000),
        Answer(404, b""),
        Answer(302, b"", {"location": "https://x.example"}),
    ],
)
async def test_no_other_failure_ends_it_and_it_goes_on_by_itself(
    hub: Hub, connection: Connection, server: AuthServer, answer: Answer
) -> None:
    """CON-23, S-21 (c)."""
    server.failures = [answer]
    hub.clock.advance(3600)

    stale = await hub.bearer(connection)
    during = await hub.now(connection)
    hub.clock.advance(31)
    fresh = await hub.bearer(connection)

    assert (during.state, during.has_refresh_token) == (State.CONNECTED, True)
    assert during.state_reason.startswith("Temporarily unavailable")
    assert stale != fresh
    assert server.lets_in(fresh)
    assert (await hub.now(connection)).state_reason == ""


async def test_failures_are_not_answered_with_a_storm(hub: Hub, connection: Connection, server: AuthServer) -> None:
    server.failures = [Answer(503)] * 100
    hub.clock.advance(3600)

    for _ in range(60):
        await hub.bearer(connection)
        hub.clock.advance(10)

    assert _refreshes(server) <= 8


async def test_a_server_that_is_away_leaves_everything_as_it_is(
    hub: Hub, connection: Connection, server: AuthServer
) -> None:
    await server.close()
    hub.clock.advance(3600)

    await hub.bearer(connection)

    assert (await hub.now(connection)).state is State.CONNECTED
    assert len((await hub.vault.mark(connection.id)).names) == 2


async def test_a_401_means_one_refresh_and_another_try(hub: Hub, connection: Connection, server: AuthServer) -> None:
    """CON-24: with the generation that the ticket says it is of."""
    credentials = hub.room.credentials
    ticket = await credentials.ticket(connection.id, person_id=connection.person_id, call_id="call_1")
    assert ticket is not None

    again = await asyncio.gather(*(credentials.refused(connection.id, ticket.generation) for _ in range(10)))

    assert again == [True] * 10
    assert _refreshes(server) == 1
    newer = await credentials.ticket(connection.id, person_id=connection.person_id, call_id="call_1")
    assert newer is not None
    assert newer.generation != ticket.generation
    assert await credentials.refused(connection.id, ticket.generation)
    assert _refreshes(server) == 1


async def test_a_401_while_the_server_is_down_is_not_taken_for_the_end(
    hub: Hub, connection: Connection, server: AuthServer
) -> None:
    server.failures = [Answer(503)]

    with pytest.raises(TemporarilyUnavailable):
        await hub.room.credentials.refused(connection.id, connection.generation)

    assert (await hub.now(connection)).state is State.CONNECTED


async def test_a_401_without_a_refresh_token_means_reconnect(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    server.gives_refresh_token = False
    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)
    hub.clock.advance(86_400)
    token = await hub.bearer(connection)

    again = await hub.room.credentials.refused(connection.id, connection.generation)

    assert token != ""
    assert not again
    assert (await hub.now(connection)).state is State.RECONNECT


@pytest.mark.parametrize("expires_in", [None, 0, -5, "soon", 10**15, 1, 60])
async def test_a_strange_lifetime_does_not_make_every_call_a_refresh(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, expires_in: Any
) -> None:
    """CON-21."""
    server.expires_in = expires_in
    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)

    for _ in range(20):
        assert server.lets_in(await hub.bearer(connection))
        hub.clock.advance(0.5)

    assert _refreshes(server) <= 2


async def test_whoever_was_overtaken_changes_nothing(open_hub: OpenHub, service: Service, server: AuthServer) -> None:
    """A process that was paused for longer than its lease comes back with an answer; the newer token stands."""
    slow, quick = open_hub(), open_hub()
    await slow.vault.start("dep_test")
    ada = slow.browser(await slow.person("ada"))
    server.rotates = False
    connection = await slow.connect(ada, await slow.connector(ada.person, service.url), server)
    server.gate.clear()
    paused = slow.room.refreshing.begin(Seen.of(connection))
    while _refreshes(server) == 0:
        await asyncio.sleep(0.01)
    held_answer = server.gate
    slow.clock.advance(46)
    server.gate = asyncio.Event()
    server.gate.set()

    newer = await quick.room.refreshing.refresh(Seen.of(connection))
    token = await quick.bearer(connection)
    after_quick = await quick.now(connection)
    held_answer.set()
    outcome = await paused

    assert (newer, outcome) == (Outcome.FRESH, Outcome.FRESH)
    assert _refreshes(server) == 2
    assert await quick.now(connection) == after_quick
    assert await quick.bearer(connection) == token
    assert await slow.bearer(connection) == token


async def test_whoever_was_overtaken_by_one_who_has_not_finished_changes_nothing_either(
    open_hub: OpenHub, service: Service, server: AuthServer
) -> None:
    """Only the lease's fence tells here: nothing has been written since."""
    slow, quick = open_hub(), open_hub()
    await slow.vault.start("dep_test")
    ada = slow.browser(await slow.person("ada"))
    server.rotates = False
    connection = await slow.connect(ada, await slow.connector(ada.person, service.url), server)
    before = await slow.vault.mark(connection.id)
    server.gate.clear()
    paused = slow.room.refreshing.begin(Seen.of(connection))
    while _refreshes(server) == 0:
        await asyncio.sleep(0.01)
    slow.clock.advance(46)
    assert await quick.leases.take(f"refresh:{connection.id}", seconds=45) is not None

    server.gate.set()
    outcome = await paused

    assert outcome is Outcome.UNAVAILABLE
    assert await slow.now(connection) == connection
    assert await slow.vault.mark(connection.id) == before


async def test_a_refresher_that_dies_after_the_answer_is_recovered_from_or_reconnected_once(
    open_hub: OpenHub, service: Service, server: AuthServer
) -> None:
    """CON-22: killed between answer and writing, the rotated token is lost; the next says so, once, cleanly."""
    dying, next_one = open_hub(), open_hub()
    await dying.vault.start("dep_test")
    ada = dying.browser(await dying.person("ada"))
    connection = await dying.connect(ada, await dying.connector(ada.person, service.url), server)
    server.gate.clear()
    doomed = dying.room.refreshing.begin(Seen.of(connection))
    while _refreshes(server) == 0:
        await asyncio.sleep(0.01)
    doomed.cancel()
    await asyncio.gather(doomed, return_exceptions=True)
    server.gate.set()
    dying.clock.advance(3600)

    with pytest.raises(NotConnected) as caught:
        await next_one.bearer(connection)

    assert caught.value.reason == "reconnect"
    assert (await next_one.vault.mark(connection.id)).names == frozenset()
    again = await next_one.connect(ada, await next_one.connectors.by_id(connection.connector_id), server)
    assert server.lets_in(await next_one.bearer(again))


async def test_an_answer_from_before_a_reconnect_does_not_replace_the_new_token(
    open_hub: OpenHub, service: Service, server: AuthServer
) -> None:
    """Even if the lease cannot tell: it is looked after by somebody else, with the same fence."""
    slow, quick = open_hub(), open_hub()
    await slow.vault.start("dep_test")
    ada = slow.browser(await slow.person("ada"))
    connector = await slow.connector(ada.person, service.url)
    connection = await slow.connect(ada, connector, server)
    held = server.gate
    held.clear()
    paused = slow.room.refreshing.begin(Seen.of(connection))
    while _refreshes(server) == 0:
        await asyncio.sleep(0.01)
    server.gate = asyncio.Event()
    server.gate.set()
    await quick.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")
    await quick.leases.forget(f"refresh:{connection.id}")
    again = await quick.connect(ada, connector, server)
    assert await quick.leases.take(f"refresh:{connection.id}", seconds=45) is not None
    token = await quick.bearer(again)
    before = await quick.now(again)

    held.set()
    await paused

    assert await quick.now(again) == before
    quick.clock.advance(31)
    assert await quick.bearer(again) == token


async def test_whoever_comes_late_finds_the_work_done(hub: Hub, connection: Connection, server: AuthServer) -> None:
    """They read the connection before the refresh and ask after it."""
    seen = Seen.of(connection)
    first = await hub.room.refreshing.refresh(seen)

    second = await hub.room.refreshing.refresh(seen)

    assert (first, second) == (Outcome.FRESH, Outcome.FRESH)
    assert _refreshes(server) == 1


async def test_in_one_process_all_wait_for_the_same_refresh(hub: Hub, connection: Connection) -> None:
    """Without this each would poll the lease, a hundred times a second."""
    seen = Seen.of(connection)

    assert hub.room.refreshing.begin(seen) is hub.room.refreshing.begin(seen)
    await hub.room.refreshing.settle(connection.id, seconds=5)


async def test_a_caller_who_goes_away_does_not_stop_the_refresh(
    hub: Hub, connection: Connection, server: AuthServer
) -> None:
    hub.clock.advance(3600)
    server.gate.clear()
    caller = asyncio.create_task(hub.bearer(connection))
    while _refreshes(server) == 0:
        await asyncio.sleep(0.01)

    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    server.gate.set()
    await hub.room.refreshing.settle(connection.id, seconds=5)

    assert server.lets_in(await hub.bearer(connection))
    assert _refreshes(server) == 1


async def test_a_token_endpoint_that_moved_within_its_origin_is_found(
    hub: Hub, connection: Connection, server: AuthServer
) -> None:
    """CON-27: at once after a 404."""
    server.answers["/token"] = Answer(404)
    server.metadata = {"token_endpoint": f"{server.origin}/v2/token"}
    original = server.handle

    async def handle(asked: Any) -> Answer:
        return server._token(asked) if asked.path == "/v2/token" else await original(asked)

    server.handle = handle  # type: ignore[method-assign]  # a knob of this one test
    hub.clock.advance(3600)

    assert server.lets_in(await hub.bearer(connection))


async def test_a_token_endpoint_that_moved_to_another_origin_gets_no_token(
    hub: Hub, connection: Connection, server: AuthServer
) -> None:
    """The refresh token is bound to where it came from; the person looks first."""
    async with AuthServer() as evil:
        server.answers["/token"] = Answer(404)
        server.metadata = {"token_endpoint": f"{evil.origin}/token"}
        hub.clock.advance(3600)

        with pytest.raises(NotConnected) as caught:
            await hub.bearer(connection)

        assert caught.value.reason == "reconnect"
        assert evil.asked == []


async def test_a_server_that_has_forgotten_our_client_does_not_end_connections_by_itself(
    hub: Hub, connection: Connection, server: AuthServer
) -> None:
    """`invalid_client` is about us, not about the grant; we register anew once, and then the grant's end is its own."""
    server.clients.clear()
    hub.clock.advance(3600)

    await hub.bearer(connection)
    during = await hub.now(connection)
    hub.clock.advance(31)
    with pytest.raises(NotConnected):
        await hub.bearer(connection)

    assert during.state is State.CONNECTED
    assert len(server.posts("/register")) == 2
