"""HTTP/1.1 requests as they come over a connection, let in by the gate as soon as their head is there.

llhttp (httptools) does the framing, strictly; what can be read in two ways is refused.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final
from urllib.parse import unquote_to_bytes

import httptools

from valetkey.gateway.authenticate import MAX_BODY, Gate, read_head, refusal, too_large
from valetkey.gateway.endpoint import accepts_stream
from valetkey.gateway.model import Admitted, Head, Reply

_MAX_HEAD: Final = 64 * 1024
_MAX_DROPPED: Final = 8 * 1024 * 1024
"""Bytes of a refused body that are read and dropped, so that the refusal is not lost in a reset connection."""
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
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


class _Seen:
    """The head of a request that came whole and was let in, as it stands on the wire round its content length.

    Assistants send the same head again and again. One that is the same byte for byte, but for these digits, means the
    same, and is not taken apart a second time. Who they are is looked up each time.
    """

    __slots__ = ("_after", "_before", "entered", "head", "takes_stream")

    def __init__(self, before: bytes, after: bytes, request: Incoming, head: Head, entered: Admitted) -> None:
        self._before = before
        self._after = after
        self.head = head
        self.entered = entered
        self.takes_stream = request.takes_stream

    def body(self, data: bytes) -> bytes | None:
        """The body, when `data` is such a head and exactly its body."""
        at = len(self._before)
        if not data.startswith(self._before):
            return None
        end = data.find(b"\r", at)
        length = data[at:end]
        start = end + len(self._after)
        if not length.isdigit() or int(length[:9]) != len(data) - start or not data.startswith(self._after, end):
            return None
        return data[start:]


def _seen(data: bytes, request: Incoming) -> _Seen | None:
    """What to remember of `data`, which held the head of `request`; nothing unless it held the whole request only."""
    if not isinstance(request.entered, Admitted) or request.head is None or not request.keep or request.expects:
        return None
    size = data.find(b"\r\n\r\n") + 4
    if size + request.size != len(data) or len(request.body) != 1:
        return None
    found = _LENGTH.search(data, 0, size)
    if found is None:
        return None
    return _Seen(data[: found.start(1)], data[found.end(1) : size], request, request.head, request.entered)


class Requests(asyncio.Protocol):
    """The reading half of a connection. Whoever answers, the subclass, hears of whole requests in `received`."""

    __slots__ = ("_gate", "_head_size", "_is_lost", "_last", "_loop", "_parser", "_reading", "_seen", "_transport")

    _transport: asyncio.Transport

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._reading: Incoming | None = None
        self._last: Incoming | None = None
        self._seen: _Seen | None = None
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
        is_new = self._reading is None
        if is_new and self._seen is not None and (body := self._seen.body(data)) is not None and self._again(body):
            return None
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return refusal(400, "This is not an HTTP request.")
        if self._reading is not None and self._reading.head is None:
            self._head_size += len(data)
            if self._head_size > _MAX_HEAD:
                return refusal(431, "The head of the request is too long.")
        if (last := self._take_last()) is not None and is_new:
            self._seen = _seen(data, last)
        return None

    def _take_last(self) -> Incoming | None:
        last, self._last = self._last, None
        return last

    def _again(self, body: bytes) -> bool:
        """A request with the head that was seen before; not if whoever sends it is not remembered any more."""
        seen = self._seen
        assert seen is not None
        entered = self._gate.enter_again(seen.head, seen.entered)
        if entered is None:
            return False
        request = Incoming()
        request.head = seen.head
        request.entered = entered
        request.takes_stream = seen.takes_stream
        request.keep = True
        request.body.append(body)
        self.received(request)
        return True

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
        request.expects = head.fields.get(b"expect", b"").lower() == b"100-continue"
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
        self._last = request
        self.received(request)


def closes(reply: Reply) -> bool:
    """Whether the connection is not worth keeping after this answer."""
    return bool(reply.headers) and (b"connection", b"close") in reply.headers
