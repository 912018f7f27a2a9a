"""Connecting an account over OAuth, from the pasted URL to the sealed token."""

from __future__ import annotations

from tests.connections.conftest import Hub
from tests.connections.outside import AuthServer, Service
from valetkey.connections.model import State
from valetkey.identity.model import BrowserSession


async def test_a_person_connects_a_service_and_calls_carry_the_token_they_were_granted(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)

    connection = await hub.connect(ada, connector, server)

    assert connection.state is State.CONNECTED
    assert connection.granted_scope == "notes:read notes:write offline_access"
    assert server.lets_in(await hub.bearer(connection))
