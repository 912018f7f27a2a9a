"""S-09 (a) as one table: however a call ends, there is exactly one record of it, and it says so.

The thirteenth way, `interrupted`, is what a hub that was killed leaves: `audit/test_calls.py` kills it. That a call
made again is linked with the one before is `test_asking.py`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.gateway.client import Client
from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Answer, Seen, Service
from valetkey.audit.model import Outcome
from valetkey.connections.model import Connection
from valetkey.upstream.streamable_http import CALL_LIMITS


@dataclass
class Told:
    """What an ending can reach for."""

    hub: Hub
    service: Service
    client: Client
    connection: Connection


Ending = Callable[[Told], Awaitable[object]]


def answering(answer: Answer | bytes) -> Ending:
    async def call(told: Told) -> object:
        async def on_call(_seen: Seen, _params: Any) -> Answer | bytes:
            return answer

        told.service.on_call = on_call
        return await told.client.call("echo")

    return call


async def _too_slow(told: Told) -> object:
    told.hub.upstreams.limits = replace(CALL_LIMITS, total=0.2, first_byte=0.2)

    async def never(_seen: Seen, _params: Any) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    told.service.on_call = never
    return await told.client.call("echo")


async def _hung_up(told: Told) -> object:
    began = asyncio.Event()

    async def never(_seen: Seen, _params: Any) -> bytes:
        began.set()
        await asyncio.Event().wait()
        raise AssertionError

    told.service.on_call = never
    message = told.client.request("tools/call", {"name": "echo", "arguments": {}})
    _, writer = await told.client.begin("POST", json.dumps(message).encode(), told.client.headers(message))
    await began.wait()
    writer.close()
    async with asyncio.timeout(5):
        while not told.service.lost:
            await asyncio.sleep(0.005)
    return None


async def _not_allowed(told: Told) -> object:
    return await told.client.call("no_such_tool")


async def _asked_first(told: Told) -> object:
    return await told.client.call("delete_all")


async def _lost_its_token(told: Told) -> object:
    await told.hub.vault.shred(told.connection.id)
    return await told.client.call("echo")


async def _down(told: Told) -> object:
    await told.service.stop()
    return await told.client.call("echo")


async def _our_mistake(told: Told) -> object:
    async def broken(_connection_id: str) -> bool:
        raise RuntimeError("adas-token is in this message")

    told.service.accepted = {"another"}
    told.hub.credentials.renew = broken
    return await told.client.call("echo")


ENDINGS: dict[Outcome, Ending] = {
    Outcome.OK: answering(b'{"content":[]}'),
    Outcome.TOOL_ERROR: answering(b'{"content":[],"isError":true}'),
    Outcome.PROTOCOL_ERROR: answering(Answer(b"not json")),
    Outcome.HTTP_ERROR: answering(Answer(b"down", 500, content_type="text/plain")),
    Outcome.TOO_LARGE: answering(Answer(b" " * (3 << 20))),
    Outcome.TIMEOUT: _too_slow,
    Outcome.CANCELLED: _hung_up,
    Outcome.REFUSED: _not_allowed,
    Outcome.INPUT_REQUIRED: _asked_first,
    Outcome.NOT_CONNECTED: _lost_its_token,
    Outcome.UNREACHABLE: _down,
    Outcome.FAILED: _our_mistake,
}


@pytest.fixture
def front() -> Front:
    """The fast one; both are held to each outcome in `test_outcomes`."""
    return "fast"


def test_the_table_has_every_way_a_call_can_end_but_the_crash() -> None:
    assert set(ENDINGS) == set(Outcome) - {Outcome.INTERRUPTED}


@pytest.mark.parametrize("outcome", ENDINGS, ids=str)
async def test_however_a_call_ends_there_is_exactly_one_record_of_it(
    hub: Hub, modern: Service, outcome: Outcome
) -> None:
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, "adas-token")
    client = await hub.client(ada, modern)

    await ENDINGS[outcome](Told(hub, modern, client, connection))

    [record] = await hub.records(ada)
    assert record.outcome is outcome
    assert (record.person_id, record.organization_id) == (ada.id, ada.organization_id)
    assert (record.tool, bool(record.client), record.method) == (record.tool or "?", True, "tools/call")
    assert record.duration_us >= 0
    assert "adas-token" not in record.detail
