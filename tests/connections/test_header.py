"""Connecting with a key in a header (CUS-02, CUS-03, CON-39)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from tests.connections.conftest import Hub
from tests.connections.outside import AuthServer, Service
from valetkey.connections.methods.header import check_values
from valetkey.connections.model import State
from valetkey.directory.model import AuthKind, Connector
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import BadInput, Conflict, NotConnected
from valetkey.kernel.secret import Secret

KEY = "https://mcp.example.com/mcp"


@pytest.fixture
async def connector(hub: Hub, ada: BrowserSession) -> Connector:
    return await hub.connector(ada.person, KEY, kind="header", headers=["X-API-Key"], optional_headers=["X-App-Key"])


async def test_a_key_is_sealed_and_sent_exactly_as_it_was_typed(
    hub: Hub, ada: BrowserSession, connector: Connector
) -> None:
    connection = await hub.room.connecting.set_header(
        ada, connector, acknowledged=hub.seen(connector), values={"x-api-key": Secret("CANARY  key~!")}
    )

    assert (connection.state, connection.method) == (State.CONNECTED, "header")
    assert await hub.token(connection) == "x-api-key: CANARY  key~!\r\n"
    assert "CANARY" not in repr(connection)


async def test_an_optional_header_goes_along_if_it_was_given(
    hub: Hub, ada: BrowserSession, connector: Connector
) -> None:
    values = {"X-App-Key": Secret("app"), "X-API-Key": Secret("key")}

    connection = await hub.room.connecting.set_header(ada, connector, acknowledged=hub.seen(connector), values=values)

    assert await hub.token(connection) == "x-api-key: key\r\nx-app-key: app\r\n"


async def test_giving_a_key_again_replaces_all_there_was(hub: Hub, ada: BrowserSession, connector: Connector) -> None:
    both = {"X-App-Key": Secret("app"), "X-API-Key": Secret("key")}
    await hub.room.connecting.set_header(ada, connector, acknowledged=hub.seen(connector), values=both)

    connection = await hub.room.connecting.set_header(
        ada, connector, acknowledged=hub.seen(connector), values={"X-API-Key": Secret("new")}
    )

    assert await hub.token(connection) == "x-api-key: new\r\n"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"X-App-Key": "app"},
        {"X-API-Key": ""},
        {"X-API-Key": "a\r\nHost: evil"},
        {"X-API-Key": "a\nb"},
        {"X-API-Key": "a\x00b"},
        {"X-API-Key": "schlüssel"},
        {"X-API-Key": "a\tb"},
        {"X-API-Key": " CANARY"},
        {"X-API-Key": "CANARY "},
        {"X-API-Key": "x" * 65_536},
        {"X-API-Key": "a", "x-api-KEY": "b"},
        {"X-API-Key": "a", "Authorization": "b"},
        {"X-API-Key": "a", "Host": "b"},
    ],
)
async def test_values_that_could_not_stand_in_a_header_are_refused_and_not_repeated(
    hub: Hub, ada: BrowserSession, connector: Connector, values: Mapping[str, str]
) -> None:
    given = {name: Secret(value) for name, value in values.items()}

    with pytest.raises(BadInput) as caught:
        await hub.room.connecting.set_header(ada, connector, acknowledged=hub.seen(connector), values=given)

    assert not any(value and len(value) > 1 and value in str(caught.value) for value in values.values())
    assert await hub.room.connections.list(ada.person.id) == ()


@pytest.mark.parametrize("typed", [" CANARY\n", "CANARY ", "\tCANARY", "CANARY\r\n"])
async def test_white_space_around_a_value_is_told_of_and_the_value_is_not(
    hub: Hub, ada: BrowserSession, connector: Connector, typed: str
) -> None:
    """CUS-13: what is copied from a page or a terminal often brings some along, and is refused for a reason unseen."""
    with capture_logs() as logs, pytest.raises(BadInput) as caught:
        await hub.room.connecting.set_header(
            ada, connector, acknowledged=hub.seen(connector), values={"X-API-Key": Secret(typed)}
        )

    assert caught.value.message == "The value of X-API-Key begins or ends with white space."
    assert "CANARY" not in f"{caught.value!r} {caught.value.hint} {logs}"


@pytest.mark.parametrize(
    "name", ["Host", "Cookie", "Content-Length", "Mcp-Session-Id", "Transfer-Encoding", "X-Forwarded-For", "a b", ""]
)
@pytest.mark.parametrize("kind", ["header", "oauth"])
async def test_names_by_which_requests_are_routed_or_framed_cannot_be_set(
    hub: Hub, ada: BrowserSession, name: str, kind: AuthKind
) -> None:
    """Refused when the connector is added, and again where the value would be sealed."""
    connector = await hub.connector(ada.person, KEY, kind="header", headers=["X-API-Key"])
    forged = replace(connector, auth={"headers": [name]}, auth_kind=kind)

    with pytest.raises(BadInput):
        await hub.connector(ada.person, "https://other.example.com/mcp", kind=kind, headers=[name])
    with pytest.raises(BadInput):
        check_values(forged, {name: Secret("x")})


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
async def test_beside_oauth_the_authorization_header_is_not_ours_to_set(
    hub: Hub, ada: BrowserSession, connector: Connector, name: str
) -> None:
    forged = replace(connector, auth={"headers": [name]}, auth_kind="oauth")

    with pytest.raises(BadInput):
        check_values(forged, {name: Secret("x")})


async def test_headers_may_go_along_with_a_sign_in(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url, headers=["X-Figma-Token"])
    with pytest.raises(Conflict, match="Sign in"):
        await hub.room.connecting.set_header(
            ada, connector, acknowledged=hub.seen(connector), values={"X-Figma-Token": Secret("f")}
        )
    connection = await hub.connect(ada, connector, server)

    await hub.room.connecting.set_header(
        ada, connector, acknowledged=hub.seen(connector), values={"X-Figma-Token": Secret("f")}
    )
    lines = await hub.token(connection)
    hub.clock.advance(3600)
    renewed = await hub.token(connection)

    assert [line.partition(":")[0] for line in lines.splitlines()] == ["authorization", "x-figma-token"]
    assert renewed.endswith("x-figma-token: f\r\n")
    assert renewed != lines


async def test_a_key_that_is_refused_is_told_and_no_sign_in_is_begun(
    hub: Hub, ada: BrowserSession, connector: Connector
) -> None:
    """CON-39."""
    connection = await hub.room.connecting.set_header(
        ada, connector, acknowledged=hub.seen(connector), values={"X-API-Key": Secret("key")}
    )

    again = await hub.room.credentials.refused(connection.id, connection.generation)

    assert not again
    after = await hub.now(connection)
    assert (after.state, after.state_reason) == (State.RECONNECT, "The service does not accept the key any more.")
    with pytest.raises(NotConnected):
        await hub.token(connection)


async def test_a_key_is_destroyed_with_its_connection_and_nobody_is_told(
    hub: Hub, ada: BrowserSession, connector: Connector
) -> None:
    connection = await hub.room.connecting.set_header(
        ada, connector, acknowledged=hub.seen(connector), values={"X-API-Key": Secret("key")}
    )

    receipt = await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")

    assert (receipt.keys_destroyed, receipt.revocation) == (1, "not_needed")
    assert (await hub.now(connection)).state is State.NOT_CONNECTED
