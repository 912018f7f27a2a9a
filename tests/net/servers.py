"""Loopback servers for the tests of net: they do exactly what a test tells them, however rude."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from valetkey.net.model import Url
from valetkey.net.url import parse_url

JSON = b"content-type: application/json\r\n"


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    connection: int
    raw_head: bytes

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


Answer = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Upstream:
    """A running server, and what it saw."""

    answer: Answer
    host: str = "127.0.0.1"
    name: str = ""
    tls: ssl.SSLContext | None = None
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    port: int = 0
    stalls_on: bytes = b""
    """A target whose request bodies are never read."""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=self.tls, limit=1 << 16)
        self.port = self._server.sockets[0].getsockname()[1]
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        closed = asyncio.ensure_future(self._server.wait_closed())
        await asyncio.sleep(0)  # it waits for connections only if it began to wait before the server closes (3.11)
        self._server.close()
        for writer in self.writers:
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            # Those let in a moment ago, or still shaking hands, have no writer; the other side hangs up, and they end.
            async with asyncio.timeout(1):
                await closed

    def url(self, path: str = "/mcp") -> Url:
        scheme = "https" if self.tls else "http"
        return parse_url(f"{scheme}://{self.name or self.host}:{self.port}{path}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        number = self.connections
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                request = await _read(reader, number, self.stalls_on)
                self.requests.append(request)
                await self.answer(request, writer)
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader, number: int, stalls_on: bytes) -> Received:
    head = await reader.readuntil(b"\r\n\r\n")
    if stalls_on and head.split(b" ", 2)[1] == stalls_on:
        await asyncio.Event().wait()
    first, *lines = head[:-4].split(b"\r\n")
    headers = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    length = next((int(value) for name, value in headers if name.lower() == b"content-length"), 0)
    method, target, _ = first.decode().split(" ")
    return Received(method, target, headers, await reader.readexactly(length), number, head)


def response(body: bytes, *, status: str = "200 OK", headers: bytes = JSON) -> bytes:
    return b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n%b" % (status.encode(), headers, len(body), body)


def says(*pieces: bytes, then_close: bool = False) -> Answer:
    """Send these bytes for every request."""

    async def answer(_request: Received, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if then_close:
            writer.close()
            raise ConnectionResetError

    return answer


def endlessly(start: bytes, piece: bytes) -> Answer:
    """Send `start`, then `piece` again and again until the other side hangs up."""

    async def answer(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while not writer.transport.is_closing():
            writer.write(piece)
            await writer.drain()
        raise ConnectionResetError

    return answer


async def silence(_request: Received, _writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


def drips(pieces: bytes, *, at_once: bytes = b"") -> Answer:
    """Send one byte every few milliseconds: slow, and never silent for long."""

    async def answer(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(at_once)
        for byte in pieces:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.005)  # this slowness is the behavior under test

    return answer


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something has arrived."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)
