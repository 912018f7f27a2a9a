"""Bad input on either side of the methods that read: the error the protocol names, nothing asked, nothing piled up."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.gateway.client import MODERN, Client
from tests.gateway.conftest import Front, Hub
from tests.gateway.library import Library
from tests.gateway.service import Answer, Seen
from tests.gateway.test_bridge import assistant, prefix
from valetkey.gateway.catalog import MAX_ITEMS, MAX_PAGES
from valetkey.identity.model import Person


@pytest.fixture
def front() -> Front:
    return "fast"


@pytest.fixture
async def library() -> AsyncIterator[Library]:
    started = Library("modern")
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def ada(hub: Hub, library: Library) -> Person:
    person = await hub.person("ada")
    await hub.connect(person, library, "adas-token", on=("echo",))
    return person


async def sent(client: Client, message: dict[str, Any], **changed: str | None) -> Any:
    """Posts the message with some of its headers changed, or left out."""
    headers = [pair for pair in client.headers(message) if pair[0] not in changed]
    headers += [(name, value) for name, value in changed.items() if value is not None]
    return await client.send("POST", json.dumps(message).encode(), headers)


@pytest.mark.parametrize(
    ("method", "params"),
    [("resources/read", {"uri": "note:///1"}), ("prompts/get", {"name": "greet"}), ("tasks/get", {"taskId": "t1"})],
)
@pytest.mark.parametrize("name", [None, "other", "=?base64?!!?=", "=?base64?bm90ZTovLy8y?="])
async def test_a_header_that_says_something_else_is_refused(
    hub: Hub, ada: Person, library: Library, method: str, params: dict[str, Any], name: str | None
) -> None:
    client = await assistant(hub, ada, library, "modern", "one")
    before = len(library.seen)

    got = await sent(client, client.request(method, params), **{"Mcp-Name": name})

    assert (got.status, got.error["code"]) == (400, -32020)
    assert len(library.seen) == before


@pytest.mark.parametrize(
    "name", ["  note:///1", "note:///1 \t", "=?base64?bm90ZTovLy8x?=", " =?base64?bm90ZTovLy8x?= "]
)
async def test_a_header_that_says_the_same_otherwise_is_taken(
    hub: Hub, ada: Person, library: Library, name: str
) -> None:
    """White space round a value is no part of it (RFC 9110 5.5)."""
    client = await assistant(hub, ada, library, "modern", "one")

    got = await sent(client, client.request("resources/read", {"uri": "note:///1"}), **{"Mcp-Name": name})

    assert got.result["contents"][0]["text"] == "hi"


@pytest.mark.parametrize(
    "method",
    [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "x",
        "tools",
    ],
)
async def test_a_method_that_is_none_is_not_found(hub: Hub, ada: Person, library: Library, method: str) -> None:
    client = await assistant(hub, ada, library, "modern", "one")

    got = await client.ask(method, {"uri": "note:///1", "level": "info"})

    assert (got.status, got.error["code"]) == (404, -32601)


@pytest.mark.parametrize("method", ["server/discover", "subscriptions/listen", "tasks/get", "tasks/cancel", "x"])
async def test_a_method_of_the_other_era_is_none_for_an_older_client(
    hub: Hub, ada: Person, library: Library, method: str
) -> None:
    client = await assistant(hub, ada, library, "legacy", "one")

    got = await client.ask(method, {"taskId": "t", "notifications": {}})

    assert (got.status, got.error["code"]) == (200, -32601)


@pytest.mark.parametrize("params", [{}, {"uri": 7}, {"uri": None}, {"uri": ["note:///1"]}])
async def test_a_request_without_what_it_is_about_is_invalid(
    hub: Hub, ada: Person, library: Library, params: dict[str, Any]
) -> None:
    for era in ("modern", "legacy"):
        client = await assistant(hub, ada, library, era, "one")
        message = client.request("resources/read", params)
        got = await sent(client, message, **({"Mcp-Name": "note:///1"} if era == "modern" else {}))
        assert got.error["code"] == -32602


async def test_a_batch_and_a_response_are_no_requests(hub: Hub, ada: Person, library: Library) -> None:
    client = await assistant(hub, ada, library, "modern", "one")
    request = client.request("resources/read", {"uri": "note:///1"})
    headers = client.headers(request)

    batch = await client.send("POST", json.dumps([request]).encode(), headers)
    answer = await client.send("POST", b'{"jsonrpc":"2.0","id":1,"result":{}}', headers)
    both = await client.send("POST", json.dumps({**request, "result": {}}).encode(), headers)

    assert [(got.status, got.error["code"]) for got in (batch, answer, both)] == [(400, -32600)] * 3
    assert library.asked("resources/read") == []


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Evil: 1", "ä", "Twice"])
async def test_a_hostile_header_annotation_hides_the_tool(hub: Hub, ada: Person, library: Library, token: str) -> None:
    """Only from clients that would have to act on it; and never is a header made of it."""
    argument = {"type": "string", "x-mcp-header": token}
    properties = {"a": argument, **({"b": argument} if token == "Twice" else {})}
    library.tools.append(
        json.dumps({"name": "evil", "inputSchema": {"type": "object", "properties": properties}}).encode()
    )
    modern = await assistant(hub, ada, library, "modern", "one")

    assert "evil" not in await modern.names()
    assert "echo" in await modern.names()


ROUND = b'{"resources":[],"nextCursor":"again"}'


@pytest.mark.parametrize(
    "result", [b"[]", b"7", b"{}", b'{"prompts":7}', b'{"prompts":{}}', b'{"prompts":[7,null,{"name":5},{}]}'],
)  # fmt: skip
async def test_a_list_that_is_none_takes_nothing_from_the_others(
    hub: Hub, ada: Person, library: Library, result: bytes
) -> None:
    other = Library("modern")
    await other.start()
    await hub.connect(ada, other, "adas-other-token")
    client = await assistant(hub, ada, library, "modern", "all")
    other.on_anything = _saying(other, "prompts/list", result)

    got = await client.ask("prompts/list", {})
    await other.stop()

    assert prefix(hub, library, "all") + "greet" in [each["name"] for each in got.result["prompts"]]


async def test_a_list_without_end_ends(hub: Hub, ada: Person, library: Library) -> None:
    client = await assistant(hub, ada, library, "modern", "all")
    library.on_anything = _saying(library, "resources/list", ROUND)

    got = await client.ask("resources/list", {})

    assert got.result["resources"] == []
    assert got.result["_meta"]["valetkey/partial"][0]["reason"] == "more"
    assert len(library.asked("resources/list")) == MAX_PAGES


async def test_a_list_beyond_measure_is_cut(hub: Hub, ada: Person, library: Library) -> None:
    library.pages["resources/list"] = [[b'{"uri":"n:%d"}' % n for n in range(MAX_ITEMS + 100)], []]
    client = await assistant(hub, ada, library, "modern", "all")
    seen = 0
    cursor: dict[str, str] = {}

    while True:
        got = await client.ask("resources/list", cursor)
        seen += len(got.result["resources"])
        if "nextCursor" not in got.result:
            break
        cursor = {"cursor": got.result["nextCursor"]}

    assert seen == MAX_ITEMS


@pytest.mark.parametrize("result", [b"7", b'"text"', b"[]", b'{"resultType":"surprise","contents":[]}'])
async def test_an_answer_that_is_none_is_an_error_that_says_so(
    hub: Hub, ada: Person, library: Library, result: bytes
) -> None:
    client = await assistant(hub, ada, library, "modern", "one")
    library.on_anything = _saying(library, "resources/read", result)

    got = await client.ask("resources/read", {"uri": "note:///1"})

    assert got.error["code"] == -32603
    assert client.version == MODERN


def _saying(library: Library, method: str, result: bytes) -> Any:
    before = library.on_anything

    async def answer(seen: Seen) -> Answer | None:
        if seen.body and seen.message.get("method") == method:
            return library._result(seen.message["id"], result)
        return await before(seen)

    return answer
