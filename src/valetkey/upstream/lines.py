"""Servers that are not asked by one POST each: an open line carries everything, both ways, as it comes.

`Lines` makes such a server look like streamable HTTP with a session: a request is answered by an event stream of its
own, a line that broke by *no such session*, so that what speaks to servers of the handshake eras need not know. A line
belongs to one connection, and so to one person's account; nobody else's request is ever put on it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Final, Protocol

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import OutboundFailed
from valetkey.kernel.secret import Credential
from valetkey.net.limits import Limits
from valetkey.net.model import Answer, BodyStream, TimedOut, TooLarge, Url
from valetkey.protocol import headers
from valetkey.protocol.errors import METHOD_NOT_FOUND, Rejected
from valetkey.protocol.jsonrpc import (
    Message,
    Notification,
    Request,
    Response,
    error_message,
    members,
    parse,
    result_message,
)
from valetkey.protocol.sse import event
from valetkey.upstream import sse, stdio
from valetkey.upstream.model import LocalServer, Target, TicketFor
from valetkey.upstream.streamable_http import Calls, Headers

STDIO: Final = "stdio"
"""The scheme of the URL that stands for a program on the hub's host: `stdio://<name>`."""

IDLE_SECONDS: Final = 10 * 60.0
"""A line that carried nothing for so long is closed, and opened anew when it is needed."""
MAX_LINES: Final = 500

_ID: Final = b"vkl_"
_WAITING: Final = 2000
_STREAM: Final = b"text/event-stream"


class Wire(Protocol):
    """What a line is made of: a GET stream with its POSTs, or a program's pipes."""

    async def send(self, body: bytes, credential: Credential | None, limits: Limits) -> Answer | None:
        """Says one message; an answer only when it was not taken. Raises `OutboundFailed`."""

    def close(self) -> None:
        """Ends it; harmless twice."""

    async def ended(self) -> None:
        """Waits until what was closed is gone."""


class Line:
    """One open line. `take` gets every message that arrives; each goes to the request it belongs to."""

    def __init__(self, pool: str, *, host: str) -> None:
        self.id = _ID + secrets.token_hex(16).encode()
        self.pool = pool
        self.host = host
        self.is_over = False
        self.wire: Wire | None = None
        self.idle: asyncio.TimerHandle | None = None
        self._open: dict[bytes, _Answering] = {}
        self._replies: set[asyncio.Task[None]] = set()

    @property
    def is_busy(self) -> bool:
        return bool(self._open)

    async def exchange(self, message: Message, body: bytes, credential: Credential | None, limits: Limits) -> Answer:
        """Says `body`; the stream of what belongs to a request, or 202."""
        assert self.wire is not None
        if not isinstance(message, Request):
            return await self.wire.send(body, credential, limits) or Answer(202, {}, b"", b"", None)
        answering = self._open[message.id] = _Answering(self, message.id, limits)
        try:
            refused = await self.wire.send(body, credential, limits)
        except BaseException:
            self.done(message.id)
            raise
        if refused is not None:
            self.done(message.id)
            return refused
        return Answer(200, {headers.SESSION: self.id}, _STREAM, b"", answering)

    def take(self, raw: bytes) -> bool:
        """One message from the server; whether it is one."""
        try:
            message = parse(raw)
        except Rejected:
            return False
        if (answering := self._meant(message)) is not None:
            answering.put(event(raw), ends=isinstance(message, Response))
        elif isinstance(message, Request):
            self._reply(message)
        return True

    def end(self, error: OutboundFailed | None = None) -> None:
        """The line is over; whoever still waits hears why."""
        if self.is_over:
            return
        self.is_over = True
        for answering in list(self._open.values()):
            answering.fail(error)
        self._open.clear()
        if self.idle is not None:
            self.idle.cancel()
        if self.wire is not None:
            self.wire.close()

    def done(self, request_id: bytes) -> None:
        """Nobody waits for the answer to this request any more."""
        self._open.pop(request_id, None)

    def _meant(self, message: Message) -> _Answering | None:
        """Whose message this is. What names no request of ours goes to the youngest: all are one person's."""
        if isinstance(message, Response):
            return self._open.get(message.id)
        if isinstance(message, Notification) and message.method == "notifications/progress" and message.params:
            return self._open.get(bytes(members(message.params).get("progressToken", b"")))
        return next(reversed(self._open.values()), None)

    def _reply(self, request: Request) -> None:
        """The server asks while nothing of ours is under way: a pong, or that there is no such thing."""
        if len(self._replies) >= 8:
            return
        if request.method == "ping":
            body = result_message(request.id, b"{}")
        else:
            body = error_message(request.id, METHOD_NOT_FOUND, "This client offers no such method.")
        task = asyncio.get_running_loop().create_task(self._say(body))
        self._replies.add(task)
        task.add_done_callback(self._replies.discard)

    async def _say(self, body: bytes) -> None:
        assert self.wire is not None
        if not isinstance(self.wire, stdio.Program):
            return  # a POST wants a ticket, which only a request of ours brings
        try:
            await self.wire.send(body, None, Limits())
        except OutboundFailed:
            return


class _Answering:
    """The event stream of one request: what belongs to it, in order, until its response."""

    def __init__(self, line: Line, request_id: bytes, limits: Limits) -> None:
        self._line = line
        self._id = request_id
        self._limits = limits
        self._until = asyncio.get_running_loop().time() + limits.total
        self._queue: asyncio.Queue[bytes | OutboundFailed | None] = asyncio.Queue(_WAITING + 2)
        self._size = 0

    def put(self, frame: bytes, *, ends: bool) -> None:
        self._size += len(frame)
        if self._queue.qsize() >= _WAITING or self._size > self._limits.max_stream:
            self._line.done(self._id)
            self.fail(TooLarge("The service says more within one call than this hub takes in."))
            return
        self._queue.put_nowait(frame)
        if ends:
            self._line.done(self._id)
            self._queue.put_nowait(None)

    def fail(self, error: OutboundFailed | None) -> None:
        self._queue.put_nowait(error)

    def __aiter__(self) -> BodyStream:
        return self

    async def __anext__(self) -> bytes:
        left = self._until - asyncio.get_running_loop().time()
        try:
            item = await asyncio.wait_for(self._queue.get(), max(0.0, min(left, self._limits.idle)))
        except TimeoutError as error:
            raise TimedOut(f"{self._line.host} did not answer in time.", sent=True) from error
        if item is None:
            raise StopAsyncIteration
        if isinstance(item, OutboundFailed):
            raise item
        return item

    async def aclose(self) -> None:
        self._line.done(self._id)


class Lines:
    """`Calls` for every kind of server: those that need a line get one, all others go to `calls` as they are."""

    def __init__(self, calls: Calls, *, clock: Clock, local: Mapping[str, LocalServer]) -> None:
        self._calls = calls
        self._local = local
        self._starts = stdio.Starts(clock)
        self._lines: dict[bytes, Line] = {}
        self._waiting: dict[str, list[Line]] = {}
        self._listens: dict[str, bool] = {}

    async def post(
        self,
        url: Url,
        request_headers: Headers,
        body: bytes,
        *,
        credential: Credential | None,
        pool: str,
        limits: Limits,
        method: str = "POST",
    ) -> Answer:
        """As `Calls.post`; a GET finds no standing stream on a line, which needs none."""
        session = next((value for name, value in request_headers if name == headers.SESSION), b"")
        is_ours = session.startswith(_ID) or url.scheme == STDIO
        if not is_ours and pool not in self._waiting:
            return await self._calls.post(
                url, request_headers, body, credential=credential, pool=pool, limits=limits, method=method
            )
        if method != "POST":
            return Answer(405, {}, b"", b"", None)
        message = parse(body)
        if isinstance(message, Request) and message.method == "initialize":
            line = self._waited(pool) or await self._started(url, pool)
        elif is_ours:
            found = self._lines.get(session)
            # Somebody else's line is no line (a session is never shared), and one that broke is opened anew.
            if found is None or found.pool != pool or found.is_over:
                return Answer(404 if session else 405, {}, b"", b"", None)
            line = found
        else:
            return await self._calls.post(url, request_headers, body, credential=credential, pool=pool, limits=limits)
        self._touch(line)
        answer = await line.exchange(message, body, credential, limits)
        if answer.status in (400, 404, 410):  # to a message on an open line: the server does not know it any more
            line.end()
            return Answer(404, {}, b"", b"", None)
        return answer

    def expects(self, target: Target) -> bool:
        """Whether the server is rather one that listens on a stream (2024-11-05): it was, or is addressed so."""
        return self._listens.get(target.url.text, target.url.path.endswith("/sse")) and target.url.scheme != STDIO

    async def open(self, target: Target, tickets: TicketFor) -> bool:
        """Opens a line to a server of 2024-11-05, for the next handshake of this connection; whether it is one.

        Raises `Unauthorized`, `Forbidden403`, and what `net` raises.
        """
        if target.url.scheme == STDIO:
            return False
        line = Line(target.connection_id, host=target.url.host)
        wire = await sse.listen(self._calls, target, tickets, take=line.take, over=line.end)
        self._listens[target.url.text] = wire is not None
        if len(self._listens) > MAX_LINES:
            self._listens.pop(next(iter(self._listens)))
        if wire is None:
            return False
        line.wire = wire
        self._keep(line)
        self._waiting.setdefault(target.connection_id, []).append(line)
        return True

    def close_pool(self, pool: str) -> None:
        """Ends every line of a connection; a program is stopped."""
        self._waiting.pop(pool, None)
        for line in [line for line in self._lines.values() if line.pool == pool]:
            line.end()
            self._lines.pop(line.id, None)

    async def stop(self) -> None:
        """Ends all lines, and waits until no program of ours runs."""
        lines = list(self._lines.values())
        self._lines.clear()
        for line in lines:
            line.end()
        await asyncio.gather(*(line.wire.ended() for line in lines if line.wire is not None))
        await self._starts.all_ended()

    def _waited(self, pool: str) -> Line | None:
        lines = self._waiting.get(pool, [])
        line = lines.pop() if lines else None
        if not lines:
            self._waiting.pop(pool, None)
        return line

    async def _started(self, url: Url, pool: str) -> Line:
        server = self._local.get(url.host)
        if server is None or url.scheme != STDIO:
            raise stdio.not_there(url.host)
        line = Line(pool, host=server.name)
        line.wire = await self._starts.start(server, pool, take=line.take, over=line.end, is_busy=lambda: line.is_busy)
        self._keep(line)
        return line

    def _keep(self, line: Line) -> None:
        self._lines = {each.id: each for each in self._lines.values() if not each.is_over}
        while len(self._lines) >= MAX_LINES:
            oldest = next((each for each in self._lines.values() if not each.is_busy), None)
            if oldest is None:
                break
            oldest.end()
            del self._lines[oldest.id]
        self._lines[line.id] = line
        self._touch(line)

    def _touch(self, line: Line) -> None:
        if line.idle is not None:
            line.idle.cancel()
        line.idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._rest, line)

    def _rest(self, line: Line) -> None:
        if line.is_busy:
            self._touch(line)
        else:
            line.end()
            self._lines.pop(line.id, None)
