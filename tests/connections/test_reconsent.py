"""Editing a connector: what was granted for it as it was is gone, and never used with what it is now (CUS-05, T24)."""

from __future__ import annotations

import pytest

from tests.connections.conftest import Hub
from tests.connections.outside import AuthServer, Service
from valetkey.audit.model import Everyone
from valetkey.connections.model import State
from valetkey.connections.reconsent import WHY
from valetkey.directory.editing import Edit
from valetkey.directory.listings import Listings, read_listing
from valetkey.directory.model import Connector
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import BadInput, Conflict, NotConnected
from valetkey.kernel.secret import Secret
from valetkey.net.url import parse_url


async def edit(hub: Hub, ada: BrowserSession, connector: Connector, wanted: Edit) -> Connector:
    return await hub.room.editing.edit(connector, wanted, by="person:ada", person_id=ada.person.id)


async def test_other_ways_to_sign_in_end_what_everybody_granted_and_say_why(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)
    bob = hub.browser(await hub.person("bob"))
    connections = [await hub.connect(one, connector, server) for one in (ada, bob)]

    changed = await edit(hub, ada, connector, Edit(auth={"client_id": "ours"}))

    assert (changed.version, changed.auth["client_id"]) == (connector.version + 1, "ours")
    assert len(server.revoked) == 4
    for connection in connections:
        now = await hub.now(connection)
        assert (now.state, now.state_reason) == (State.NOT_CONNECTED, WHY)
        assert not (await hub.vault.mark(connection.id)).names
        with pytest.raises(NotConnected, match="look at it again"):
            await hub.bearer(connection)
    [told] = [one for one in await hub.trail.list(Everyone(), limit=100) if one.event == "connector.changed"]
    assert (told.detail["sign_in_before"], told.detail["sign_in"]) == (
        '{"kind":"oauth"}', '{"client_id":"ours","kind":"oauth"}',
    )  # fmt: skip


async def test_what_an_address_was_is_told_cut_and_without_what_looks_like_a_secret(
    hub: Hub, ada: BrowserSession, service: Service
) -> None:
    connector = await hub.connector(ada.person, service.url)
    token = "ghp_" + "CANARY1b2C3d4E5f6A7b8C9d0"

    await edit(hub, ada, connector, Edit(url=f"{service.origin}/{token}/{'x' * 1900}"))

    [told] = [one for one in await hub.trail.list(Everyone(), limit=100) if one.event == "connector.changed"]
    assert told.detail["url_before"] == service.url
    assert told.detail["url"].startswith(f"{service.origin}/[redacted]/xxx")
    assert len(told.detail["url"]) <= 501


async def test_who_connects_anew_agrees_to_what_it_is_now(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)
    await hub.connect(ada, connector, server)
    changed = await edit(hub, ada, connector, Edit(auth={"scope": "notes:read"}))

    again = await hub.connect(ada, changed, server)

    assert (again.connector_version, again.state_reason) == (changed.version, "")
    assert again.granted_scope == "notes:read"
    assert server.lets_in(await hub.bearer(again))


async def test_another_name_leaves_everybody_connected(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connector = await hub.connector(ada.person, service.url)
    connection = await hub.connect(ada, connector, server)

    changed = await edit(hub, ada, connector, Edit(name="Our notes"))

    assert (changed.name, changed.version) == ("Our notes", connector.version)
    assert server.lets_in(await hub.bearer(connection))
    assert server.revoked == []


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/mcp",
        "http://127.0.0.1:1/mcp",
        "https://127.0.0.1/mcp",
        "http://localhost/mcp",
        "https://xn--pple-43d.example/mcp",
    ],
    ids=["host", "port", "scheme", "alias", "look-alike"],
)
async def test_another_origin_is_another_connector_and_nobody_loses_anything(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, url: str
) -> None:
    connector = await hub.connector(ada.person, service.url)
    connection = await hub.connect(ada, connector, server)

    with pytest.raises(BadInput) as caught:
        await edit(hub, ada, connector, Edit(url=url))

    assert caught.value.field == "url"
    assert server.lets_in(await hub.bearer(connection))


async def test_a_key_goes_to_no_other_path_than_it_was_given_for(hub: Hub, ada: BrowserSession) -> None:
    connector = await hub.connector(ada.person, "https://mcp.example.com/a", kind="header", headers=["X-API-Key"])
    connection = await hub.room.connecting.set_header(
        ada, connector, acknowledged=hub.seen(connector), values={"X-API-Key": Secret("key")}
    )

    await edit(hub, ada, connector, Edit(url="https://mcp.example.com/b"))

    with pytest.raises(NotConnected):
        await hub.token(connection)
    assert not (await hub.vault.mark(connection.id)).names


async def test_of_two_who_edit_at_once_one_is_told_to_look_again(hub: Hub, ada: BrowserSession) -> None:
    connector = await hub.connector(ada.person, "https://mcp.example.com/a")
    first = await hub.connectors.edited(connector.id, Edit(auth={"client_id": "one"}))
    second = await hub.connectors.edited(connector.id, Edit(auth={"client_id": "two"}))
    await hub.connectors.keep(first)

    with pytest.raises(Conflict, match="meanwhile"):
        await hub.connectors.keep(second)

    assert (await hub.connectors.by_id(connector.id)).auth["client_id"] == "one"


async def test_an_address_that_another_connector_has_is_not_taken(hub: Hub, ada: BrowserSession) -> None:
    """CON-40."""
    await hub.connector(ada.person, "https://mcp.example.com/a")
    other = await hub.connector(ada.person, "https://mcp.example.com/b")

    with pytest.raises(Conflict, match="already there"):
        await edit(hub, ada, other, Edit(url="https://mcp.example.com/a/"))


async def test_a_connector_that_takes_a_key_instead_keeps_no_client_id(hub: Hub, ada: BrowserSession) -> None:
    connector = await hub.connector(ada.person, "https://mcp.example.com/a", client_id="ours")

    changed = await edit(hub, ada, connector, Edit(auth_kind="header", auth={"headers": ["X-API-Key"]}))

    assert (changed.auth_kind, dict(changed.auth)) == ("header", {"headers": ["X-API-Key"]})


def listed_at(url: str) -> Listings:
    entry = f"""
    name = "Notes"
    publisher = "Notes Company"
    about = "Notes, kept."
    url = "{url}"
    categories = ["documents"]
    source = {{ url = "https://notes.example/docs", date = 2026-08-01 }}

    [auth]
    kind = "header"
    headers = ["X-API-Key"]
    """
    return Listings([read_listing("notes", entry, parse_url=parse_url)])


async def test_a_listing_that_moved_takes_along_nobody_and_no_key(hub: Hub, ada: BrowserSession) -> None:
    """CUS-08: who was connected stays where they were until somebody moves it; then they agree anew."""
    hub.connectors.listings = listed_at("https://old.notes.example/mcp")
    connector = await hub.connectors.add_listed(ada.person, "notes")
    connection = await hub.room.connecting.set_header(
        ada, connector, acknowledged=hub.seen(connector), values={"X-API-Key": Secret("key")}
    )
    hub.connectors.listings = listed_at("https://new.notes.example/mcp")
    await hub.notifications.publish("connectors", connector.id)

    stayed = await hub.connectors.by_id(connector.id)
    key = await hub.token(connection)
    moved = await edit(hub, ada, stayed, Edit(follow_listing=True))

    assert (stayed.url, stayed.review_state.value) == ("https://old.notes.example/mcp", "custom")
    assert hub.connectors.moved_to(stayed) == moved.url == "https://new.notes.example/mcp"
    assert (moved.origin, moved.review_state.value) == ("https://new.notes.example", "community")
    assert hub.connectors.moved_to(moved) == ""
    assert key == "x-api-key: key\r\n"
    with pytest.raises(NotConnected):
        await hub.token(connection)
    assert not (await hub.vault.mark(connection.id)).names


async def test_what_has_not_moved_is_not_moved(hub: Hub, ada: BrowserSession) -> None:
    connector = await hub.connector(ada.person, "https://mcp.example.com/a")

    with pytest.raises(Conflict, match="where its listing says"):
        await edit(hub, ada, connector, Edit(follow_listing=True))
