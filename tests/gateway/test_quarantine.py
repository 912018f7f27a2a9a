"""Quarantine: no call goes to a service any more, those under way end, and lifting it makes everything as it was."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import update

from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Seen, Service
from valetkey.audit.model import OfPerson, Outcome
from valetkey.audit.trail import Trail
from valetkey.connections.model import Connection
from valetkey.identity.model import Person
from valetkey.kernel.errors import NotFound
from valetkey.store.notify import EVERYTHING
from valetkey.store.schema import connector as connector_table


@pytest.fixture
def front() -> Front:
    """Both fronts lead to the same calls."""
    return "fast"


@pytest.fixture
async def ada(hub: Hub, modern: Service) -> Person:
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")
    return ada


async def set_quarantine(hub: Hub, whose: str, person: Person, service: Service, *, on: bool) -> Connection:
    [connection] = await hub.connections.list(person.id)
    if whose == "person":
        by = f"person:{person.id}"
        return await hub.room.quarantine.of_connection(person.id, connection.id, on=on, by=by)
    connector = await hub.connectors.by_id(connection.connector_id)
    await hub.room.quarantine.of_connector(connector, on=on, by="person:owner", person_id="")
    return connection


@pytest.mark.parametrize("whose", ["person", "organization"])
async def test_in_quarantine_nothing_reaches_the_service_and_no_model_sees_its_tools(
    hub: Hub, ada: Person, modern: Service, whose: str
) -> None:
    one, all_of_them = await hub.client(ada, modern), await hub.client(ada)
    assert (await one.call("echo", {"text": "before"})).text == "before"
    came = len(modern.seen)

    await set_quarantine(hub, whose, ada, modern, on=True)
    refused = await one.call("echo", {"text": "during"})
    [listed, everything] = [(await client.tools()).result["tools"] for client in (one, all_of_them)]

    assert "in quarantine" in refused.text
    assert (listed, everything) == ([], [])
    assert len(modern.seen) == came
    assert (await hub.records(ada))[-1].outcome is Outcome.REFUSED

    await set_quarantine(hub, whose, ada, modern, on=False)
    assert (await one.call("echo", {"text": "after"})).text == "after"
    assert [tool["name"] for tool in (await one.tools()).result["tools"]]
    noun = "connection" if whose == "person" else "connector"
    events = [one.event for one in await Trail(hub.database, hub.clock).list(OfPerson(ada.id))]
    if whose == "person":
        assert [one for one in events if "quarantine" in one] == [f"{noun}.quarantine_lifted", f"{noun}.quarantined"]


@pytest.mark.parametrize("whose", ["person", "organization"])
async def test_a_call_under_way_ends(hub: Hub, ada: Person, modern: Service, whose: str) -> None:
    client = await hub.client(ada, modern)
    arrived, never = asyncio.Event(), asyncio.Event()

    async def on_call(_seen: Seen, _params: dict[str, Any]) -> bytes:
        arrived.set()
        await never.wait()
        return json.dumps({"content": []}).encode()

    modern.on_call = on_call
    call = asyncio.ensure_future(client.call("echo", {"text": "x"}))
    async with asyncio.timeout(30):
        await arrived.wait()
        await set_quarantine(hub, whose, ada, modern, on=True)
        async with asyncio.timeout(5):
            got = await call
    never.set()

    assert got.result["isError"] is True
    assert (await hub.records(ada))[-1].outcome is Outcome.UNREACHABLE


async def test_a_listing_that_is_taken_down_is_frozen_and_its_calls_end(hub: Hub, ada: Person, modern: Service) -> None:
    """DIR-15: at once; on other replicas with the notification that a quarantine goes by."""
    [connection] = await hub.connections.list(ada.id)
    async with hub.database.write() as tx:
        made_from = update(connector_table).where(connector_table.c.id == connection.connector_id)
        await tx.execute(made_from.values(listing="notes"))
    await hub.notifications.publish("connectors", EVERYTHING)
    client = await hub.client(ada, path="/c/notes/mcp")
    arrived, never = asyncio.Event(), asyncio.Event()

    async def on_call(_seen: Seen, _params: dict[str, Any]) -> bytes:
        arrived.set()
        await never.wait()
        return b'{"content":[]}'

    modern.on_call = on_call
    call = asyncio.ensure_future(client.call("echo", {"text": "x"}))
    async with asyncio.timeout(30):
        await arrived.wait()
        await hub.room.quarantine.of_listing("notes", reason="It was sold.", by="operator")
        got = await call
    never.set()

    assert got.result["isError"] is True
    assert "taken off the directory" in (await client.call("echo", {})).text
    assert (await hub.connections.get(ada.id, connection.id)).state is connection.state


async def test_nobody_sets_another_person_s_and_one_does_not_lift_the_other(
    hub: Hub, ada: Person, modern: Service
) -> None:
    bob = await hub.person("bob")
    client = await hub.client(ada, modern)
    connection = await set_quarantine(hub, "person", ada, modern, on=True)

    with pytest.raises(NotFound):
        await hub.room.quarantine.of_connection(bob.id, connection.id, on=False, by="person:bob")
    await set_quarantine(hub, "organization", ada, modern, on=True)
    await set_quarantine(hub, "organization", ada, modern, on=False)

    assert "in quarantine" in (await client.call("echo", {})).text


async def test_what_was_blocked_before_is_blocked_afterwards(hub: Hub, ada: Person, modern: Service) -> None:
    [connection] = await hub.connections.list(ada.id)
    await hub.connectors.set_state(connection.connector_id, "blocked")
    await set_quarantine(hub, "organization", ada, modern, on=True)
    await set_quarantine(hub, "organization", ada, modern, on=False)

    assert (await hub.connectors.by_id(connection.connector_id)).state == "blocked"
