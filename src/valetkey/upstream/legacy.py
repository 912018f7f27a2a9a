"""Talking to a server that wants `initialize` first: sessions of a connection, and calls within them.

A session belongs to one person's account and is never shared; a server that lost it gets a new one without anybody
noticing (CON-44). Beside the plain one a connection has a session for each set of capabilities that its clients
declare, since a server is told them once, at the beginning.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

import msgspec

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import OutboundFailed
from valetkey.net.limits import ASK, Limits
from valetkey.net.model import Answer, BadAnswer
from valetkey.protocol import headers
from valetkey.protocol.asks import EVERYTHING, Asks, Told, declaration
from valetkey.protocol.errors import METHOD_NOT_FOUND, Rejected
from valetkey.protocol.jsonrpc import (
    Request,
    error_object,
    notification_message,
    raw_error_message,
    read_error,
    request_message,
    result_message,
)
from valetkey.protocol.messages import LEVELS, initialize_params, server_facts, upstream_meta
from valetkey.protocol.onward import Onward
from valetkey.protocol.versions import LEGACY
from valetkey.upstream.lines import Lines
from valetkey.upstream.model import EraChanged, HttpFailed, Target, TicketFor
from valetkey.upstream.streamable_http import (
    ACCEPT,
    CLIENT_INFO,
    JSON,
    Calls,
    Headers,
    Heard,
    Outgoing,
    ask,
    tell,
)

MAX_SESSIONS: Final = 10_000
IDLE_SECONDS: Final = 30 * 60.0
_COMMON: Final = (ACCEPT, JSON)
_MAX_SESSION_ID: Final = 512
_NO_SUCH_METHOD: Final = error_object(METHOD_NOT_FOUND, "This client offers no such method.")


class Session(msgspec.Struct, frozen=True, gc=False):
    """A server's session with us for one connection. `id` is empty when the server keeps none."""

    id: bytes
    version: str
    server: bytes
    headers: Headers
    asks: Asks = Asks.NOTHING

    @property
    def listening(self) -> Headers:
        """The headers of a GET for a stream."""
        return [(b"accept", b"text/event-stream"), *(one for one in self.headers if one not in _COMMON)]


class SessionLost(OutboundFailed):
    """The server does not know the session any more; the request was not carried out."""

    code = "session_lost"


class LegacySessions:
    """Opens sessions, remembers them, and forgets them when they are idle, lost, or too many."""

    def __init__(self, lines: Lines, ids: Iterator[int], clock: Clock) -> None:
        self._lines = lines
        self._calls: Calls = lines
        self._ids = ids
        self._clock = clock
        self._open: OrderedDict[str, tuple[float, Session]] = OrderedDict()
        self._opening: dict[str, asyncio.Lock] = {}
        self._levels: dict[str, tuple[Session, str]] = {}

    def now(self, connection_id: str, asks: Asks = Asks.NOTHING) -> Session | None:
        """The connection's session for clients that can be asked this, if there is one in use."""
        key = connection_id if not asks else _key(connection_id, asks)
        entry = self._open.get(key)
        if entry is None or entry[0] + IDLE_SECONDS < self._clock.monotonic():
            return None
        self._open[key] = (self._clock.monotonic(), entry[1])
        return entry[1]

    async def get(self, target: Target, tickets: TicketFor, asks: Asks = Asks.NOTHING) -> Session:
        """The connection's session, opened when there is none: once, however many calls wait for it.

        Raises `EraChanged` when the server takes no `initialize`.
        """
        key = _key(target.connection_id, asks)
        lock = self._opening.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                if (session := self.now(target.connection_id, asks)) is not None:
                    return session
                session = await self._initialize(target, tickets, asks)
                self._open[key] = (self._clock.monotonic(), session)
                self._open.move_to_end(key)
                while len(self._open) > MAX_SESSIONS:
                    self._open.popitem(last=False)
                return session
        finally:
            if not lock.locked():
                self._opening.pop(key, None)

    def forget(self, connection_id: str) -> None:
        """Forgets the connection's sessions."""
        for number in range(EVERYTHING + 1):
            self._open.pop(_key(connection_id, Asks(number)), None)
        self._levels.pop(connection_id, None)

    def forget_lost(self, connection_id: str, session: Session) -> None:
        """Forgets a session that the server lost, unless there is a newer one already."""
        key = _key(connection_id, session.asks)
        entry = self._open.get(key)
        if entry is not None and entry[1] is session:
            del self._open[key]

    async def _initialize(self, target: Target, tickets: TicketFor, asks: Asks) -> Session:
        if self._lines.expects(target):
            await self._lines.open(target, tickets)
        try:
            return await self._shake_hands(target, tickets, asks)
        except EraChanged:
            # Neither era takes a POST here: is it a server of 2024-11-05, which says elsewhere what it listens to?
            if not await self._lines.open(target, tickets):
                raise
        return await self._shake_hands(target, tickets, asks)

    async def _shake_hands(self, target: Target, tickets: TicketFor, asks: Asks) -> Session:
        request_id = next(self._ids)
        params = initialize_params(LEGACY[0], CLIENT_INFO, declaration(asks))
        body = request_message(request_id, "initialize", params)
        request = Outgoing(request_id, body, _COMMON)
        try:
            heard = await ask(self._calls, target, request, ticket=await tickets(), limits=ASK, heed=None)
        except HttpFailed as error:
            if error.status in (400, 404, 405):
                raise EraChanged(
                    f"{target.url.host} takes no MCP handshake (HTTP {error.status}).", status=error.status
                ) from error
            raise
        if heard.response.error:
            raise EraChanged(f"{target.url.host} refused the MCP handshake.", status=heard.status)
        facts = server_facts(heard.response.result)
        if facts is None or facts.version not in LEGACY:
            raise BadAnswer(f"{target.url.host} answered the handshake with a revision of MCP that does not exist.")
        if len(heard.session) > _MAX_SESSION_ID or any(not 0x21 <= byte <= 0x7E for byte in heard.session):
            raise BadAnswer(f"{target.url.host} gave a session id that is not visible ASCII.")
        session = Session(heard.session, facts.version, facts.summary(), _headers(heard.session, facts.version), asks)
        done = notification_message("notifications/initialized")
        await tell(self._calls, target, done, session.headers, ticket=await tickets(), limits=ASK)
        return session

    async def cancel(self, target: Target, session: Session, request_id: int, tickets: TicketFor) -> None:
        """Tells the server that nobody waits for the request any more: closing the stream would not (2025-11-25)."""
        body = notification_message("notifications/cancelled", b'{"requestId":%d}' % request_id)
        await tell(self._calls, target, body, session.headers, ticket=await tickets(), limits=ASK)

    async def set_level(self, target: Target, session: Session, level: str, tickets: TicketFor) -> None:
        """Has the server log from `level` on at least; a session has one level, and several clients may share it.

        That the server would not changes nothing: log messages are no part of any answer.
        """
        held, chattiest = self._levels.get(target.connection_id, (None, ""))
        if b'"logging"' not in session.server:
            return
        if held is session and LEVELS.index(chattiest) <= LEVELS.index(level):
            return
        request_id = next(self._ids)
        body = request_message(request_id, "logging/setLevel", b'{"level":"%b"}' % level.encode())
        request = Outgoing(request_id, body, session.headers)
        heard = await ask(self._calls, target, request, ticket=await tickets(), limits=ASK, heed=None)
        accepted(heard, session)
        self._levels[target.connection_id] = (session, level)

    async def answer(self, target: Target, session: Session, request: Request, told: Told, tickets: TicketFor) -> None:
        """Answers what the server asked of us."""
        error = told.error or (b"" if told.result else _NO_SUCH_METHOD)
        body = raw_error_message(request.id, error) if error else result_message(request.id, told.result)
        await tell(self._calls, target, body, session.headers, ticket=await tickets(), limits=ASK)

    async def take_up(
        self, target: Target, session: Session, last_id: bytes, wait: float, limits: Limits, tickets: TicketFor
    ) -> Answer:
        """A stream of the session from after the event `last_id`, or its standing stream when that is empty."""
        if wait > 0:
            await self._clock.sleep(wait)
        more = ((b"last-event-id", last_id),) if last_id else ()
        return await self._calls.post(
            target.url,
            [*session.listening, *more],
            b"",
            credential=await tickets(),
            pool=target.connection_id,
            limits=limits,
            method="GET",
        )


def passed_on(session: Session, request_id: int, onward: Onward) -> Outgoing:
    """A client's request within `session`."""
    token = request_id if onward.progress_token else None
    meta = upstream_meta(onward.meta, token=token, client_info=CLIENT_INFO, modern=False)
    body = request_message(request_id, onward.method, onward.params_with(meta))
    return Outgoing(request_id, body, session.headers)


def is_lost(error: HttpFailed, session: Session) -> bool:
    """Whether an HTTP failure says that the server does not know the session (any more)."""
    return bool(session.id) and error.status == 404


def accepted(heard: Heard, session: Session) -> Heard:
    """What was heard, unless it says that there is no such session: raises `SessionLost`."""
    if heard.status in (400, 404) and session.id and _says_session_lost(heard):
        raise SessionLost("The server lost the session.")
    return heard


def _key(connection_id: str, asks: Asks) -> str:
    return f"{connection_id}#{asks:d}" if asks else connection_id


def _headers(session_id: bytes, version: str) -> Headers:
    made = list(_COMMON)
    if version >= "2025-06-18":
        made.append((headers.VERSION, version.encode()))
    if session_id:
        made.append((headers.SESSION, session_id))
    return made


def _says_session_lost(heard: Heard) -> bool:
    if heard.status == 404:
        return True
    try:
        # The example servers of the TypeScript SDK, and all that copied them, say 400 where the protocol says 404.
        said = read_error(heard.response.error)
    except Rejected:
        return False
    return said.code == -32000 and "session" in said.message.lower()
