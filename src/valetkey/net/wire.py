"""One HTTP/1.1 connection of the call path: a request out, its answer in, within limits; then the next.

An asyncio Protocol around llhttp (httptools): no task per call, one future per call, one lazily re-armed timer per
connection. RFC 9112 for the framing; what that RFC leaves to the recipient is refused.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

import httptools

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, OutboundFailed, ValetkeyError, printable
from valetkey.net.limits import Limits
from valetkey.net.model import Answer, BadAnswer, Moved, TimedOut, TooLarge, Unreachable
from valetkey.net.url import parse_url

IDLE_SECONDS = 60.0
MAX_AGE_SECONDS = 600.0
"""A busy connection is dialed anew now and then, so that a changed address is noticed."""

_BACKLOG = 256 * 1024
"""Bytes of a stream that wait in memory before reading pauses."""
ONE_WRITE = 16 * 1024
"""Up to here head and body go out together; beyond, the body is neither copied nor held back by the head."""
_MAX_INTERIM = 8
REDIRECTS = frozenset({300, 301, 302, 303, 305, 307, 308})
_ZEROS = bytes(64 * 1024)
# Headers that decide how an answer is read or where it points: two different ones leave two ways to read it.
_SINGLE = frozenset({b"content-length", b"transfer-encoding", b"content-type", b"content-encoding", b"location"})


def zero(buffer: bytearray, at: int, size: int) -> None:
    """Overwrite `size` bytes of the buffer in place: a slice of equal length is copied over, never reallocated."""
    buffer[at : at + size] = _ZEROS[:size] if size <= len(_ZEROS) else bytes(size)


class Coming(asyncio.Future[Answer]):
    """The answer to come. Whoever sets `tell` hears of it at once; whoever awaits it, in the loop's next turn."""

    tell: Callable[[], None] | None = None


class Wire(asyncio.Protocol):
    """One connection. `rest` is called when it can take the next request, `lost` when it is gone."""

    __slots__ = (
        "_body", "_cap", "_clock", "_content_type", "_done", "_due", "_fault", "_future", "_head_done", "_headers",
        "_interim", "_keep", "_limits", "_lost", "_overhead", "_parser", "_pieces", "_repeated", "_rest",
        "_secret", "_size", "_status", "_stream", "_timer", "_timer_at", "_tls", "_until",
        "born", "good_until", "host", "keep_seconds", "loop", "pinned", "rested", "transport",
    )  # fmt: skip

    def __init__(
        self,
        host: str,
        *,
        tls: bool,
        clock: Clock,
        rest: Callable[[Wire], None],
        lost: Callable[[Wire], None],
    ) -> None:
        self.host = host
        self.pinned = ""
        self.born = clock.monotonic()
        self.good_until = self.rested = 0.0
        self.keep_seconds = IDLE_SECONDS
        self._tls = tls
        self._clock = clock
        self._rest = rest
        self._lost = lost
        self.loop = asyncio.get_running_loop()
        self._future: Coming | None = None
        self._stream: _Stream | None = None
        self._secret: tuple[bytearray, int, int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._done = False
        self._parser = httptools.HttpResponseParser(self)

    # -- sending ------------------------------------------------------------------------------------------------

    def ask(self, out: bytearray, at: int, size: int, body: bytes, *, limits: Limits, started: float) -> Coming | None:
        """Send a request; the credential's plaintext is `size` bytes of `out` at `at` and is zeroed once it has left.

        None when the connection turned out to be closed with nothing sent; `out` is then untouched.
        """
        now = self.loop.time()
        self._future = future = Coming(loop=self.loop)
        self._limits = limits
        self._headers: dict[bytes, bytes] = {}
        self._head_done = self._done = False
        self._keep = False
        self._fault: OutboundFailed | None = None
        self._body = b""
        self._pieces: list[bytes] | None = None
        self._size = self._overhead = self._interim = self._repeated = 0
        self._until = started + limits.total
        self._due = min(self._until, now + limits.first_byte)
        if self._timer is None or self._timer_at > self._due:
            self._arm(self._due)
        transport = self.transport
        transport.write(out)
        if transport.is_closing() and not self._tls:
            # The very first send failed, so nothing was accepted. Behind TLS one cannot know: that counts as sent.
            self._future = None
            return None
        if body:
            transport.write(body)
        if not size:
            return future
        if transport.get_write_buffer_size():
            self._secret = (out, at, size)  # queued by reference: zeroing it now would send zeros
        else:
            zero(out, at, size)
        return future

    def pause_writing(self) -> None:
        """The socket is full; `resume_writing` follows when all has left (the limits are set to zero bytes)."""

    def resume_writing(self) -> None:
        self._wipe_if_sent()

    def _wipe_if_sent(self) -> None:
        if self._secret is not None and not self.transport.get_write_buffer_size():
            self._wipe()

    def _wipe(self) -> None:
        if self._secret is not None:
            zero(*self._secret)
            self._secret = None

    # -- the connection -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # by shape: uvloop's are no subclass
        # High water at zero makes uvloop write at once instead of at the end of the loop's turn, and makes both loops
        # say when everything has left. A TLS transport counts its pending records, so there the mark is one byte.
        self.transport.set_write_buffer_limits(high=1 if self._tls else 0, low=0)

    def data_received(self, data: bytes) -> None:
        if self._future is None and self._stream is None:
            self.transport.abort()  # nobody asked: never let it become the answer to the next question
            return
        if self._secret is not None:
            self._wipe_if_sent()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._done:
                self.fail(self._fault or BadAnswer(f"{self.host} sent a malformed answer: {printable(error)}."))
                return
            self._keep = False  # a whole answer, and then something nobody asked for
        if self._done:
            self._finish()
        else:
            self._measure(len(data))

    def _measure(self, taken: int) -> None:
        """Limits of an answer that goes on: head, framing overhead, and the time until the next piece."""
        limits = self._limits
        self._overhead += taken
        if not self._head_done:
            if self._overhead > limits.max_header:
                self.fail(TooLarge(f"{self.host} sent a response head of more than {limits.max_header} bytes."))
            return
        # One-byte chunks cost six bytes each; endless chunk extensions or trailers cost far more.
        if self._overhead - self._size > limits.max_header + 8 * self._size:
            self.fail(BadAnswer(f"{self.host} sends framing instead of content."))
            return
        if self._stream is None or not self._stream.paused:
            self._due = min(self._until, self.loop.time() + limits.idle)
            if self._timer is None or self._timer_at > self._due:
                self._arm(self._due)

    def eof_received(self) -> bool:
        return False  # the transport closes itself; connection_lost says what that means

    def connection_lost(self, exc: Exception | None) -> None:
        self._wipe()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._lost(self)
        if self._future is None and self._stream is None:
            return
        ends_by_close = self._head_done_for_good() and not (
            b"content-length" in self._headers or b"transfer-encoding" in self._headers
        )
        if exc is None and ends_by_close:  # RFC 9112 6.3: no length, so the end of the connection is the end
            self._keep = False
            _tell(self._complete())
            return
        where = "in the middle of its answer" if self._head_done_for_good() else "without an answer"
        _tell(self._settle(Unreachable(f"{self.host} closed the connection {where}.", sent=True)))

    def _head_done_for_good(self) -> bool:
        return self._head_done and self._status >= 200

    def fail(self, error: ValetkeyError) -> None:
        """End the call with an error, and the connection with it."""
        told = self._settle(error)
        self.hang_up()
        _tell(told)

    def hang_up(self) -> None:
        """Drop the connection now, with whatever was still to be sent."""
        self._wipe()
        self.transport.abort()

    def abandon(self, future: asyncio.Future[Answer]) -> None:
        """The one who waited for this very call has gone."""
        if self._future is future:
            self._future = None
            self.hang_up()
        elif self._stream is not None and self._stream.answers(future):
            self._stream = None
            self.hang_up()

    def _settle(self, error: ValetkeyError) -> Coming | None:
        future, self._future = self._future, None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.end(error)
        elif future is not None and not future.done():
            future.set_exception(error)
        return future

    # -- time ---------------------------------------------------------------------------------------------------

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(when, self._tick)
        self._timer_at = when

    def _tick(self) -> None:
        self._timer = None
        now = self.loop.time()
        if self._future is None and self._stream is None:
            if self._clock.monotonic() >= self.good_until:
                self.transport.close()
            else:
                self._arm(now + 10.0)
        elif now + 0.001 < self._due:  # loops may fire a clock tick early
            self._arm(self._due)
        else:
            what = "sent nothing more" if self._head_done else "did not answer"
            self.fail(TimedOut(f"{self.host} {what} within the time there was.", sent=True))

    # -- what llhttp calls --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._done:
            self._refuse(BadAnswer(f"{self.host} sent two answers to one request."))

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        value = value.strip(b" \t")  # what stands around a value is no part of it (RFC 9110 5.5)
        headers = self._headers
        if name in headers or self._head_done:
            self._repeat(name, value)
        else:
            headers[name] = value
            if len(headers) > self._limits.max_header_lines:  # now, and not when the whole piece has been read
                self._refuse_lines()

    def _refuse_lines(self) -> None:
        self._refuse(TooLarge(f"{self.host} sent more than {self._limits.max_header_lines} header lines."))

    def _repeat(self, name: bytes, value: bytes) -> None:
        self._repeated += 1
        if self._repeated > self._limits.max_header_lines:
            self._refuse_lines()
        if self._head_done:
            return  # a trailer: counted, not used
        if name in _SINGLE:
            self._refuse(BadAnswer(f"{self.host} sent the header {name.decode()} twice."))
        self._headers[name] += b", " + value

    def on_headers_complete(self) -> None:
        self._head_done = True
        status = self._status = self._parser.get_status_code()
        headers, limits = self._headers, self._limits
        if len(headers) + self._repeated > limits.max_header_lines:
            self._refuse_lines()
        if status < 200:
            if status == 101 or self._interim >= _MAX_INTERIM:
                self._refuse(BadAnswer(f"{self.host} answered with status {status}, again and again or unasked."))
            return
        if status in REDIRECTS:
            self._refuse(moved(self.host, headers.get(b"location", b"").decode("latin-1")))
        if b"content-encoding" in headers and headers[b"content-encoding"].strip().lower() != b"identity":
            self._refuse(BadAnswer(f"{self.host} sent a compressed answer, which was not asked for."))
        if b"transfer-encoding" in headers and (
            headers[b"transfer-encoding"].strip().lower() != b"chunked" or b"content-length" in headers
        ):
            self._refuse(BadAnswer(f"{self.host} sent an answer whose length can be read in two ways."))
        raw = headers.get(b"content-type", b"")
        kind = self._content_type = raw if raw == b"application/json" else raw.partition(b";")[0].strip().lower()
        if kind == b"text/event-stream" and 200 <= status < 300:
            self._cap = limits.max_stream
            self._open_stream()
            return
        self._cap = limits.max_body
        length = headers.get(b"content-length")
        if length is not None and (len(length) > 15 or int(length) > limits.max_body):
            self._refuse(TooLarge(f"{self.host} announced an answer of more than {limits.max_body} bytes."))

    def on_body(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._cap:
            self._refuse(TooLarge(f"{self.host} sent more than {self._cap} bytes."))
        if self._stream is not None:
            self._stream.feed(data)
        elif self._pieces is not None:
            self._pieces.append(data)
        elif self._body:
            self._pieces = [self._body, data]
        else:
            self._body = data

    def on_message_complete(self) -> None:
        if self._status < 200:  # 100 Continue, 103 Early Hints: the answer is yet to come
            self._interim += 1
            self._headers = {}
            self._head_done = False
            return
        self._done = True
        self._keep = self._parser.should_keep_alive()

    def _refuse(self, fault: OutboundFailed) -> None:
        # httptools wraps what a callback raises; data_received takes the fault from here.
        self._fault = fault
        raise fault

    # -- the answer ---------------------------------------------------------------------------------------------

    def _open_stream(self) -> None:
        future, self._future = self._future, None
        assert future is not None
        self._stream = _Stream(self, future)
        if not future.done():
            future.set_result(Answer(self._status, self._headers, self._content_type, b"", self._stream))
            if future.tell is not None:
                self.loop.call_soon(future.tell)  # not here, in the middle of reading

    def _finish(self) -> None:
        """The answer is whole: the connection rests or closes, and whoever waited goes on."""
        if self._keep and self._secret is None and not self.transport.is_closing():
            keep = self.keep_seconds
            if b"keep-alive" in self._headers:
                keep = min(keep, announced_keep_alive(self._headers[b"keep-alive"]))
            now = self._clock.monotonic()
            self.rested = now
            self.good_until = min(now + keep, self.born + MAX_AGE_SECONDS)
            told = self._complete()
            self._rest(self)
        else:
            told = self._complete()
            self.hang_up()
        _tell(told)  # last: it may ask the next question

    def _complete(self) -> Coming | None:
        future, self._future = self._future, None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.end(None)
        elif future is not None and not future.done():
            body = self._body if self._pieces is None else b"".join(self._pieces)
            future.set_result(Answer(self._status, self._headers, self._content_type, body, None))
        return future

    # -- what a stream asks -------------------------------------------------------------------------------------

    def pause(self) -> None:
        self._due = self._until  # the reader is slow, not the server
        self.transport.pause_reading()

    def resume(self) -> None:
        self._due = min(self._until, self.loop.time() + self._limits.idle)
        if self._timer is None or self._timer_at > self._due:
            self._arm(self._due)
        self.transport.resume_reading()


class _Stream:
    """The pieces of one event stream; holds at most `_BACKLOG` bytes (and one read) before reading pauses."""

    __slots__ = ("_error", "_future", "_over", "_pieces", "_waiter", "_waiting_bytes", "_wire", "paused")

    def __init__(self, wire: Wire, future: asyncio.Future[Answer]) -> None:
        self._wire: Wire | None = wire
        self._future = future
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._error: ValetkeyError | None = None
        self._over = False
        self.paused = False

    def answers(self, future: asyncio.Future[Answer]) -> bool:
        return self._future is future

    def feed(self, data: bytes) -> None:
        self._pieces.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _BACKLOG and not self.paused and self._wire is not None:
            self.paused = True
            self._wire.pause()
        self._wake()

    def end(self, error: ValetkeyError | None) -> None:
        """No more will come. What has come is still handed out first."""
        if self.paused and self._wire is not None:
            self.paused = False
            self._wire.transport.resume_reading()
        self._over, self._error, self._wire = True, error, None
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> _Stream:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._over:
                error, self._error = self._error, None
                if error is not None:
                    raise error
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        piece = self._pieces.popleft()
        self._waiting_bytes -= len(piece)
        if self.paused and self._waiting_bytes <= _BACKLOG // 2 and self._wire is not None:
            self.paused = False
            self._wire.resume()
        return piece

    async def aclose(self) -> None:
        wire, self._wire = self._wire, None
        self._over = True
        self._pieces.clear()
        if wire is not None:
            wire.abandon(self._future)


def _tell(future: Coming | None) -> None:
    if future is not None and future.tell is not None:
        future.tell()


def moved(host: str, location: str) -> Moved:
    """The error for a redirect. Names the new origin only: the rest of a Location may be meant for one pair of eyes."""
    try:
        target = parse_url(location, credentials_in_query=True, private_names=True).origin if "://" in location else ""
    except BadInput:
        target = ""
    where = f"to {target}" if target and not target.endswith(f"//{host}") else "elsewhere"
    return Moved(
        f"{host} says it moved {where}.",
        location=location,
        hint="Redirects are not followed; add it under its new address.",
    )


def announced_keep_alive(value: bytes) -> float:
    """Seconds for which a server keeps an idle connection (`Keep-Alive: timeout=5`), less one for the way there."""
    for part in value.split(b","):
        name, _, number = part.strip().partition(b"=")
        if name.lower() == b"timeout" and number.isdigit() and len(number) < 7:
            return max(0.0, int(number) - 1.0)
    return IDLE_SECONDS
