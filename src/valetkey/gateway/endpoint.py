"""The MCP endpoints as an ASGI application: reads the request, lets the exchange answer, writes the answer down.

A modern client that hangs up cancels its call; a legacy one does not (2025-11-25, transports), its call goes on and its
answer is dropped.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from valetkey.audit.asked import asked_by
from valetkey.gateway.authenticate import MAX_BODY, Gate, read_head, too_large
from valetkey.gateway.caller import caller
from valetkey.gateway.exchange import CANCELLED, Exchange, ends_with_client
from valetkey.gateway.model import Admitted, Head, Reply
from valetkey.protocol.jsonrpc import error_message
from valetkey.protocol.sse import COMMENT, event

KEEP_ALIVE_SECONDS: Final = 15.0
"""After so long without a byte, a stream gets a comment, so that no proxy in between gives up on it."""

STREAM_HEADERS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)


class Endpoint:
    """The ASGI front. `routes` is what the site map takes."""

    def __init__(self, gate: Gate, exchange: Exchange, *, keep_alive: float = KEEP_ALIVE_SECONDS) -> None:
        self._gate = gate
        self._exchange = exchange
        self.keep_alive = keep_alive
        self._left_alone: set[asyncio.Task[Reply]] = set()

    def routes(self) -> list[Route]:
        """The endpoints, for whatever method: which ones are served is the gate's to say."""
        paths = ("/mcp", "/c/{connector}/mcp", "/c/{connector}/{label}/mcp", "/p/{profile}/mcp")
        return [Route(path, endpoint=self) for path in paths]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = read_head(scope["method"], scope["path"], scope["headers"])
        entered = await self._gate.enter(head)
        if isinstance(entered, Reply):
            return await _write(send, entered)
        body = await _read(receive)
        if isinstance(body, Reply):
            return await _write(send, body)
        if body is not None:
            client = scope.get("client")  # where there are proxies, the server has asked them
            asked_by(partial(caller, str(client[0]) if client else "", head, entered.who, ()))
            await self._serve(entered, head, body, receive, send)
        return None

    async def stop(self) -> None:
        """Ends the calls nobody waits for any more."""
        for task in self._left_alone:
            task.cancel()
        await asyncio.gather(*self._left_alone, return_exceptions=True)

    async def _serve(self, entered: Admitted, head: Head, body: bytes, receive: Receive, send: Send) -> None:
        stream = _Stream(send, wanted=accepts_stream(head))
        loop = asyncio.get_running_loop()
        task: asyncio.Task[Reply] = loop.create_task(
            self._exchange.answer(entered.who, entered.door, head, body, stream.notify, lambda: _cancel(task))
        )
        gone = loop.create_task(_until_gone(receive))
        try:
            while not task.done() and not gone.done():
                await asyncio.wait({task, gone}, timeout=self.keep_alive, return_when=asyncio.FIRST_COMPLETED)
                if not task.done() and not gone.done():
                    await stream.keep_alive()
            if not task.done():
                self._client_left(task, head)
                return
            reply = Reply(200, error_message(b"null", CANCELLED, "Cancelled.")) if task.cancelled() else task.result()
            await stream.end(reply)
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            gone.cancel()

    def _client_left(self, task: asyncio.Task[Reply], head: Head) -> None:
        if ends_with_client(head):
            task.cancel()
        self._left_alone.add(task)
        task.add_done_callback(self._left_alone.discard)


def accepts_stream(head: Head) -> bool:
    """Whether the client takes an event stream for an answer."""
    accept = head.fields.get(b"accept", b"*/*")
    return b"text/event-stream" in accept or b"*/*" in accept or b"text/*" in accept


def _cancel(task: asyncio.Task[Reply]) -> None:
    task.cancel()


async def _read(receive: Receive) -> bytes | Reply | None:
    """The body; 413 when it is too large, however it is announced; nothing when the client left before its end."""
    pieces = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > MAX_BODY:
            return too_large()
        if not message.get("more_body"):
            return b"".join(pieces)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, reply: Reply) -> None:
    headers = [(b"content-length", b"%d" % len(reply.body)), *reply.headers]
    if reply.body:
        headers.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


class _Stream:
    """The answer of one request: plain JSON, unless something has to be said before it is there."""

    def __init__(self, send: Send, *, wanted: bool) -> None:
        self._send = send
        self._wanted = wanted
        self._started = False

    async def notify(self, message: bytes) -> None:
        if self._wanted:
            await self._say(event(message) if message else COMMENT)

    async def keep_alive(self) -> None:
        if self._wanted:
            await self._say(COMMENT)

    async def end(self, reply: Reply) -> None:
        if not self._started:
            await _write(self._send, reply)
        else:
            await self._send({"type": "http.response.body", "body": event(reply.body) if reply.body else b""})

    async def _say(self, piece: bytes) -> None:
        if not self._started:
            self._started = True
            headers = list(STREAM_HEADERS)
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})
