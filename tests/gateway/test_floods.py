"""A service that says a thousand times a second that something changed: bounded, said a few times, and nobody waits."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.gateway.client import Client
from tests.gateway.conftest import Front, Hub
from tests.gateway.library import Library
from tests.gateway.service import Answer, Seen, Service
from tests.gateway.test_bridge import ERAS, Era, assistant
from tests.gateway.test_subscriptions import ALL, listening, until
from valetkey.gateway.watches import MAX_GATHERED
from valetkey.identity.model import Person

CHANGED = b'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'


@pytest.fixture
def front() -> Front:
    return "fast"


@pytest.fixture(params=ERAS)
async def library(request: pytest.FixtureRequest) -> AsyncIterator[Library]:
    started = Library(request.param)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def ada(hub: Hub, library: Library) -> Person:
    person = await hub.person("ada")
    await hub.connect(person, library, "adas-token", on=("echo",))
    return person


@pytest.fixture
async def grace(hub: Hub, modern: Service) -> Client:
    """Somebody else, at another service."""
    person = await hub.person("grace")
    await hub.connect(person, modern, "graces-token")
    client = await hub.client(person, modern)
    await client.call("echo", {"text": "first"})
    return client


@pytest.mark.parametrize("era", ERAS)
async def test_a_flood_of_changes_is_heard_a_few_times_and_holds_nobody_up(
    hub: Hub, ada: Person, library: Library, grace: Client, era: Era
) -> None:
    client = await assistant(hub, ada, library, era, "one")
    stream = await listening(client, era, {**ALL, "resourceSubscriptions": ["note:///"]})
    await until(lambda: library.listeners)
    flooding = asyncio.ensure_future(flood(library, 1500))
    gathered, waited = 0, 0.0

    while not flooding.done():
        began = time.perf_counter()
        assert (await grace.call("echo", {"text": "still here"})).text == "still here"
        waited = max(waited, time.perf_counter() - began)
        gathered = max(gathered, len(hub.gateway.watches._gathered))
    first = await stream.next()
    stream.close()

    assert first["method"] in ("notifications/tools/list_changed", "notifications/resources/updated")
    assert gathered <= MAX_GATHERED
    assert waited < 2
    assert len(await hub.records(ada, method="tools/list")) < 10


async def flood(library: Library, number: int) -> None:
    """Every other change is about something that nobody heard of before: nothing to fold together."""
    for each in range(number // 2):
        await library.say("notifications/tools/list_changed")
        await library.say("notifications/resources/updated", uri=f"note:///{each}")
        await asyncio.sleep(0)


async def test_a_flood_of_changes_within_a_call_does_not_keep_it_from_ending(
    hub: Hub, ada: Person, library: Library
) -> None:
    client = await assistant(hub, ada, library, "modern", "one")
    before = len(library.methods())

    async def on_anything(seen: Seen) -> Answer | None:
        if b'"tools/call"' not in seen.body:
            return None
        result: dict[str, Any] = {"resultType": "complete", "content": [{"type": "text", "text": "done"}]}
        done = json.dumps({"jsonrpc": "2.0", "id": seen.message["id"], "result": result}).encode()
        return Answer(pieces=[CHANGED * 150] * 10 + [b"data: " + done + b"\n\n"], content_type="text/event-stream")

    kept, library.on_anything = library.on_anything, on_anything
    got = await client.call("echo", {})
    library.on_anything = kept

    assert got.text == "done"
    assert library.methods()[before:].count("tools/list") <= 2
