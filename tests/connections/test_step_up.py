"""Step-up: a refused call tells what it needed; the person decides, nothing is lost, nobody goes in circles."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.connections.conftest import Hub
from tests.connections.outside import AuthServer, Service
from valetkey.connections.model import Connection, ScopeOrigin, State
from valetkey.connections.step_up import MoreNeeded
from valetkey.directory.model import Connector
from valetkey.identity.model import BrowserSession

NEEDS_ADMIN = 'Bearer error="insufficient_scope", scope="notes:admin", resource_metadata="http://127.0.0.1/x"'


@pytest.fixture
async def connector(hub: Hub, ada: BrowserSession, service: Service) -> Connector:
    return await hub.connector(ada.person, service.url)


async def _connected(
    hub: Hub, ada: BrowserSession, connector: Connector, server: AuthServer, *scopes: str
) -> Connection:
    attempt, url = await hub.go(ada, connector, scopes=scopes)
    return await hub.come_back(ada, attempt, server.consent(url))


def _asked(url: str) -> set[str]:
    return set(parse_qs(urlsplit(url).query)["scope"][0].split())


async def _needed(hub: Hub, connection: Connection, challenge: str = NEEDS_ADMIN) -> MoreNeeded:
    more = await hub.room.credentials.forbidden(connection.id, challenge)
    assert more is not None
    return more


async def test_a_refused_call_leads_to_the_page_of_the_connection_which_stays_connected(
    hub: Hub, ada: BrowserSession, connector: Connector, server: AuthServer
) -> None:
    connection = await _connected(hub, ada, connector, server, "notes:read")

    more = await _needed(hub, connection)

    assert "notes:admin" in more.message
    assert more.path == f"/connections/{connection.id}"
    assert (await hub.now(connection)).state is State.CONNECTED
    assert server.lets_in(await hub.bearer(connection))


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        'Bearer error="invalid_token", scope="notes:admin"',
        'Bearer scope="notes:admin"',
        'Basic realm="insufficient_scope"',
        'Bearer realm="x, error=insufficient_scope"',
        'Basic error="insufficient_scope", scope="notes:admin"',
    ],
)
async def test_any_other_403_asks_nobody_for_anything(
    hub: Hub, ada: BrowserSession, connector: Connector, server: AuthServer, challenge: str
) -> None:
    """CON-07."""
    connection = await _connected(hub, ada, connector, server, "notes:read")

    more = await hub.room.credentials.forbidden(connection.id, challenge)

    assert more is None
    assert await hub.room.connecting.wanted(connection) is None


async def test_reconnecting_asks_for_what_was_granted_what_was_needed_and_what_is_discovered(
    hub: Hub, ada: BrowserSession, connector: Connector, server: AuthServer, service: Service
) -> None:
    """CON-17; the service itself now names only one of the scopes that were granted (claude-code #83679)."""
    connection = await _connected(hub, ada, connector, server, "notes:read", "notes:write")
    service.resource = {"scopes_supported": ["profile"]}
    await _needed(hub, connection)

    attempt, url = await hub.go(ada, connector)
    again = await hub.come_back(ada, attempt, server.consent(url))

    assert _asked(url) == {"notes:read", "notes:write", "notes:admin", "profile", "offline_access"}
    assert attempt.facts.granted_before == ("notes:read", "notes:write")
    assert attempt.facts.challenged == ("notes:admin",)
    assert attempt.facts.scope_origin is ScopeOrigin.CONNECTOR
    assert {"notes:read", "notes:write", "notes:admin"} <= set(again.granted_scope.split())


async def test_what_was_needed_is_asked_for_even_if_nobody_lists_any_scopes(
    hub: Hub, ada: BrowserSession, server: AuthServer, service: Service
) -> None:
    service.resource, server.scopes = {}, None
    connector = await hub.connector(ada.person, service.url)
    attempt, url = await hub.go(ada, connector)
    assert "scope" not in parse_qs(urlsplit(url).query)
    connection = await hub.come_back(ada, attempt, server.consent(url))
    await _needed(hub, connection)

    attempt, url = await hub.go(ada, connector)

    assert _asked(url) == {"notes:admin"}
    assert attempt.facts.scope_origin is ScopeOrigin.BEFORE


async def test_the_person_may_still_give_less(
    hub: Hub, ada: BrowserSession, connector: Connector, server: AuthServer
) -> None:
    connection = await _connected(hub, ada, connector, server, "notes:read")
    await _needed(hub, connection)

    again = await _connected(hub, ada, connector, server, "notes:read")

    assert again.granted_scope == "notes:read"
    assert (await _needed(hub, again)).path  # they were not asked and refused: they chose, and may choose again


async def test_a_service_that_refuses_after_two_consents_gets_no_third(
    hub: Hub, ada: BrowserSession, connector: Connector, server: AuthServer
) -> None:
    server.grants = lambda scope: " ".join(one for one in scope.split() if one != "notes:admin")
    connection = await _connected(hub, ada, connector, server, "notes:read")

    links = []
    for _ in range(3):
        links.append((await _needed(hub, connection)).path)
        connection = await hub.connect(ada, connector, server)
    last = await _needed(hub, connection)

    assert links == [f"/connections/{connection.id}"] * 2 + [""]
    assert last.path == ""
    assert "2 times" in last.message
    wanted = await hub.room.connecting.wanted(connection)
    assert wanted is not None
    assert not wanted.is_worth_asking
    other = await _needed(hub, connection, 'Bearer error="insufficient_scope", scope="notes:other"')
    assert other.path  # another set of scopes is another question


async def test_a_day_later_the_same_question_may_be_asked_again(
    hub: Hub, ada: BrowserSession, connector: Connector, server: AuthServer
) -> None:
    server.grants = lambda _: "notes:read"
    connection = await _connected(hub, ada, connector, server, "notes:read")
    for _ in range(2):
        await _needed(hub, connection)
        connection = await hub.connect(ada, connector, server)
    assert (await _needed(hub, connection)).path == ""

    hub.clock.advance(24 * 3600)

    assert (await _needed(hub, connection)).path != ""


async def test_a_pin_survives_and_the_assistant_is_told(
    hub: Hub, ada: BrowserSession, server: AuthServer, service: Service
) -> None:
    """CON-18."""
    connector = await hub.connector(ada.person, service.url, scope="notes:read")
    connection = await hub.connect(ada, connector, server)

    more = await _needed(hub, connection)
    _, url = await hub.go(ada, connector)

    assert more.path == ""
    assert "notes:admin, which is not among the scopes that were fixed" in more.message
    assert _asked(url) == {"notes:read"}


async def test_what_a_service_names_is_bounded_and_fit_to_be_shown(
    hub: Hub, ada: BrowserSession, connector: Connector, server: AuthServer
) -> None:
    connection = await _connected(hub, ada, connector, server, "notes:read")
    many = " ".join(f"scope{number}" for number in range(1000))

    for challenge in (f'Bearer error="insufficient_scope", scope="{many}"', NEEDS_ADMIN):
        more = await _needed(hub, connection, challenge)
        assert len(more.message) < 400
    wanted = await hub.room.connecting.wanted(connection)

    assert wanted is not None
    assert wanted.scopes == ("notes:admin",)


async def test_disconnecting_forgets_what_was_needed(
    hub: Hub, ada: BrowserSession, connector: Connector, server: AuthServer
) -> None:
    connection = await _connected(hub, ada, connector, server, "notes:read")
    await _needed(hub, connection)

    await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    assert await hub.room.connecting.wanted(connection) is None
    _, url = await hub.go(ada, connector)
    assert "notes:admin" not in _asked(url)


async def test_scopes_of_another_authorization_server_are_not_carried_over(
    hub: Hub, ada: BrowserSession, connector: Connector, server: AuthServer, service: Service
) -> None:
    """The same word may mean something else there."""
    await _connected(hub, ada, connector, server, "notes:read", "notes:write")
    service.resource = {"scopes_supported": ["profile"]}
    async with AuthServer() as other:
        service.server = other

        attempt, _ = await hub.go(ada, connector)

    assert set(attempt.facts.scopes) == {"profile", "offline_access"}
    assert attempt.facts.granted_before == ()
