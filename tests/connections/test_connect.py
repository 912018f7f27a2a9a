"""Connecting an account over OAuth: what is asked, shown, granted and kept."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import update

from tests.connections.conftest import PUBLIC_URL, Hub, OpenHub
from tests.connections.outside import AuthServer, Service
from valetkey.connections.model import ScopeOrigin, State, StepFailed, issuer_hash
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import BadInput, Conflict, NotConnected, NotFound
from valetkey.store.schema import connector as table


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_person_connects_a_service_and_calls_carry_the_token_they_were_granted(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)

    connection = await hub.connect(ada, connector, server)

    assert connection.state is State.CONNECTED
    assert connection.granted_scope == "notes:read notes:write offline_access"
    assert server.lets_in(await hub.bearer(connection))
    assert hub.connected == [connection.id]
    assert await hub.events() == ["connection.connected"]


async def test_before_anyone_is_sent_anywhere_the_facts_are_told(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)

    attempt = await hub.room.connecting.begin(ada, connector)

    facts = attempt.facts
    # On one machine only the port tells a service from its authorization server.
    assert (facts.connector_host, facts.issuer) == (service.url.split("/")[2], server.issuer)
    assert facts.token_host == facts.issuer_host == server.issuer.removeprefix("http://")
    assert facts.scopes == ("notes:read", "notes:write", "offline_access")
    assert (facts.scope_origin, facts.client_source) == (ScopeOrigin.CONNECTOR, "dcr")
    assert facts.callback == f"{PUBLIC_URL}/oauth/callback/{issuer_hash(server.issuer)}"
    assert any("plain http" in warning for warning in facts.warnings)
    assert server.posts("/register") == []
    assert await hub.room.connecting.attempt(attempt.id, ada) == attempt


async def test_the_authorization_request_names_state_proof_resource_and_scope(
    hub: Hub, ada: BrowserSession, service: Service
) -> None:
    connector = await hub.connector(ada.person, service.url)

    _, first = await hub.go(ada, connector)
    _, second = await hub.go(ada, connector)

    sent = dict(parse_qsl(urlsplit(first).query))
    assert sent["resource"] == service.url
    assert sent["code_challenge_method"] == "S256"
    assert sent["scope"] == "notes:read notes:write offline_access"
    assert sent["prompt"] == "consent"
    again = dict(parse_qsl(urlsplit(second).query))
    assert sent["state"] != again["state"]
    assert sent["code_challenge"] != again["code_challenge"]


async def test_the_exchange_sends_the_verifier_the_callback_and_the_resource_in_a_form(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)

    (exchange,) = server.posts("/token")
    assert exchange.headers["content-type"] == "application/x-www-form-urlencoded"
    assert exchange.form["resource"] == service.url == connection.resource
    assert exchange.form["redirect_uri"] == f"{PUBLIC_URL}/oauth/callback/{issuer_hash(server.issuer)}"
    assert exchange.headers["authorization"].startswith("Basic ")


async def test_a_person_may_untick_scopes_but_not_add_any(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)
    attempt, url = await hub.go(ada, connector, scopes=["notes:read"])

    connection = await hub.come_back(ada, attempt, server.consent(url))

    assert dict(parse_qsl(urlsplit(url).query))["scope"] == "notes:read"
    assert connection.granted_scope == "notes:read"
    with pytest.raises(BadInput, match="not among those shown"):
        await hub.go(ada, connector, scopes=["notes:read", "admin"])


async def test_what_was_granted_is_recorded_not_what_was_asked(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    server.grants = lambda _asked: "notes:read"

    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)

    assert connection.requested_scope == "notes:read notes:write offline_access"
    assert connection.granted_scope == "notes:read"


async def test_a_server_that_does_not_say_what_it_granted_granted_what_was_asked(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    server.says_scope = False

    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)

    assert connection.granted_scope == connection.requested_scope


async def test_more_than_was_asked_for_is_not_kept_until_the_person_has_accepted_it(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """S-17 (b): the tokens go back, and only a second consent, made knowing it, is kept."""
    server.grants = lambda asked: f"{asked} admin"
    connector = await hub.connector(ada.person, service.url)

    first = await hub.connect(ada, connector, server)
    kept_of_first = await hub.vault.mark(first.id)
    attempt, url = await hub.go(ada, connector)
    second = await hub.come_back(ada, attempt, server.consent(url))

    assert (first.state, first.state_reason) == (
        State.RECONNECT,
        "The service gave more than was asked for: admin. Reconnect to accept that.",
    )
    assert kept_of_first.names == frozenset()
    assert len(server.revoked) == 2
    assert any("admin" in warning for warning in attempt.facts.warnings)
    assert second.state is State.CONNECTED
    assert second.granted_scope.endswith("admin")


async def test_a_changed_page_cannot_be_agreed_to(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """Between the page and the click the facts stay; a hash of other facts is not accepted."""
    connector = await hub.connector(ada.person, service.url)
    seen = await hub.room.connecting.begin(ada, connector)
    server.metadata = {"token_endpoint": f"{server.origin}/other-token"}
    hub.clock.advance(301)
    other = await hub.room.connecting.begin(ada, connector)

    assert seen.facts.hash != other.facts.hash
    with pytest.raises(Conflict, match="not what was found out"):
        await hub.room.connecting.accept(other.id, ada, seen.facts.hash, seen.facts.scopes)


async def test_a_person_who_declines_is_told_so_and_nothing_is_kept(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)
    attempt, url = await hub.go(ada, connector)

    with pytest.raises(StepFailed, match="access_denied: not today") as caught:
        await hub.come_back(ada, attempt, server.consent(url, declined=True))

    assert (caught.value.kind, caught.value.stage) == ("authorization_failed", "callback")
    assert (await hub.room.connections.get(ada.person.id, attempt.connection_id)).state is State.NOT_CONNECTED
    assert (await hub.vault.mark(attempt.id)).names == frozenset()


async def test_an_attempt_lasts_ten_minutes_and_its_proof_key_does_not_outlive_it(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)
    attempt, url = await hub.go(ada, connector)
    abandoned, _ = await hub.go(ada, connector)
    hub.clock.advance(601)

    with pytest.raises(StepFailed, match="ten minutes"):
        await hub.come_back(ada, attempt, server.consent(url))
    with pytest.raises(NotFound):
        await hub.room.connecting.attempt(abandoned.id, ada)
    await hub.room.connecting.begin(ada, connector)

    assert (await hub.vault.mark(abandoned.id)).names == frozenset()


async def test_several_accounts_of_one_connector_have_each_their_own_token(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)

    first = await hub.connect(ada, connector, server)
    work = await hub.connect(ada, connector, server, label="work")

    assert (first.is_default, first.label, work.is_default, work.label) == (True, "main", False, "work")
    assert await hub.bearer(first) != await hub.bearer(work)
    assert (await hub.room.connections.find(ada.person, connector.slug)).id == first.id
    assert (await hub.room.connections.find(ada.person, connector.slug, "work")).id == work.id
    await hub.room.disconnecting.disconnect(ada.person.id, first.id, by="person:ada")
    assert server.lets_in(await hub.bearer(work))


async def test_of_two_who_begin_with_one_label_at_once_there_is_one_account(
    hub: Hub, open_hub: OpenHub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """VLT-01: what a credential lies under is connector and label; two processes do not make two of it."""
    connector, other = await hub.connector(ada.person, service.url), open_hub()

    one, two = await asyncio.gather(
        hub.room.connecting.begin(ada, connector, label="work"),
        other.room.connecting.begin(ada, connector, label="work"),
    )

    assert one.connection_id == two.connection_id
    assert [found.label for found in await hub.room.connections.list(ada.person.id)] == ["work"]


@pytest.mark.parametrize("label", ["mcp", "Work", "a-b", "ü", "abcdefghijklm", "a b", "../x"])
async def test_a_label_that_could_not_stand_in_a_path_is_refused(
    hub: Hub, ada: BrowserSession, service: Service, label: str
) -> None:
    with pytest.raises(BadInput) as caught:
        await hub.room.connecting.begin(ada, await hub.connector(ada.person, service.url), label=label)

    assert caught.value.field == "label"
    assert await hub.room.connections.list(ada.person.id) == ()


async def test_reconnecting_begins_with_nothing_of_the_old_consent(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)
    first = await hub.connect(ada, connector, server)
    old = await hub.bearer(first)
    server.gives_refresh_token = False

    again = await hub.connect(ada, connector, server)

    assert again.id == first.id
    assert not again.has_refresh_token
    assert await hub.bearer(again) != old
    assert {purpose for purpose, _ in (await hub.vault.mark(again.id)).names} == {"access_token"}


async def test_nobody_calls_with_somebody_elses_account(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    bob = hub.browser(await hub.person("bob"))
    connector = await hub.connector(ada.person, service.url)
    hers = await hub.connect(ada, connector, server)
    await hub.bearer(hers)

    with pytest.raises(NotConnected):
        await hub.room.credentials.ticket(hers.id, person_id=bob.person.id, call_id="call_1")
    assert hub.room.credentials.ticket_now(hers.id, person_id=bob.person.id, call_id="call_1") is None
    with pytest.raises(NotFound):
        await hub.room.connections.get(bob.person.id, hers.id)
    with pytest.raises(NotFound):
        await hub.room.disconnecting.disconnect(bob.person.id, hers.id, by="person:bob")


async def test_a_service_that_lets_everybody_in_is_connected_with_nothing(hub: Hub, ada: BrowserSession) -> None:
    async with Service(None) as service:
        connector = await hub.connector(ada.person, service.url)
        attempt = await hub.room.connecting.begin(ada, connector)

        connection = await hub.room.connecting.connect_open(ada, connector, acknowledged=hub.seen(connector))

        assert (attempt.facts.method, attempt.facts.issuer) == ("none", "")
        assert [tool["name"] for tool in attempt.facts.tools] == ["list_notes", "delete_note"]
        assert [tool["says_read_only"] for tool in attempt.facts.tools] == [True, False]
        assert any("without signing in" in warning for warning in attempt.facts.warnings)
        assert (connection.state, connection.method) == (State.CONNECTED, "none")
        ticket = await hub.room.credentials.ticket(connection.id, person_id=ada.person.id, call_id="call_1")
        assert ticket is None


async def test_a_service_that_wants_a_sign_in_is_not_connected_without_one(
    hub: Hub, ada: BrowserSession, service: Service
) -> None:
    connector = await hub.connector(ada.person, service.url)

    with pytest.raises(Conflict, match="wants people to sign in"):
        await hub.room.connecting.connect_open(ada, connector, acknowledged=hub.seen(connector))


async def test_a_blocked_connector_is_not_connected(hub: Hub, ada: BrowserSession, service: Service) -> None:
    connector = await hub.connector(ada.person, service.url)
    await hub.connectors.set_state(connector.id, "blocked")

    with pytest.raises(Conflict, match="blocked"):
        await hub.room.connecting.begin(ada, await hub.connectors.by_id(connector.id))


async def test_a_connector_that_is_blocked_later_gives_out_no_ticket(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)
    connection = await hub.connect(ada, connector, server)
    await hub.bearer(connection)

    await hub.connectors.set_state(connector.id, "blocked")

    assert hub.room.credentials.ticket_now(connection.id, person_id=ada.person.id, call_id="call_1") is None
    with pytest.raises(NotConnected) as caught:
        await hub.bearer(connection)
    assert caught.value.reason == "blocked"


async def test_a_connector_that_was_changed_gives_out_no_ticket_until_it_was_looked_at_again(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """CUS-05, U07: the consent was for the connector as it was."""
    connector = await hub.connector(ada.person, service.url)
    connection = await hub.connect(ada, connector, server)
    async with hub.main.write() as tx:
        await tx.execute(update(table).values(version=2))
    await hub.notifications.publish("connectors", connector.id)

    with pytest.raises(NotConnected) as caught:
        await hub.bearer(connection)
    again = await hub.connect(ada, await hub.connectors.by_id(connector.id), server)

    assert caught.value.reason == "changed"
    assert server.lets_in(await hub.bearer(again))


async def test_removing_an_account_ends_it_first_and_drops_all_that_hangs_on_it(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)
    connection = await hub.connect(ada, connector, server)

    receipt = await hub.room.connections.remove(ada.person.id, connection.id, by="operator")

    assert (receipt.keys_destroyed, receipt.revocation) == (2, "confirmed")
    assert hub.ended == [connection.id]
    assert await hub.room.connections.list(ada.person.id) == ()
    assert await hub.room.trace.list(ada.person.id, connection.id) == []
    await hub.connectors.remove(connector.id)


async def test_the_hot_path_gives_tickets_without_asking_the_database(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)
    credentials = hub.room.credentials

    cold = credentials.ticket_now(connection.id, person_id=ada.person.id, call_id="call_1")
    token = await hub.bearer(connection)
    warm = credentials.ticket_now(connection.id, person_id=ada.person.id, call_id="call_2")
    hub.clock.advance(31)
    later = credentials.ticket_now(connection.id, person_id=ada.person.id, call_id="call_3")

    assert cold is None
    assert later is None
    assert warm is not None
    assert (warm.origin, warm.call_id) == (service.origin, "call_2")
    buffer = bytearray(warm.size)
    warm.write_into(memoryview(buffer))
    assert buffer.decode() == f"authorization: Bearer {token}\r\n"


async def test_con_33_nothing_about_the_person_goes_to_the_service_or_its_authorization_server(
    hub: Hub, service: Service, server: AuthServer
) -> None:
    """From the probe to the revocation: no name, mail, id or organization in any header, member or address."""
    person = await hub.person("ada.lovelace@example.com")
    browser = hub.browser(person)
    connector = await hub.connector(person, service.url)
    attempt, url = await hub.go(browser, connector)
    connection = await hub.come_back(browser, attempt, server.consent(url))
    hub.clock.advance(3600)
    await hub.bearer(connection)
    await hub.room.disconnecting.disconnect(person.id, connection.id, by=f"person:{person.id}")

    asked = [repr(one) for one in (*service.asked, *server.asked)]
    about_them = (person.id, person.login, person.display_name, person.organization_id, connection.id, connector.id)

    assert len(asked) > 6
    for sent in (*asked, url):
        assert not [told for told in about_them if told in sent], sent
        assert "forwarded" not in sent.lower()
        assert "login_hint" not in sent
