"""HTTP/1.1 requests as they come over a connection, let in by the gate as soon as their head is there.

llhttp (httptools) does the framing, strictly; what can be read in two ways is refused.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import unquote_to_bytes

import httptools

from valetkey.gateway.authenticate import MAX_BODY, Gate, read_head, refusal, too_large
from valetkey.gateway.endpoint import accepts_stream
from valetkey.gateway.model import Admitted, Head, Reply

_MAX_HEAD: Final = 64 * 1024
_MAX_DROPPED: Final = 8 * 1024 * 1024
"""Bytes of a refused body that are read and dropped, so that the refusal is not lost in a reset connection."""
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Incoming:
    """One request while it is read."""

    __slots__ = (
        "body", "entered", "entering", "expects", "head", "is_answered", "keep", "pairs", "size", "takes_stream", "url",
    )  # fmt: skip

    def __init__(self) -> None:
        self.url = b""
        self.pairs: list[tuple[bytes, bytes]] = []
        self.head: Head | None = None
        self.entered: Admitted | Reply | None = None
        self.entering: asyncio.Task[Admitted | Reply] | None = None
        self.body: list[bytes] = []
        self.size = 0
        self.keep = self.takes_stream = self.is_answered = self.expects = False


class Requests(asyncio.Protocol):
    """The reading half of a connection. Whoever answers, the subclass, hears of whole requests in `received`."""

    __slots__ = ("_gate", "_head_size", "_is_lost", "_loop", "_parser", "_reading", "_transport")

    _transport: asyncio.Transport

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._reading: Incoming | None = None
        self._head_size = 0
        self._is_lost = False

    def received(self, request: Incoming) -> None:
        """A request has been read to its end."""
        raise NotImplementedError

    def answer_early(self, request: Incoming, reply: Reply) -> None:
        """The request is refused, and its sender waits for a word before the body or is about to send too much."""
        raise NotImplementedError

    def feed(self, data: bytes) -> Reply | None:
        """Reads on. What cannot be read gives the refusal that ends the connection."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return refusal(400, "This is not an HTTP request.")
        if self._reading is not None and self._reading.head is None:
            self._head_size += len(data)
            if self._head_size > _MAX_HEAD:
                return refusal(431, "The head of the request is too long.")
        return None

    # --- what llhttp calls --------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._reading = Incoming()
        self._head_size = 0

    def on_url(self, url: bytes) -> None:
        assert self._reading is not None
        self._reading.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        assert self._reading is not None
        self._reading.pairs.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        request = self._reading
        assert request is not None
        path = request.url.partition(b"?")[0]
        if b"%" in path:
            path = unquote_to_bytes(path)
        head = read_head(self._parser.get_method().decode(), path.decode("latin-1"), request.pairs)
        request.head = head
        request.takes_stream = accepts_stream(head) and self._parser.get_http_version() == "1.1"
        request.expects = (b"expect", b"100-continue") in request.pairs
        request.entered = self._gate.enter_now(head)
        if request.entered is None:
            # Nobody we remember: found out while the body comes, so that a refusal need not wait for its end.
            request.entering = self._loop.create_task(self._gate.enter(head))
            request.entering.add_done_callback(lambda done: self._entered(request, done))
        elif isinstance(request.entered, Reply):
            self._refuse(request, request.entered)
        elif request.expects:
            self._transport.write(_CONTINUE)

    def _entered(self, request: Incoming, done: asyncio.Task[Admitted | Reply]) -> None:
        if done.cancelled() or done.exception() is not None or request is not self._reading:
            return  # its end has been read: whoever serves it sees the same
        if request.entered is not None:
            return  # refused for its size in the meantime
        request.entered = done.result()
        if isinstance(request.entered, Reply):
            self._refuse(request, request.entered)
        elif request.expects:
            self._transport.write(_CONTINUE)

    def _refuse(self, request: Incoming, reply: Reply) -> None:
        if request.expects or closes(reply):
            self.answer_early(request, reply)

    def on_body(self, body: bytes) -> None:
        request = self._reading
        assert request is not None
        request.size += len(body)
        if isinstance(request.entered, Reply):
            if request.size > _MAX_DROPPED:
                self._transport.abort()
        elif request.size > MAX_BODY:
            request.entered = too_large()
            request.body.clear()
        else:
            request.body.append(body)

    def on_message_complete(self) -> None:
        request, self._reading = self._reading, None
        assert request is not None
        request.keep = self._parser.should_keep_alive()
        self.received(request)


def closes(reply: Reply) -> bool:
    """Whether the connection is not worth keeping after this answer."""
    return bool(reply.headers) and (b"connection", b"close") in reply.headers
