"""One open line to a server: everything goes over it, both ways, and each message to the request it belongs to."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from valetkey.kernel.errors import OutboundFailed
from valetkey.kernel.secret import Credential
from valetkey.net.limits import Limits
from valetkey.net.model import Answer, BodyStream, TimedOut, TooLarge
from valetkey.protocol import headers
from valetkey.protocol.errors import METHOD_NOT_FOUND, Rejected
from valetkey.protocol.jsonrpc import (
    Message,
    Notification,
    Request,
    Response,
    error_message,
    members,
    notification_message,
    parse,
    result_message,
)
from valetkey.protocol.sse import event
from valetkey.upstream import stdio

ID: Final = b"vkl_"
"""How the id of a line begins, which stands for a session's."""

_WAITING: Final = 2000
_REPLIES: Final = 8
_STREAM: Final = b"text/event-stream"
_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"


class Wire(Protocol):
    """What a line is made of: a GET stream with its POSTs, or a program's pipes."""

    async def send(self, body: bytes, credential: Credential | None, limits: Limits) -> Answer | None:
        """Says one message; an answer only when it was not taken. Raises `OutboundFailed`."""

    def close(self) -> None:
        """Ends it; harmless twice."""

    async def ended(self) -> None:
        """Waits until what was closed is gone."""


class Line:
    """One open line. `take` gets every message that arrives; each goes to the request it belongs to.

    `is_loose` says that it belongs to no session: then a request that is given up is cancelled by a message, since
    there is nothing to hang up (2026-07-28, stdio). `left_silent` says that the server owes an answer to such a one.
    """

    def __init__(self, pool: str, *, host: str) -> None:
        self.id = ID + secrets.token_hex(16).encode()
        self.pool = pool
        self.host = host
        self.is_over = False
        self.is_loose = False
        self.left_silent = False
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
        answering = self._open[message.id] = _Answering(
            self, message.id, limits, listens=message.method == "subscriptions/listen"
        )
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
            self._reply(_told(message))
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

    def give_up(self, request_id: bytes) -> None:
        """As `done`, before the answer came."""
        if self._open.pop(request_id, None) is None or not self.is_loose or self.is_over:
            return
        self.left_silent = True
        self._reply(notification_message("notifications/cancelled", b'{"requestId":%b}' % request_id))

    def _meant(self, message: Message) -> _Answering | None:
        """Whose message this is. What names no request of ours goes to the youngest call: all are one person's."""
        if isinstance(message, Response):
            return self._open.get(message.id)
        if isinstance(message, Notification) and message.params:
            named = members(message.params)
            if message.method == "notifications/progress":
                return self._open.get(bytes(named.get("progressToken", b"")))
            if (subscription := _subscription(named)) and subscription in self._open:
                return self._open[subscription]
        youngest = list(reversed(self._open.values()))
        return next((each for each in youngest if not each.listens), youngest[0] if youngest else None)

    def _reply(self, body: bytes) -> None:
        """Says something beside the requests: to what the server asks while nothing is under way, or a cancellation."""
        if len(self._replies) >= _REPLIES:
            return
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


def _told(request: Request) -> bytes:
    """A pong, or that there is no such thing."""
    if request.method == "ping":
        return result_message(request.id, b"{}")
    return error_message(request.id, METHOD_NOT_FOUND, "This client offers no such method.")


def _subscription(params: Mapping[str, msgspec.Raw]) -> bytes:
    """The id of the request for changes that a notification belongs to (2026-07-28); empty when it names none."""
    if bytes(params.get("_meta", b""))[:1] != b"{":
        return b""
    return bytes(members(bytes(params["_meta"])).get(_SUBSCRIPTION, b""))


class _Answering:
    """The event stream of one request: what belongs to it, in order, until its response."""

    def __init__(self, line: Line, request_id: bytes, limits: Limits, *, listens: bool) -> None:
        self.listens = listens
        self._line = line
        self._id = request_id
        self._limits = limits
        self._until = asyncio.get_running_loop().time() + limits.total
        self._queue: asyncio.Queue[bytes | OutboundFailed | None] = asyncio.Queue(_WAITING + 2)
        self._size = 0

    def put(self, frame: bytes, *, ends: bool) -> None:
        self._size += len(frame)
        if self._queue.qsize() >= _WAITING or self._size > self._limits.max_stream:
            self._line.give_up(self._id)
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
        self._line.give_up(self._id)
