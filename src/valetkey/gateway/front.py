"""The fast front: a protocol for uvicorn's `http=` that serves the MCP endpoints without ASGI (design.md D9).

It looks at the beginning of each request. One for an MCP endpoint is read, let in by the same gate and answered by the
same exchange as behind ASGI, without a task and with one write. Any other hands the connection over, bytes and all, to
uvicorn's own protocol, and with it to the application.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import structlog

from valetkey.audit.asked import asked_by
from valetkey.gateway.authenticate import Gate, listens, refusal
from valetkey.gateway.caller import Network, caller
from valetkey.gateway.endpoint import KEEP_ALIVE_SECONDS
from valetkey.gateway.exchange import CANCELLED, Exchange, ends_with_client
from valetkey.gateway.http_answer import Dated, stream_head
from valetkey.gateway.http_request import Incoming, Requests, closes
from valetkey.gateway.model import Reply
from valetkey.gateway.underway import Underway
from valetkey.protocol.errors import INTERNAL_ERROR
from valetkey.protocol.jsonrpc import error_message
from valetkey.protocol.sse import COMMENT, event

if TYPE_CHECKING:
    from uvicorn.server import ServerState

_OURS: Final = re.compile(rb"[A-Z]{1,10} /(?:mcp[ ?]|[cp]/)")
_NOT_YET: Final = 24
"""Bytes after which the beginning of a request must have shown what it is."""
_MAX_WAITING: Final = 16
"""Requests sent before the answer to the first one; beyond that we stop reading."""
_IDLE_TICKS: Final = 5


@dataclass(slots=True)
class House:
    """What all connections share."""

    gate: Gate
    exchange: Exchange
    keep_alive: float = KEEP_ALIVE_SECONDS
    trusted: Sequence[Network] = ()
    """Networks of the proxies in front, whose word on where a request came from counts."""
    dated: Dated = field(default_factory=Dated)

    def protocol(self) -> type[Front]:
        """The class for uvicorn's `http=`, whose connections belong to this house."""

        class McpFront(Front):
            __slots__ = ()
            house = self

        return McpFront


class Front(Requests):
    """One connection. `handed` are the arguments uvicorn makes its own protocols with."""

    house: ClassVar[House]

    __slots__ = (
        "_beginning", "_drained", "_exchange", "_handed", "_is_stopping", "_peer", "_quiet", "_running", "_server",
        "_started", "_stopped", "_task", "_timer", "_waiting",
    )  # fmt: skip

    def __init__(self, **handed: Any) -> None:
        super().__init__(self.house.gate)
        self._exchange = self.house.exchange
        self._handed = handed
        self._server: ServerState = handed["server_state"]
        self._beginning = b""
        self._waiting: deque[Incoming] = deque()
        self._running: Incoming | None = None
        self._task: Underway | None = None
        self._quiet = 0
        self._started = self._stopped = self._is_stopping = False
        self._drained: asyncio.Future[None] | None = None

    # --- the connection -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it
        self._peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn asks them to shut down, no more
        self._timer = self._loop.call_later(self.house.keep_alive, self._tick)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._server.connections.discard(self)
        self._timer.cancel()
        self._waiting.clear()
        self.resume_writing()
        request = self._running
        if (
            self._task is not None
            and request is not None
            and request.head is not None
            and ends_with_client(request.head)
        ):
            self._task.cancel()  # before 2026-07-28 a broken line is not a wish to stop

    def shutdown(self) -> None:
        """uvicorn is stopping: the call in hand is finished, and no other is taken."""
        self._is_stopping = True
        if self._running is None:
            self._transport.close()
        elif self._task is not None and self._running.head is not None and listens(self._running.head):
            self._task.cancel()

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
        if (refused := self.feed(data)) is not None:
            self._give_up(refused)

    def _hand_over(self, data: bytes) -> None:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        self._timer.cancel()
        self._server.connections.discard(self)
        inner = HttpToolsProtocol(**self._handed)
        self._transport.set_protocol(inner)
        inner.connection_made(self._transport)
        inner.data_received(data)

    def answer_early(self, request: Incoming, reply: Reply) -> None:
        if self._running is None and not self._is_lost:
            request.is_answered = True
            self._transport.write(self.house.dated.answer(reply, self._server.default_headers, keep=False))

    def received(self, request: Incoming) -> None:
        self._server.total_requests += 1
        if self._transport.is_closing():
            return  # this was sent after the last request that is served here
        if request.is_answered:
            self._transport.close()
        elif self._running is None:
            self._run(request)
        else:
            self._waiting.append(request)
            if len(self._waiting) >= _MAX_WAITING:
                self._transport.pause_reading()

    # --- answering ----------------------------------------------------------------------------------------------------

    def _run(self, request: Incoming) -> None:
        if self._is_lost:
            return
        self._running = request
        self._started = self._stopped = False
        if isinstance(request.entered, Reply):
            self._finish(request.entered)
            return
        self._task = task = Underway(self._loop, self._serve(request))
        self._server.tasks.add(task)  # type: ignore[arg-type]  # uvicorn waits for them and cancels them, no more
        task.start()

    async def _serve(self, request: Incoming) -> None:
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
                asked_by(partial(caller, self._peer, head, entered.who, self.house.trusted))
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
            self._say(event(message) if message else COMMENT)
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
        keep = request.keep and not self._is_stopping and not closes(reply)
        if self._started:
            if reply.body:
                last = event(reply.body)
                self._transport.write(b"%x\r\n%b\r\n" % (len(last), last))
            self._transport.write(b"0\r\n\r\n")
        else:
            self._transport.write(self.house.dated.answer(reply, self._server.default_headers, keep=keep))
        if not keep:
            self._transport.close()
        elif self._waiting:
            if len(self._waiting) == _MAX_WAITING:
                self._transport.resume_reading()
            self._running = following = self._waiting.popleft()
            self._loop.call_soon(self._run, following)  # not here: a thousand refusals would be as many frames deep

    def _give_up(self, reply: Reply) -> None:
        if self._running is None:
            self._transport.write(self.house.dated.answer(reply, self._server.default_headers, keep=False))
        self._transport.close()
