"""Services that answer badly to what is no tool call: an error or a bounded answer, and nobody else notices (T28)."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.gateway.conftest import Front, Hub
from tests.gateway.library import Library
from tests.gateway.service import Answer, Seen, Service
from tests.gateway.test_bridge import assistant

ASKED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("prompts/list", {}),
    ("prompts/get", {"name": "greet"}),
    ("resources/list", {}),
    ("resources/templates/list", {}),
    ("resources/read", {"uri": "note:///1"}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "a", "value": "b"}}),
)
ITEMS = {
    "prompts/list": "prompts", "resources/list": "resources", "resources/templates/list": "resourceTemplates",
    "prompts/get": "messages", "resources/read": "contents", "completion/complete": "completion",
}  # fmt: skip

Bad = Callable[[Any, str], Answer]


def result(request_id: Any, raw: bytes) -> Answer:
    return Answer(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (json.dumps(request_id).encode(), raw))


def listed(raw: bytes) -> Bad:
    return lambda request_id, method: result(
        request_id, b'{"resultType":"complete","ttlMs":0,"%b":%b}' % (ITEMS[method].encode(), raw)
    )


def stream(*pieces: bytes) -> Bad:
    return lambda _id, _method: Answer(pieces=list(pieces), content_type="text/event-stream")


def smuggled(request_id: Any, _method: str) -> Answer:
    both = b'{"jsonrpc":"2.0","id":%b,"method":"x","result":{"smuggled":1}}' % json.dumps(request_id).encode()
    return Answer(pieces=[b"data: " + both + b"\n\n"], content_type="text/event-stream")


UPDATED = b'data: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x:%d"}}\n\n'
NOTE = b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}\n\n'
QUESTION = b'data: {"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}\n\n'
BAD: dict[str, Bad] = {
    "a giant": lambda request_id, _: result(request_id, b'{"x":"%b"}' % (b"x" * (11 << 20))),
    "a long line": stream(b"data: " + b"x" * (3 << 20)),
    "comments without end": stream(*[b": nothing\n" * 10_000] * 60),
    "too many notes": stream(*[NOTE * 200] * 15),
    "too many questions": stream(*[QUESTION * 50] * 4, NOTE),
    "a depth": lambda request_id, _: result(request_id, b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "two keys": lambda request_id, _: result(request_id, b'{"x":1,"x":2}'),
    "no object": lambda request_id, _: result(request_id, b"[1]"),
    "no list": listed(b'"none"'),
    "strange items": listed(b'[1,null,"x",[],{},{"name":7,"uri":[],"uriTemplate":{}},{"name":"","uri":""}]'),
    "long names": listed(b'[{"name":"%b","uri":"x:%b"}]' % (b"n" * 100_000, b"u" * 100_000)),
    "hundred thousand": listed(b"[" + b'{"name":"n","uri":"x:n"},' * 90_000 + b"{}]"),
    "another's answer": lambda _id, _: result(987654, b"{}"),
    "a request and an answer": smuggled,
    "nothing": lambda _id, _: Answer(b""),
    "an error that is none": lambda request_id, _: Answer(b'{"jsonrpc":"2.0","id":%d,"error":"no"}' % request_id),
    "times that are none": lambda request_id, method: result(
        request_id, b'{"ttlMs":1e999,"nextCursor":{"a":1},"%b":[]}' % ITEMS[method].encode()
    ),
}

HEAVY = ("a giant", "a long line", "comments without end", "too many notes", "hundred thousand")


@pytest.fixture
def front() -> Front:
    return "fast"


@pytest.fixture
async def library() -> AsyncIterator[Library]:
    started = Library("modern")
    await started.start()
    yield started
    await started.stop()


@pytest.mark.parametrize("door", ["one", "all"])
async def test_whatever_a_service_answers_is_bounded_and_its_own_trouble(
    hub: Hub, library: Library, modern: Service, door: str
) -> None:
    ada, ben = await hub.person("ada"), await hub.person("ben")
    await hub.connect(ada, library, "adas-token")
    await hub.connect(ben, modern, "bens-token")
    client, others = await assistant(hub, ada, library, "modern", door), await hub.client(ben, modern)
    well = library.on_anything
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unclear: list[str] = []

    for what, bad in BAD.items():

        async def answer(seen: Seen, bad: Bad = bad) -> Answer | None:
            message = seen.message if seen.body else {}
            return bad(message["id"], message["method"]) if message.get("method") in ITEMS else await well(seen)

        library.on_anything = answer
        for method, params in ASKED:
            async with asyncio.timeout(20):
                got = await client.ask(method, params)
            said = json.loads(got.raw.rpartition(b"data: ")[2])
            if not ("result" in said) ^ ("error" in said) or b"smuggled" in got.raw or len(got.raw) > 4 << 20:
                unclear.append(f"{what} to {method}")
        assert (await others.call("echo", {"text": what})).text == what
    library.on_anything = well

    assert unclear == []
    assert (await client.ask("resources/list", {})).result["resources"]
    # The service that makes all this is in this very process, with three copies of what it says.
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 64 + 3 * 16


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_stream_of_changes_that_says_anything_at_all_harms_nobody(hub: Hub, era: Any) -> None:
    """Frames that belong to nobody, requests, answers, changes of things that nobody asked for, and a great many."""
    library = Library(era)
    await library.start()
    try:
        ada = await hub.person("ada")
        await hub.connect(ada, library, "adas-token")
        client = await assistant(hub, ada, library, "modern", "one")
        wanted = {"notifications": {"toolsListChanged": True, "resourceSubscriptions": ["note:///1"]}}
        listening = asyncio.ensure_future(client.ask("subscriptions/listen", wanted))
        async with asyncio.timeout(5):
            while not library.listeners:
                await asyncio.sleep(0.01)
        frames = [
            b"data: nonsense\n\n", b"data: [1]\n\n", QUESTION, NOTE, b": comment\n\n" * 100,
            b'data: {"jsonrpc":"2.0","id":999,"result":{}}\n\n',
            b'data: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":7}}\n\n',
            *(UPDATED % number for number in range(1500)),
        ]  # fmt: skip
        for queue in library.listeners:
            queue.put_nowait(b"".join(frames))

        call = await (await hub.client(ada, library)).call("echo")
        watches = hub.gateway.watches

        assert call.result["content"]
        assert len(watches._gathered) <= 1000
        listening.cancel()
    finally:
        await library.stop()
