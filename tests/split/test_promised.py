"""A ticket that the vault hands to the dialer itself: one way less, and not a word more than one that is asked for."""

from __future__ import annotations

import asyncio
import base64
from functools import partial

import pytest

from tests.connections.conftest import PARSE
from tests.connections.outside import AuthServer, Service
from tests.split.conftest import HEADERS, INITIALIZE, SplitHub
from tests.split.test_split import NOTE, TOOL, bearers, connected, seen
from valetkey.audit.model import Outcome
from valetkey.connections.methods import oauth
from valetkey.connections.model import Connection
from valetkey.connections.refresh import Outcome as Renewed
from valetkey.connections.repository import Seen
from valetkey.identity.model import BrowserSession
from valetkey.kernel.errors import NotConnected, OutboundFailed
from valetkey.net.beside.said import LINE, NAME_SIZE
from valetkey.net.model import Answer as Came
from valetkey.policy.model import Setting
from valetkey.policy.permissions import Permissions
from valetkey.policy.tool_class import ToolClass
from valetkey.vault.release import NotReleased
from valetkey.vault.verbs import Ticket


def promised(hub: SplitHub, connection: Connection, call_id: str) -> Ticket:
    """What the hot path has at hand."""
    made = hub.room.credentials.ticket_now(connection.id, person_id=connection.person_id, call_id=call_id)
    assert made is not None
    return made


async def post(hub: SplitHub, connection: Connection, url: str, ticket: Ticket) -> Came:
    return await hub.outbound.calls.post(PARSE(url), HEADERS, INITIALIZE, credential=ticket, pool=connection.id)


async def test_the_second_call_has_its_ticket_at_hand_and_it_is_a_mere_name(
    hub: SplitHub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connection = await connected(hub, ada, service, server)
    await hub.call(connection, service.url)
    service.asked.clear()

    async def one() -> bytes:
        with hub.call_log.begin(hub.intent(connection)) as record:
            ticket = promised(hub, connection, record.intent.id)
            line = bytearray(ticket.size)
            answer = await post(hub, connection, service.url, ticket)
            record.finish(Outcome.OK)
        with hub.call_log.begin(hub.intent(connection)) as record:
            promised(hub, connection, record.intent.id).write_into(memoryview(line))
        assert answer.status == 200
        return bytes(line)

    lines = await asyncio.gather(*(one() for _ in range(20)))

    assert bearers(service) == list(server.access)[:1] * 20
    names = {base64.b64decode(line[len(LINE) :]) for line in lines}
    assert [len(name) for name in names] == [NAME_SIZE] * 20


async def test_a_promise_that_the_rule_does_not_keep_is_a_refusal_and_nothing_leaves(
    hub: SplitHub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connection = await connected(hub, ada, service, server)
    await seen(hub, connection, NOTE)
    await hub.call(connection, service.url)
    service.asked.clear()

    with pytest.raises(NotReleased, match="without a record"):
        await post(hub, connection, service.url, promised(hub, connection, "call_unheard_of"))
    with hub.call_log.begin(hub.intent(connection, tool=TOOL.name)) as record:
        with pytest.raises(NotReleased, match="Nobody said yes"):
            await post(hub, connection, service.url, promised(hub, connection, record.intent.id))
        permissions = Permissions(hub.main, hub.notifications, clock=hub.clock)
        await permissions.set(connection.id, [(TOOL, Setting.ALLOW, ToolClass.READ)])
        assert service.asked == []
        assert (await post(hub, connection, service.url, promised(hub, connection, record.intent.id))).status == 200
    with hub.call_log.begin(hub.intent(connection)) as record:
        held = promised(hub, connection, record.intent.id)
        await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")
        service.asked.clear()
        with pytest.raises((NotConnected, OutboundFailed)):
            await post(hub, connection, service.url, held)
    assert service.asked == []


async def test_a_promise_of_a_value_that_is_another_by_now_is_kept_with_the_newer_one(
    hub: SplitHub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    connection = await connected(hub, ada, service, server)
    await hub.call(connection, service.url)

    with hub.call_log.begin(hub.intent(connection)) as record:
        assert await hub.room.refreshing.refresh(Seen.of(await hub.now(connection))) is Renewed.FRESH
        connector = await hub.connectors.by_id(connection.connector_id)
        call = {"person_id": connection.person_id, "call_id": record.intent.id}
        of_before = hub.kept.vault.ticket_now(
            oauth.parts(connection, connector, ()), origin=connector.origin, call_id=record.intent.id,
            otherwise=partial(hub.room.credentials.ticket, connection.id, **call),
        )  # fmt: skip
        assert of_before is not None
        assert (await post(hub, connection, service.url, of_before)).status == 200
        record.finish(Outcome.OK)

    newer = list(server.access)[1]
    assert bearers(service)[-1] == newer
    assert of_before.generation == 2
    assert newer.encode() not in of_before.masked(b"You said %b to me." % newer.encode())
