"""A service at its worst, a tool for each way, in a process of its own: `python -m tests.gateway.hostile_service`."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import struct
from collections.abc import Iterable, Iterator
from itertools import count, repeat
from typing import Any

MOST = 1 << 30
"""Bytes after which even an endless answer ends."""
DEEP = 1_000_000
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
_JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_ASKS = b'data: {"jsonrpc":"2.0","id":%d,"method":"elicitation/create","params":{"message":"?"}}\n\n'
_SAYS = b'data: {"jsonrpc":"2.0","method":"notifications/%b"}\n\n'
_BOMB = gzip.compress(gzip.compress(bytes(50_000_000)))


def _told(body: bytes, *headers: bytes) -> Iterator[bytes]:
    yield _JSON + b"".join(headers) + b"content-length: %d\r\n\r\n" % len(body) + body


def _result(message: dict[str, Any], result: bytes) -> Iterator[bytes]:
    return _told(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (json.dumps(message["id"]).encode(), result))


def _endless(head: bytes, piece: bytes) -> Iterator[bytes]:
    yield head
    yield from repeat(piece * (65536 // len(piece) or 1))


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def worst(name: str, message: dict[str, Any]) -> Iterable[bytes]:
    """What the tool of this name answers."""
    match name:
        case "one_line":
            return _endless(_STREAM + b"data: ", b"x" * 65536)
        case "comments":
            return _endless(_STREAM, b": nothing\n")
        case "events":
            return _endless(_STREAM, b"data: {}\n\n")
        case "other_events":
            return _endless(_STREAM, b"event: ping\ndata: {}\n\n")
        case "news":
            return _endless(_STREAM, _SAYS % b"tools/list_changed")
        case "questions":
            return (_STREAM * (n == 0) + b"".join(_ASKS % (n * 100 + k) for k in range(100)) for n in count())
        case "nested_lists":
            return _result(message, b"[" * DEEP + b"]" * DEEP)
        case "nested_objects":
            return _result(message, b'{"a":' * (DEEP // 4) + b"1" + b"}" * (DEEP // 4))
        case "many_members":
            return _result(message, b"{%b}" % b",".join(b'"k%d":1' % n for n in range(150_000)))
        case "body":
            return _endless(_JSON + b"\r\n", b" " * 65536)
        case "head":
            return _endless(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n")
        case "names":
            return (b"HTTP/1.1 200 OK\r\n" * (n == 0) + b"x%d: y\r\n" % n for n in range(100_000))
        case "bomb":
            return _told(_BOMB, b"content-encoding: gzip\r\n")
        case "half":
            return (_JSON + b"content-length: 100\r\n\r\n{",)
    return _result(message, b'{"resultType":"complete","content":[{"type":"text","text":"fine"}]}')


NAMES = (
    "one_line", "comments", "events", "other_events", "news", "questions", "nested_lists", "nested_objects",
    "many_members", "body", "head", "names", "bomb", "half", "gone",
)  # fmt: skip
TOOLS = [
    json.dumps({"name": name, "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}).encode()
    for name in NAMES
]


def _answer(message: dict[str, Any]) -> Iterable[bytes]:
    kept = b'"resultType":"complete","ttlMs":3600000,"cacheScope":"private"'
    match message["method"]:
        case "server/discover":
            return _result(message, b'{%b,"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}' % kept)
        case "tools/list":
            return _result(message, b'{%b,"tools":[%b]}' % (kept, b",".join(TOOLS)))
    return worst(message["params"]["name"], message)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            message = json.loads(await reader.readexactly(length))
            if message.get("params", {}).get("name") == "gone":
                _reset(writer)
                break
            sent = 0
            for piece in _answer(message):
                writer.write(piece)
                await writer.drain()
                sent += len(piece)
                if sent > MOST:
                    break
            if message["method"] == "tools/call":
                break
        writer.close()


async def main() -> None:
    """Prints the port it listens at, and serves until it is ended."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
