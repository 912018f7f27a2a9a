"""The fast front as HTTP: cut bytes, pipelined requests, strange heads, and everything that is not for it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.gateway.client import Client, Got, read_answer
from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Seen, Service


@pytest.fixture(params=["fast"])
def front(request: pytest.FixtureRequest) -> Front:
    """Only the front these tests are about."""
    chosen: Front = request.param
    return chosen


def raw(client: Client, message: Any, *, version: str = "1.1", more: str = "") -> bytes:
    """A request as it stands on the wire."""
    body = json.dumps(message).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in client.headers(message))
    return f"POST {client.path} HTTP/{version}\r\n{head}{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def talk(hub: Hub, *pieces: bytes, answers: int = 1) -> list[Got]:
    """Sends the pieces one by one over one connection, then reads the answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    got = [await read_answer(reader) for _ in range(answers)]
    writer.close()
    return got


async def connected(hub: Hub, service: Service) -> Client:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    return await hub.client(ada, service)


async def test_a_request_may_be_cut_anywhere(hub: Hub, modern: Service) -> None:
    client = await connected(hub, modern)
    request = raw(client, client.request("tools/call", {"name": "echo", "arguments": {"text": "whole"}}))

    for at in [*range(1, 40), *range(40, len(request), 37)]:
        [got] = await talk(hub, request[:at], request[at:])
        assert got.text == "whole", at
    [byte_by_byte] = await talk(hub, *(request[at : at + 1] for at in range(len(request))))
    assert byte_by_byte.text == "whole"


async def test_requests_sent_at_once_are_answered_in_order(hub: Hub, modern: Service) -> None:
    client = await connected(hub, modern)

    async def slower_first(_seen: Seen, params: dict[str, Any]) -> bytes:
        number = params["arguments"]["n"]
        await asyncio.sleep(0.05 if number == 0 else 0)
        return json.dumps({"content": [{"type": "text", "text": str(number)}]}).encode()

    modern.on_call = slower_first
    many = [client.request("tools/call", {"name": "echo", "arguments": {"n": number}}) for number in range(40)]

    got = await talk(hub, b"".join(raw(client, message) for message in many), answers=40)

    assert [each.text for each in got] == [str(number) for number in range(40)]
    assert [each.messages[0]["id"] for each in got] == [message["id"] for message in many]


async def test_a_thousand_refused_requests_sent_at_once_are_each_refused(hub: Hub) -> None:
    request = b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

    got = await talk(hub, request * 1500, answers=1500)

    assert {each.status for each in got} == {421}


async def test_a_body_beyond_the_limit_is_refused_also_before_it_is_known_who_sends_it(
    hub: Hub, modern: Service
) -> None:
    client = await connected(hub, modern)
    head = "".join(f"{name}: {value}\r\n" for name, value in client.headers(client.request("tools/list", {})))
    size = 4 * 1024 * 1024 + 1
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (size, b" " * size)

    [got] = await talk(hub, f"POST {client.path} HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk)

    assert got.status == 413


async def test_each_request_of_a_connection_is_let_in_by_itself(hub: Hub, modern: Service) -> None:
    """The token of the request before opens nothing for the next one."""
    client = await connected(hub, modern)
    message = client.request("tools/call", {"name": "echo", "arguments": {"text": "mine"}})
    mine = raw(client, message)
    client.token = "vkt_somebody_elses"

    got = await talk(hub, mine, raw(client, message), mine, answers=3)

    assert [each.status for each in got] == [200, 401, 200]


async def test_a_head_that_comes_again_brings_its_own_body(hub: Hub, modern: Service) -> None:
    """What was read of a head holds for the same head; the body, its length and who sends it are the request's own."""
    client = await connected(hub, modern)
    texts = ["one", "two", "", "a longer one" * 99, "ü", "three", "x" * 100_000, "four"]
    requests = [
        raw(client, client.request("tools/call", {"name": "echo", "arguments": {"text": text}})) for text in texts
    ]
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)

    said = []
    for number, request in enumerate(requests):
        for piece in (request,) if number % 3 else (request[:-1], request[-1:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.005)
        said.append((await read_answer(reader)).text)
    writer.write(requests[0] + requests[1])
    said += [(await read_answer(reader)).text for _ in range(2)]
    writer.close()

    assert said == [*texts, "one", "two"]


@pytest.mark.parametrize("length_is", ["first", "last"])
async def test_a_head_that_is_only_nearly_the_same_is_read_anew(hub: Hub, modern: Service, length_is: str) -> None:
    client = await connected(hub, modern)
    request = raw(client, client.request("tools/call", {"name": "echo", "arguments": {"text": "x"}}))
    if length_is == "first":
        head, _, body = request.partition(b"\r\n\r\n")
        line, *others, length = head.split(b"\r\n")
        request = b"\r\n".join([line, length, *others]) + b"\r\n\r\n" + body
    other = request.replace(b"Mcp-Name: echo", b"Mcp-Name: ohce")

    statuses = []
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    for each in (request, request, other, request):
        writer.write(each)
        statuses.append((await read_answer(reader)).status)
    writer.close()

    assert statuses == [200, 200, 400, 200]


async def test_a_head_that_comes_again_gets_nobody_in_who_was_shut_out_since(hub: Hub, modern: Service) -> None:
    client = await connected(hub, modern)
    ada = await hub.people.find("ada")
    assert ada is not None
    request = raw(client, client.request("tools/call", {"name": "echo", "arguments": {"text": "in"}}))
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)

    statuses = []
    for number in range(6):
        if number == 4:
            for token in await hub.tokens.list(ada.id):
                await hub.tokens.revoke(ada.id, token.id)
        writer.write(request)
        statuses.append((await read_answer(reader)).status)
    writer.close()

    assert statuses == [200, 200, 200, 200, 401, 401]


async def test_a_head_that_comes_again_with_more_or_less_than_its_body_is_read_to_its_own_end(
    hub: Hub, modern: Service
) -> None:
    client = await connected(hub, modern)
    request = raw(client, client.request("tools/call", {"name": "echo", "arguments": {"text": "in"}}))
    size = len(request.partition(b"\r\n\r\n")[2])
    for length, statuses in (
        (b"%d" % (size + 5), [200]),  # the last five bytes come later
        (b"0%d" % size, [200]),
        (b"%d" % (size - 1), [400, 400]),  # a body that is cut off, and then no request
        (b"+%d" % size, [400]),
        (b"%d,%d" % (size, size), [400]),
    ):
        again = request.replace(b"Content-Length: %d" % size, b"Content-Length: " + length)
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        for _ in range(2):
            writer.write(request)
            assert (await read_answer(reader)).status == 200

        writer.write(again)
        if len(statuses) == 1 and statuses == [200] and not length.startswith(b"0"):
            await writer.drain()
            await asyncio.sleep(0.005)
            writer.write(b"     ")
        assert [(await read_answer(reader)).status for _ in statuses] == statuses, length
        writer.close()


async def test_a_connection_is_kept_and_then_let_go(hub: Hub, modern: Service) -> None:
    hub.keep_alive(0.02)
    client = await connected(hub, modern)
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    for _ in range(3):
        writer.write(raw(client, client.request("tools/list", {})))
        assert (await read_answer(reader)).status == 200

    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


@pytest.mark.parametrize("beginning", [b"PO", b"POST /c/", b"POST /mcp HTTP/1.1\r\nHost: x\r\n"])
async def test_a_request_that_never_goes_on_is_given_up(hub: Hub, beginning: bytes) -> None:
    hub.keep_alive(0.02)
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(beginning)

    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


@pytest.mark.parametrize(
    "request_line",
    ["GET / HTTP/1.1", "POST /mcpx HTTP/1.1", "POST /c HTTP/1.1", "HEAD /health HTTP/1.1", "GET /m HTTP/1.1"],
)
async def test_everything_else_goes_to_the_application(hub: Hub, request_line: str) -> None:
    head = f"{request_line}\r\nHost: localhost:{hub.port}\r\nContent-Length: 0\r\n\r\n".encode()

    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    for at in (3, len(head)):
        writer.write(head[:3] if at == 3 else head[3:])
        await writer.drain()
        await asyncio.sleep(0.01)
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()

    assert answer.startswith(b"HTTP/1.1 404")  # the application's own word: it has nothing but the endpoints
    assert b"text/plain" in answer


async def test_a_connection_that_was_handed_over_serves_the_endpoints_too(hub: Hub, modern: Service) -> None:
    client = await connected(hub, modern)
    other = f"GET /elsewhere HTTP/1.1\r\nHost: localhost:{hub.port}\r\n\r\n".encode()
    message = client.request("tools/call", {"name": "echo", "arguments": {"text": "still"}})
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)

    writer.write(other)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(len(b"Not Found"))
    writer.write(raw(client, message))
    got = await read_answer(reader)
    writer.close()

    assert b"404" in head
    assert got.text == "still"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /mcp HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n", 400),
        (b"POST /mcp HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345", 400),
        (b"POST /mcp HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /mcp HTTP/9.9\r\n\r\n", 400),
        (b"POST /mcp HTTP/1.1\r\nX: " + b"y" * 70_000, 431),
    ],
)
async def test_a_head_that_can_be_read_in_two_ways_is_not_read_at_all(
    hub: Hub, request_bytes: bytes, status: int
) -> None:
    [got] = await talk(hub, request_bytes)

    assert got.status == status
    assert got.headers["connection"] == "close"


async def test_http_1_0_gets_its_answer_and_the_end(hub: Hub, modern: Service) -> None:
    client = await connected(hub, modern)
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(raw(client, client.request("tools/list", {}), version="1.0"))

    got = await read_answer(reader)

    assert (got.status, got.headers["connection"]) == (200, "close")
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("known", [True, False])
async def test_who_waits_for_a_word_before_the_body_gets_one(hub: Hub, modern: Service, known: bool) -> None:
    client = await connected(hub, modern)
    if not known:
        client.token = "vkt_nobodys"
    request = raw(client, client.request("tools/list", {}), more="Expect: 100-continue\r\n")
    head, body = request.split(b"\r\n\r\n", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(head + b"\r\n\r\n")

    word = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)

    if known:
        assert b"100 Continue" in word
        await reader.readuntil(b"\r\n")
        writer.write(body)
        assert (await read_answer(reader)).status == 200
    else:
        assert b"401" in word
    writer.close()


async def test_a_path_that_is_spelled_with_escapes_is_the_same_path(hub: Hub, modern: Service) -> None:
    client = await connected(hub, modern)
    request = raw(client, client.request("tools/list", {}))

    [got] = await talk(hub, request.replace(b"POST /c/", b"POST /c/", 1).replace(b"/mcp HTTP", b"/mc%70?x=1 HTTP", 1))

    assert got.status == 200


async def test_a_hub_that_stops_finishes_the_call_in_hand(hub: Hub, modern: Service) -> None:
    client = await connected(hub, modern)
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_seen: Seen, _params: Any) -> bytes:
        began.set()
        await go_on.wait()
        return b'{"content":[{"type":"text","text":"finished"}]}'

    modern.on_call = slow
    calling = asyncio.create_task(client.call("echo"))
    idle, idle_writer = await asyncio.open_connection("127.0.0.1", hub.port)
    idle_writer.write(raw(client, client.request("tools/list", {})))
    await read_answer(idle)
    await began.wait()

    stopping = asyncio.create_task(hub.stop())
    assert await asyncio.wait_for(idle.read(), 5) == b""
    go_on.set()

    assert (await calling).text == "finished"
    await stopping
    idle_writer.close()
