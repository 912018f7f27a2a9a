"""The key that an owner enters for everybody: sealed once, each use a person's own, taken away for all (CUS-04)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connections.conftest import Hub
from valetkey.connections.held import TAKEN_AWAY
from valetkey.connections.model import Connection, State
from valetkey.connections.reconsent import WHY
from valetkey.directory.editing import Edit
from valetkey.directory.model import Connector
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import BadInput, Conflict, NotConnected
from valetkey.kernel.secret import Secret

URL = "https://mcp.example.com/mcp"
KEY = "CANARY-of-everybody"


@pytest.fixture
async def connector(hub: Hub, ada: BrowserSession) -> Connector:
    return await hub.connector(
        ada.person, URL, kind="header", headers=["X-API-Key"], optional_headers=["X-App-Key"], identity="organization"
    )


async def hold(hub: Hub, connector: Connector, **values: str) -> None:
    given = {name.replace("_", "-"): Secret(value) for name, value in values.items()}
    await hub.room.held.hold(connector, given, by="person:ada", person_id="ada")


async def connect(hub: Hub, browser: BrowserSession, connector: Connector, **values: Secret) -> Connection:
    return await hub.room.connecting.set_header(browser, connector, values=values, acknowledged=hub.seen(connector))


async def test_members_are_told_whose_key_it_is_before_they_connect_and_connect_by_themselves(
    hub: Hub, ada: BrowserSession, connector: Connector
) -> None:
    """CUS-04: shown as such before the first use, on what every surface shows."""
    bob = hub.browser(await hub.person("bob"))
    with pytest.raises(Conflict, match="No owner has entered"):
        await connect(hub, bob, connector)
    await hold(hub, connector, x_api_key=KEY)

    one, other = [await connect(hub, who, connector) for who in (ada, bob)]

    told = hub.connectors.disclosure(connector)
    assert told.facts["acts as"] == "the organization, not you"
    assert any("acts as the organization, not you" in warning for warning in told.warnings)
    assert (one.method, one.state, other.person_id) == ("organization", State.CONNECTED, bob.person.id)
    for connection in (one, other):
        assert await hub.token(connection) == f"x-api-key: {KEY}\r\n"
        assert not (await hub.vault.mark(connection.id)).names
    assert {purpose for purpose, _ in (await hub.vault.mark(connector.id)).names} == {"header:x-api-key"}
    assert "connector.key_entered" in await hub.events()


async def test_who_did_not_read_that_it_is_the_organizations_key_is_not_connected(
    hub: Hub, ada: BrowserSession, connector: Connector
) -> None:
    await hold(hub, connector, x_api_key=KEY)

    with pytest.raises(Conflict):
        await hub.room.connecting.set_header(ada, connector, values={}, acknowledged="")
    with pytest.raises(BadInput, match="you enter none"):
        await connect(hub, ada, connector, **{"X-API-Key": Secret("mine")})


async def test_another_persons_connection_is_no_way_to_it(hub: Hub, ada: BrowserSession, connector: Connector) -> None:
    await hold(hub, connector, x_api_key=KEY)
    mine = await connect(hub, ada, connector)
    bob = await hub.person("bob")

    with pytest.raises(NotConnected):
        await hub.room.credentials.ticket(mine.id, person_id=bob.id, call_id="call_1")


async def test_another_key_leaves_everybody_connected_and_takes_back_who_was_refused(
    hub: Hub, ada: BrowserSession, connector: Connector
) -> None:
    await hold(hub, connector, x_api_key=KEY, x_app_key="app")
    connection = await connect(hub, ada, connector)
    assert await hub.token(connection) == f"x-api-key: {KEY}\r\nx-app-key: app\r\n"
    assert not await hub.room.credentials.refused(connection.id, 1)
    refused = await hub.now(connection)
    assert (refused.state, "An owner can enter another" in refused.state_reason) == (State.RECONNECT, True)

    await hold(hub, connector, x_api_key="the-next")

    assert (await hub.now(connection)).state is State.CONNECTED
    assert await hub.token(connection) == "x-api-key: the-next\r\n"
    assert "connector.key_replaced" in await hub.events()


async def test_taking_it_away_destroys_it_and_ends_every_connection_with_a_receipt(
    hub: Hub, ada: BrowserSession, connector: Connector
) -> None:
    await hold(hub, connector, x_api_key=KEY)
    connection = await connect(hub, ada, connector)
    await hub.token(connection)

    destroyed = await hub.room.held.take_away(connector, by="person:ada", person_id="ada")

    now = await hub.now(connection)
    assert (destroyed, now.state, now.state_reason) == (1, State.NOT_CONNECTED, TAKEN_AWAY)
    assert not (await hub.vault.mark(connector.id)).names
    assert len(await hub.room.disconnecting.receipts(ada.person.id)) == 1
    with pytest.raises(NotConnected):
        await hub.token(connection)
    assert "connector.key_removed" in await hub.events()


async def test_one_member_leaving_takes_it_from_nobody_else(
    hub: Hub, ada: BrowserSession, connector: Connector
) -> None:
    await hold(hub, connector, x_api_key=KEY)
    bob = hub.browser(await hub.person("bob"))
    mine, his = [await connect(hub, who, connector) for who in (ada, bob)]

    await hub.room.disconnecting.disconnect(bob.person.id, his.id, by="person:bob")

    assert await hub.token(mine) == f"x-api-key: {KEY}\r\n"
    with pytest.raises(NotConnected):
        await hub.token(his)


@pytest.mark.parametrize(
    "edit",
    [Edit(auth={"identity": ""}), Edit(url="https://mcp.example.com/other"), Edit(auth_kind="none")],
    ids=["people's own keys", "another address", "no key"],
)
async def test_a_connector_that_is_changed_goes_without_it_until_an_owner_enters_it_anew(
    hub: Hub, ada: BrowserSession, connector: Connector, edit: Edit
) -> None:
    """CUS-05: what was entered for it as it was is not sent where it is now."""
    await hold(hub, connector, x_api_key=KEY)
    connection = await connect(hub, ada, connector)

    await hub.room.editing.edit(connector, edit, by="person:ada", person_id="ada")

    assert not (await hub.vault.mark(connector.id)).names
    now = await hub.now(connection)
    assert (now.state, now.state_reason) == (State.NOT_CONNECTED, WHY)


async def test_people_keep_their_own_keys_apart_from_it(hub: Hub, ada: BrowserSession) -> None:
    own = await hub.connector(ada.person, URL, kind="header", headers=["X-API-Key"])

    with pytest.raises(Conflict, match="each person enters"):
        await hold(hub, own, x_api_key=KEY)


async def test_a_connector_that_is_removed_takes_it_along(hub: Hub, ada: BrowserSession, connector: Connector) -> None:
    await hold(hub, connector, x_api_key=KEY)

    await hub.room.editing.remove(connector, by="operator", person_id="")

    assert not (await hub.vault.mark(connector.id)).names


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ("oauth", {"identity": "organization"}),
        ("none", {"identity": "organization"}),
        ("header", {"headers": ["X-API-Key"], "identity": "me"}),
        ("header", {"headers": ["X-API-Key"], "identity": True}),
    ],
)
async def test_only_a_key_in_a_header_is_an_organizations(
    hub: Hub, ada: BrowserSession, kind: str, facts: dict[str, Any]
) -> None:
    with pytest.raises(BadInput):
        await hub.connector(ada.person, URL, kind=kind, **facts)
