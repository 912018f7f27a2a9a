"""Attacks on connecting, played: forged and replayed answers, two servers mixed up, hostile metadata (S-01, S-17)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from tests.connections.conftest import Hub
from tests.connections.outside import Answer, AuthServer, Service
from valetkey.connections.model import Connection, State, StepFailed, issuer_hash
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import BadInput, NotConnected, NotFound, OutboundFailed
from valetkey.store.schema import connector as table


async def _untouched(hub: Hub, browser: BrowserSession, server: AuthServer, *, exchanges: int = 0) -> None:
    """No token was stored, and none was even asked for."""
    for connection in await hub.room.connections.list(browser.person.id):
        assert (await hub.vault.mark(connection.id)).names == frozenset()
        assert connection.state is not State.CONNECTED
    assert len(server.posts("/token")) == exchanges


async def test_another_persons_state_in_my_browser_connects_nobody(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """S-01 (c): Mallory gets Ada's account tied to his own, or his to hers; both are refused."""
    mallory = hub.browser(await hub.person("mallory"))
    connector = await hub.connector(ada.person, service.url)
    attempt, url = await hub.go(ada, connector)

    with pytest.raises(NotFound):
        await hub.come_back(mallory, attempt, server.consent(url))

    await _untouched(hub, ada, server)
    await _untouched(hub, mallory, server)
    assert "connection.callback_refused" in await hub.events()


async def test_what_began_in_one_browser_does_not_finish_in_another(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """S-01 (e), login CSRF: the same person, another session."""
    attempt, url = await hub.go(ada, await hub.connector(ada.person, service.url))
    elsewhere = hub.browser(ada.person)

    with pytest.raises(NotFound):
        await hub.room.connecting.accept(attempt.id, elsewhere, attempt.facts.hash, [])
    with pytest.raises(NotFound):
        await hub.room.connecting.attempt(attempt.id, elsewhere)
    with pytest.raises(NotFound):
        await hub.come_back(elsewhere, attempt, server.consent(url))

    await _untouched(hub, ada, server)


async def test_an_answer_works_once(hub: Hub, ada: BrowserSession, service: Service, server: AuthServer) -> None:
    """S-01 (d): replaying code and state, or a new code with the used state."""
    attempt, url = await hub.go(ada, await hub.connector(ada.person, service.url))
    answer = server.consent(url)
    connection = await hub.come_back(ada, attempt, answer)
    token = await hub.bearer(connection)

    with pytest.raises(NotFound):
        await hub.come_back(ada, attempt, answer)
    with pytest.raises(NotFound):
        await hub.come_back(ada, attempt, server.consent(url))

    assert len(server.posts("/token")) == 1
    assert await hub.bearer(connection) == token


async def test_of_two_who_come_back_at_once_one_gets_in(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    attempt, url = await hub.go(ada, await hub.connector(ada.person, service.url))
    answer = server.consent(url)

    results = await asyncio.gather(*(hub.come_back(ada, attempt, answer) for _ in range(8)), return_exceptions=True)

    assert sum(isinstance(result, Connection) for result in results) == 1
    assert sum(isinstance(result, NotFound) for result in results) == 7
    assert len(server.posts("/token")) == 1


async def test_a_state_that_was_made_up_connects_nothing(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    attempt, _ = await hub.go(ada, await hub.connector(ada.person, service.url))

    for params in ([("code", "x"), ("state", "made-up")], [("code", "x")], [("code", "x"), ("state", "")]):
        with pytest.raises((NotFound, BadInput)):
            await hub.come_back(ada, attempt, params)

    await _untouched(hub, ada, server)


async def test_an_attempt_that_nobody_agreed_to_cannot_be_finished(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """Before the review page was passed there is no state at all, so nothing can match it."""
    attempt = await hub.room.connecting.begin(ada, await hub.connector(ada.person, service.url))

    with pytest.raises(NotFound):
        await hub.come_back(ada, attempt, [("code", "x"), ("state", attempt.id), ("iss", server.issuer)])

    await _untouched(hub, ada, server)


async def test_going_off_twice_makes_the_first_way_back_a_dead_end(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)
    attempt, first = await hub.go(ada, connector)
    second = await hub.room.connecting.accept(attempt.id, ada, attempt.facts.hash, attempt.facts.scopes)

    with pytest.raises(NotFound):
        await hub.come_back(ada, attempt, server.consent(first))

    assert (await hub.come_back(ada, attempt, server.consent(second))).state is State.CONNECTED


async def test_enabling_a_connector_gives_nobody_access(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """S-01 (b): an entry without a consent is not a connection."""
    entry = await hub.room.connections.add(ada.person, await hub.connector(ada.person, service.url))

    with pytest.raises(NotConnected) as caught:
        await hub.bearer(entry)

    assert caught.value.reason == "not_connected"
    await _untouched(hub, ada, server)


@pytest.mark.parametrize("iss", ["https://evil.example", None, "trailing"])
async def test_an_answer_that_does_not_come_from_the_server_we_meant_is_not_used_or_shown(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, iss: str | None
) -> None:
    server.iss = f"{server.issuer}/" if iss == "trailing" else iss
    attempt, url = await hub.go(ada, await hub.connector(ada.person, service.url))

    with pytest.raises(StepFailed) as caught:
        await hub.come_back(ada, attempt, [*server.consent(url), ("error_description", "CANARY")])

    assert (caught.value.kind, caught.value.stage) == ("authorization_failed", "callback")
    trace = await hub.room.trace.list(ada.person.id, attempt.connection_id)
    assert not any("CANARY" in text or "evil" in text for step in trace for text in (step.reason, step.request))
    await _untouched(hub, ada, server)


async def test_without_a_promise_of_iss_an_answer_without_it_is_taken(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    server.promises_iss, server.iss = False, None

    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)

    assert connection.state is State.CONNECTED


async def test_the_code_of_one_server_is_never_handed_to_another(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """The mix-up attack: an evil server has the honest one's answer come back for its own attempt.

    The evil server neither promises nor sends `iss`, and reuses its own state; the callback's address gives it away.
    """
    async with AuthServer() as evil, Service(evil) as trap:
        evil.promises_iss = False
        evil_attempt, evil_url = await hub.go(ada, await hub.connector(ada.person, trap.url))
        honest_attempt, honest_url = await hub.go(ada, await hub.connector(ada.person, service.url))
        state = dict(evil.consent(evil_url))["state"]
        stolen = dict(server.consent(honest_url))

        answer = [("state", state), ("code", stolen["code"])]
        with pytest.raises(StepFailed, match="callback of another"):
            await hub.room.connecting.finish(answer, ada, issuer_hash=issuer_hash(server.issuer))

        assert honest_attempt.facts.callback != evil_attempt.facts.callback
        assert evil.posts("/token") == []
        await _untouched(hub, ada, server)


async def test_a_connector_that_names_somebody_elses_authorization_server_gets_a_token_for_itself_only(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """S-17 (e): the server is asked for a token for the trap's own address, and it is sent nowhere else."""
    async with Service(server) as trap:
        honest = await hub.connect(ada, await hub.connector(ada.person, service.url), server)
        trapped = await hub.connect(ada, await hub.connector(ada.person, trap.url), server)

        honest_token, trapped_token = await hub.bearer(honest), await hub.bearer(trapped)

        assert server.access[trapped_token].resource == trap.url
        assert server.access[honest_token].resource == service.url
        ticket = await hub.room.credentials.ticket(honest.id, person_id=ada.person.id, call_id="call_1")
        assert ticket is not None
        assert ticket.origin == service.origin


async def test_resource_metadata_that_claims_to_be_another_resource_is_refused(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    service.resource["resource"] = "https://bank.example/mcp"

    with pytest.raises(StepFailed, match=r"bank\.example") as caught:
        await hub.room.connecting.begin(ada, await hub.connector(ada.person, service.url))

    assert caught.value.stage == "resource metadata"
    assert server.asked == []


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://accounts.example.com"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "data:text/html,x"},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": ["https://x.example"]},
        {"code_challenge_methods_supported": None},
        {"code_challenge_methods_supported": ["plain"]},
        {"grant_types_supported": ["client_credentials"]},
        {"scopes_supported": "admin"},
        {"padding": "x" * 300_000},
    ],
)
async def test_hostile_metadata_is_not_accepted(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, metadata: dict[str, Any]
) -> None:
    server.metadata = metadata

    with pytest.raises(StepFailed) as caught:
        await hub.room.connecting.begin(ada, await hub.connector(ada.person, service.url))

    assert (caught.value.kind, caught.value.stage) == ("authorization_failed", "authorization server metadata")
    assert caught.value.party == "127.0.0.1"


async def test_an_authorization_endpoint_that_brings_its_own_redirect_is_refused(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    server.metadata = {"authorization_endpoint": f"{server.origin}/authorize?redirect_uri=https://evil.example"}
    attempt = await hub.room.connecting.begin(ada, await hub.connector(ada.person, service.url))

    with pytest.raises(StepFailed, match="redirect_uri"):
        await hub.room.connecting.accept(attempt.id, ada, attempt.facts.hash, attempt.facts.scopes)


async def test_a_redirecting_token_endpoint_gets_the_code_nowhere_else(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    async with AuthServer() as evil:
        attempt, url = await hub.go(ada, await hub.connector(ada.person, service.url))
        answer = server.consent(url)
        server.answers["/token"] = Answer(307, b"", {"location": f"{evil.origin}/token"})

        with pytest.raises(StepFailed):
            await hub.come_back(ada, attempt, answer)

        assert evil.asked == []


async def test_a_token_is_not_written_for_the_old_address_of_a_connector_that_moved(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """U07: whoever can change the row of a connector does not get the tokens of those connected to it."""
    connector = await hub.connector(ada.person, service.url)
    connection = await hub.connect(ada, connector, server)
    async with Service(None) as evil:
        async with hub.main.write() as tx:
            await tx.execute(update(table).values(url=evil.url, origin=evil.origin))
        await hub.notifications.publish("connectors", connector.id)

        with pytest.raises((NotConnected, OutboundFailed)):
            await hub.bearer(connection)

        assert evil.asked == []


async def test_an_access_token_that_would_break_out_of_its_header_is_not_taken(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    attempt, url = await hub.go(ada, await hub.connector(ada.person, service.url))
    server.answers["/token"] = Answer(body={"access_token": "a\r\nhost: evil", "token_type": "Bearer"})

    with pytest.raises(StepFailed, match="gave no tokens"):
        await hub.come_back(ada, attempt, server.consent(url))

    await _untouched(hub, ada, server, exchanges=1)
