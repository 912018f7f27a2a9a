"""The fast front: a protocol for uvicorn's `http=` that serves the MCP endpoints without ASGI (design.md D9).

It looks at the beginning of each request. One for an MCP endpoint is read, let in by the same gate and answered by the
same exchange as behind ASGI, with one small task and one write. Any other hands the connection over, bytes and all, to
uvicorn's own protocol, and with it to the application.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast
from urllib.parse import unquote_to_bytes

import httptools
import structlog

from valetkey.gateway.authenticate import MAX_BODY, Gate, read_head, refusal, too_large
from valetkey.gateway.endpoint import KEEP_ALIVE_SECONDS, accepts_stream
from valetkey.gateway.exchange import CANCELLED, Exchange, speaks_modern
from valetkey.gateway.http_answer import Dated, stream_head
from valetkey.gateway.model import Admitted, Head, Reply
from valetkey.protocol.errors import INTERNAL_ERROR
from valetkey.protocol.jsonrpc import error_message
from valetkey.protocol.sse import COMMENT, event

if TYPE_CHECKING:
    from uvicorn.server import ServerState

_OURS: Final = re.compile(rb"[A-Z]{1,10} /(?:mcp[ ?]|c/)")
_NOT_YET: Final = 24
"""Bytes after which the beginning of a request must have shown what it is."""
_MAX_HEAD: Final = 64 * 1024
_MAX_DROPPED: Final = 8 * 1024 * 1024
"""Bytes of a refused body that are read and dropped, so that the refusal is not lost in a reset connection."""
_MAX_WAITING: Final = 16
"""Requests sent before the answer to the first one; beyond that we stop reading."""
_IDLE_TICKS: Final = 5
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class _Request:
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


@dataclass(slots=True)
class House:
    """What all connections share."""

    gate: Gate
    exchange: Exchange
    keep_alive: float = KEEP_ALIVE_SECONDS
    dated: Dated = field(default_factory=Dated)

    def protocol(self) -> type[Front]:
        """The class for uvicorn's `http=`, whose connections belong to this house."""

        class McpFront(Front):
            __slots__ = ()
            house = self

        return McpFront


class Front(asyncio.Protocol):
    """One connection. `handed` are the arguments uvicorn makes its own protocols with."""

    house: ClassVar[House]

    __slots__ = (
        "_beginning", "_drained", "_exchange", "_gate", "_handed", "_head_size", "_is_lost", "_is_stopping",
        "_loop", "_parser", "_quiet", "_reading", "_running", "_server", "_started", "_stopped", "_task", "_timer",
        "_transport", "_waiting",
    )  # fmt: skip

    def __init__(self, **handed: Any) -> None:
        self._gate = self.house.gate
        self._exchange = self.house.exchange
        self._handed = handed
        self._server: ServerState = handed["server_state"]
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._beginning = b""
        self._reading: _Request | None = None
        self._waiting: deque[_Request] = deque()
        self._running: _Request | None = None
        self._task: asyncio.Task[None] | None = None
        self._head_size = 0
        self._quiet = 0
        self._started = self._stopped = self._is_lost = self._is_stopping = False
        self._drained: asyncio.Future[None] | None = None

    # --- the connection -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn asks them to shut down, no more
        self._timer = self._loop.call_later(self.house.keep_alive, self._tick)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._server.connections.discard(self)
        self._timer.cancel()
        self._waiting.clear()
        self.resume_writing()
        request = self._running
        if self._task is not None and request is not None and request.head is not None and speaks_modern(request.head):
            self._task.cancel()  # before 2026-07-28 a broken line is not a wish to stop

    def shutdown(self) -> None:
        """uvicorn is stopping: the call in hand is finished, and no other is taken."""
        self._is_stopping = True
        if self._running is None:
            self._transport.close()

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def eof_received(self) -> bool:
        return False

    def _tick(self) -> None:
        """Once in a while: an idle connection is closed, a stalled request given up, a quiet call kept open."""
        self._timer = self._loop.call_later(self.house.keep_alive, self._tick)
        self._quiet += 1
        if self._running is not None:
            if self._running.takes_stream and self._quiet > 1:
                self._say(COMMENT)
        elif self._reading is not None or self._beginning:
            if self._quiet > 1:
                self._transport.close()
        elif self._quiet > _IDLE_TICKS:
            self._transport.close()

    # --- reading ------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._quiet = 0
        if self._reading is None and self._running is None:
            if self._beginning:
                data = self._beginning + data
                self._beginning = b""
            if _OURS.match(data) is None:
                if len(data) < _NOT_YET and b"\r" not in data:
                    self._beginning = data
                else:
                    self._hand_over(data)
                return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._give_up(refusal(400, "This is not an HTTP request."))
            return
        if self._reading is not None and self._reading.head is None:
            self._head_size += len(data)
            if self._head_size > _MAX_HEAD:
                self._give_up(refusal(431, "The head of the request is too long."))

    def _hand_over(self, data: bytes) -> None:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        self._timer.cancel()
        self._server.connections.discard(self)
        inner = HttpToolsProtocol(**self._handed)
        self._transport.set_protocol(inner)
        inner.connection_made(self._transport)
        inner.data_received(data)

    def on_message_begin(self) -> None:
        self._reading = _Request()
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
            self._answer_early(request, request.entered)
        elif request.expects:
            self._transport.write(_CONTINUE)

    def _entered(self, request: _Request, done: asyncio.Task[Admitted | Reply]) -> None:
        if done.cancelled() or done.exception() is not None or request is not self._reading:
            return  # its end has been read: whoever serves it sees the same
        request.entered = done.result()
        if isinstance(request.entered, Reply):
            self._answer_early(request, request.entered)
        elif request.expects:
            self._transport.write(_CONTINUE)

    def _answer_early(self, request: _Request, reply: Reply) -> None:
        """Tells whoever waits for a word before the body, or is about to send too much; the body is dropped."""
        if (request.expects or _closes(reply)) and self._running is None and not self._is_lost:
            request.is_answered = True
            self._transport.write(self.house.dated.answer(reply, self._server.default_headers, keep=False))

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
        self._server.total_requests += 1
        if request.is_answered:
            self._transport.close()
        elif self._running is None:
            self._run(request)
        else:
            self._waiting.append(request)
            if len(self._waiting) >= _MAX_WAITING:
                self._transport.pause_reading()

    # --- answering ----------------------------------------------------------------------------------------------------

    def _run(self, request: _Request) -> None:
        self._running = request
        self._started = self._stopped = False
        if isinstance(request.entered, Reply):
            self._finish(request.entered)
            return
        self._task = task = self._loop.create_task(self._serve(request))
        self._server.tasks.add(task)

    async def _serve(self, request: _Request) -> None:
        head = request.head
        assert head is not None
        try:
            entered = request.entered
            if entered is None:
                assert request.entering is not None
                entered = await request.entering
            if isinstance(entered, Reply):
                reply = entered
            else:
                body = request.body[0] if len(request.body) == 1 else b"".join(request.body)
                reply = await self._exchange.answer(entered.who, entered.door, head, body, self._notify, self._stop)
        except asyncio.CancelledError:
            if not self._stopped:
                self._transport.abort()
                raise
            reply = Reply(200, error_message(b"null", CANCELLED, "Cancelled."))
        except Exception:  # noqa: BLE001  # the outermost door: without an answer the client would wait for ever
            structlog.get_logger(__name__).exception("an MCP request failed before it was let in")
            reply = refusal(500, "This hub made a mistake; it was logged.", code=INTERNAL_ERROR)
        finally:
            if self._task is not None:
                self._server.tasks.discard(self._task)
                self._task = None
        self._finish(reply)

    def _stop(self) -> None:
        """The client cancelled this very call in another request."""
        if self._task is not None:
            self._stopped = True
            self._task.cancel()

    async def _notify(self, message: bytes) -> None:
        assert self._running is not None
        if self._running.takes_stream and not self._is_lost:
            self._say(event(message))
            if self._drained is not None:
                await asyncio.shield(self._drained)

    def _say(self, piece: bytes) -> None:
        if not self._started:
            self._started = True
            self._transport.write(stream_head(self.house.dated.line(self._server.default_headers)))
        self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def _finish(self, reply: Reply) -> None:
        """Writes the answer down, and goes on to the next request or ends the connection."""
        request, self._running = self._running, None
        if self._is_lost or request is None:
            return
        keep = request.keep and not self._is_stopping and not _closes(reply)
        if self._started:
            last = event(reply.body)
            self._transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(last), last))
        else:
            self._transport.write(self.house.dated.answer(reply, self._server.default_headers, keep=keep))
        if not keep:
            self._transport.close()
        elif self._waiting:
            if len(self._waiting) == _MAX_WAITING:
                self._transport.resume_reading()
            self._run(self._waiting.popleft())

    def _give_up(self, reply: Reply) -> None:
        if self._running is None:
            self._transport.write(self.house.dated.answer(reply, self._server.default_headers, keep=False))
        self._transport.close()


def _closes(reply: Reply) -> bool:
    return bool(reply.headers) and (b"connection", b"close") in reply.headers
