"""The client of the call path: the place where a ticket becomes bytes (design.md D9).

HTTP/1.1 only. Connections are pooled per (pool, origin) and pinned to the address that was checked; a pool is one
person's connection, so people never share a socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from collections.abc import Sequence

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, TooMany
from valetkey.kernel.secret import Credential
from valetkey.net.certificate import shown_by
from valetkey.net.cleaned import cleaned
from valetkey.net.dialer import Dials
from valetkey.net.limits import CALL, Limits
from valetkey.net.model import AddressRefused, Answer, Moved, Unreachable, Url
from valetkey.net.wire import IDLE_SECONDS, ONE_WRITE, Coming, Wire, zero

USER_AGENT = "Valetkey/0.1 (self-hosted connector hub)"

Headers = Sequence[tuple[bytes, bytes]]

_METHODS = {"POST": b"POST ", "GET": b"GET ", "PUT": b"PUT ", "DELETE": b"DELETE "}
TOKEN_CHARS = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# Ours to say, or a secret's to say (RFC 9112 framing; security.md 4.5): never a caller's header.
NOT_CALLERS = frozenset(
    {
        b"host", b"connection", b"content-length", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"expect",
        b"keep-alive", b"proxy-connection", b"proxy-authorization", b"authorization", b"cookie", b"accept-encoding",
        b"user-agent", b"valetkey-ticket",
    }
)  # fmt: skip


_USUAL_LINES = 5
"""Up to so many headers come again with the next call of the same tool. More are made from arguments: not kept here."""


class _Lane:
    """The connections of one pool to one origin."""

    __slots__ = ("count", "idle", "issuer", "origin", "pool")

    def __init__(self, pool: str, origin: str) -> None:
        self.pool = pool
        self.origin = origin
        self.idle: list[Wire] = []
        self.count = 0
        self.issuer = ""
        """Who issued the certificate that was shown on the youngest of them."""


class _Route:
    """A URL as it was last asked in a pool, with what stands in every request to it."""

    __slots__ = ("lane", "line", "origin", "url")

    def __init__(self, url: Url, lane: _Lane) -> None:
        self.url = url
        self.lane = lane
        self.origin = lane.origin
        self.line = (
            f"{url.target} HTTP/1.1\r\nhost: {url.origin.partition('://')[2]}\r\nuser-agent: {USER_AGENT}\r\n"
            "accept-encoding: identity\r\n"
        ).encode("ascii")


class CallClient:
    """Posts calls. `max_connections` bounds all sockets together, `max_per_pool` those of one person's connection."""

    def __init__(self, dialer: Dials, *, clock: Clock, max_connections: int = 2048, max_per_pool: int = 256) -> None:
        self._dialer = dialer
        self._clock = clock
        self._max_connections = max_connections
        self._max_per_pool = max_per_pool
        self._routes: dict[str, _Route] = {}
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._wires: dict[Wire, _Lane] = {}
        self._dialing = 0
        self._keep_seconds: dict[str, float] = {}

    async def post(
        self,
        url: Url,
        headers: Headers,
        body: bytes,
        *,
        credential: Credential | None,
        pool: str,
        limits: Limits = CALL,
        method: str = "POST",
    ) -> Answer:
        """Send one request and give its answer; `pool` names whose sockets are used. Any status but a redirect is one.

        `headers` are sent as they are, after host, user-agent and accept-encoding; they hold no secret. Raises
        `AddressRefused`, `Unreachable`, `TimedOut`, `TooLarge`, `BadAnswer`, `Moved`; `VaultFailed` from the ticket.
        Nothing is sent twice.
        """
        # 1. Where to, and is the ticket for there?
        route = self._routes.get(pool)
        if route is None or route.url is not url:
            route = self._route(pool, url)
        if credential is not None and credential.origin != route.origin:
            raise AddressRefused(f"The credential is for {credential.origin}, not for {route.origin}.")
        head = self._head(route, method, headers, body)
        # 2. Over which connection?
        wire = self._take(route.lane)
        pooled = wire is not None
        if wire is None:
            started = asyncio.get_running_loop().time()
            wire = await self._open(route.lane, url, limits)
        else:
            started = wire.loop.time()
        # 3. The ticket writes itself, and the request leaves.
        late = b"" if len(head) + len(body) <= ONE_WRITE else body
        out = bytearray(head)
        at, size = len(head), 0 if credential is None else credential.size
        try:
            if credential is not None:
                out += bytes(size)
            out += b"\r\n" if late else b"\r\n" + body
            if credential is not None:
                credential.write_into(memoryview(out)[at : at + size])
                if not is_header_lines(out, at, at + size):
                    raise BadInput("The credential is not made of whole header lines.", field="credential")
        except BaseException:
            zero(out, at, size)
            self._put_back(wire, pooled)
            raise
        future = wire.ask(out, at, size, late, limits=limits, started=started)
        if future is None:
            try:
                wire, future = await self._ask_afresh(route, pooled, out, at, size, late, limits, started)
            except BaseException:
                zero(out, at, size)
                raise
        # 4. The answer, without the credential should it be in there.
        try:
            answer = await future
        except asyncio.CancelledError:
            wire.abandon(future)
            raise
        except Moved as error:
            if credential is not None:
                error.location = ""  # it may have the credential in it
            raise
        return answer if credential is None else await cleaned(answer, credential)

    async def _ask_afresh(
        self,
        route: _Route,
        pooled: bool,
        out: bytearray,
        at: int,
        size: int,
        late: bytes,
        limits: Limits,
        started: float,
    ) -> tuple[Wire, Coming]:
        """The pooled connection refused the very first byte: nothing left, so a fresh one may try, once."""
        if pooled:
            wire = await self._open(route.lane, route.url, limits)
            future = wire.ask(out, at, size, late, limits=limits, started=started)
            if future is not None:
                return wire, future
        raise Unreachable(f"{route.url.host} closed the connection before the request.", sent=False)

    def issuer(self, pool: str) -> str:
        """Who issued the certificate that is shown where the pool goes; empty without TLS, or where none went."""
        route = self._routes.get(pool)
        return route.lane.issuer if route is not None else ""

    def close_pool(self, pool: str) -> None:
        """Drop every connection of a pool, calls in flight included: they end as `Unreachable`."""
        self._routes.pop(pool, None)
        for wire, lane in list(self._wires.items()):
            if lane.pool == pool:
                wire.fail(Unreachable(f"The connection to {wire.host} was closed here.", sent=True))

    async def close(self) -> None:
        """Drop all connections."""
        for wire in list(self._wires):
            wire.fail(Unreachable("The hub is stopping.", sent=True))
        self._routes.clear()
        await asyncio.sleep(0)  # let the loop tell the connections that they are lost

    # -- requests -----------------------------------------------------------------------------------------------

    def _route(self, pool: str, url: Url) -> _Route:
        known = self._routes.get(pool)
        if known is not None and known.url == url:
            known.url = url  # so that the next look is by identity
            return known
        key = (pool, url.origin)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(*key)
        route = self._routes[pool] = _Route(url, lane)
        return route

    def _head(self, route: _Route, method: str, headers: Headers, body: bytes) -> bytes:
        lines = tuple(headers)
        block = _block(lines) if len(lines) <= _USUAL_LINES else _block.__wrapped__(lines)
        try:
            verb = _METHODS[method]
        except KeyError:
            raise BadInput("Only POST, GET, PUT and DELETE are sent.", field="method") from None
        if body or method == "POST":
            return b"%b%b%bcontent-length: %d\r\n" % (verb, route.line, block, len(body))
        return verb + route.line + block

    # -- connections --------------------------------------------------------------------------------------------

    def _take(self, lane: _Lane) -> Wire | None:
        idle = lane.idle
        if not idle:
            return None
        now = self._clock.monotonic()
        while idle:
            wire = idle.pop()
            if now < wire.good_until and not wire.transport.is_closing():
                return wire
            wire.hang_up()
        return None

    async def _open(self, lane: _Lane, url: Url, limits: Limits) -> Wire:
        if lane.count >= self._max_per_pool:
            raise TooMany(f"{lane.count} calls to {url.host} are under way already.", retry_after=1.0)
        if len(self._wires) + self._dialing >= self._max_connections:
            self._make_room()
        lane.count += 1
        self._dialing += 1
        self._lanes.setdefault((lane.pool, lane.origin), lane)  # it may have been forgotten while nothing was open
        try:
            _, wire, address = await self._dialer.connect(
                url,
                lambda: Wire(url.host, tls=url.scheme == "https", clock=self._clock, rest=self._rest, lost=self._lose),
                limits=limits,
            )
        except BaseException:
            self._leave(lane)
            raise
        finally:
            self._dialing -= 1
        wire.pinned = address
        if (shown := shown_by(wire.transport)) is not None:
            lane.issuer = shown.issuer
        wire.keep_seconds = self._keep_seconds.get(lane.origin, IDLE_SECONDS)
        self._wires[wire] = lane
        if wire.transport.is_closing():
            self._lose(wire)
            raise Unreachable(f"{url.host} closed the connection before the request.", sent=False)
        return wire

    def _put_back(self, wire: Wire, pooled: bool) -> None:
        if pooled:
            self._rest(wire)
        else:
            wire.hang_up()

    def _rest(self, wire: Wire) -> None:
        lane = self._wires.get(wire)
        if lane is not None:
            lane.idle.append(wire)

    def _lose(self, wire: Wire) -> None:
        lane = self._wires.pop(wire, None)
        if lane is None:
            return
        if wire in lane.idle:
            lane.idle.remove(wire)
            self._learn_keep_alive(lane.origin, self._clock.monotonic() - wire.rested)
        self._leave(lane)

    def _leave(self, lane: _Lane) -> None:
        lane.count -= 1
        if lane.count <= 0:  # memory of what is open only: a hub with many people stays small
            if self._lanes.get((lane.pool, lane.origin)) is lane:
                del self._lanes[lane.pool, lane.origin]
            route = self._routes.get(lane.pool)
            if route is not None and route.lane is lane:
                del self._routes[lane.pool]

    def _learn_keep_alive(self, origin: str, rested: float) -> None:
        """A server hung up on a resting connection: next time drop it a little sooner than it does.

        Else a call could cross with the server's close, and a call that was sent is never sent again.
        """
        if rested < IDLE_SECONDS and len(self._keep_seconds) < 4096:
            self._keep_seconds[origin] = min(max(1.0, 0.8 * rested), self._keep_seconds.get(origin, IDLE_SECONDS))

    def _make_room(self) -> None:
        resting = sorted((wire for lane in self._lanes.values() for wire in lane.idle), key=lambda w: w.good_until)
        for wire in resting[: max(1, self._max_connections // 10)]:
            with contextlib.suppress(ValueError):
                self._wires[wire].idle.remove(wire)
            wire.hang_up()
        if not resting:
            raise TooMany(f"All {self._max_connections} outbound connections are busy.", retry_after=1.0)


@functools.lru_cache(maxsize=2048)
def _block(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """A caller's headers as lines. Raises `BadInput` for what would make another request of this one."""
    block = b"".join([b"%b: %b\r\n" % header for header in headers])
    count = len(headers)
    if block.count(b"\n") != count or block.count(b"\r") != count or b"\0" in block:
        raise BadInput("A header value holds a line break or a null byte.", field="headers")
    for name, _ in headers:
        if not TOKEN_CHARS.fullmatch(name):
            raise BadInput("A header name holds a character that may not stand there.", field="headers")
        if name.lower() in NOT_CALLERS:
            raise BadInput(f"The header {name.decode()} is not set by callers.", field="headers")
    return block


def is_header_lines(out: bytearray, start: int, end: int) -> bool:
    """Whether what was written ends a line, ends no head, and has no line break of its own kind (no copy is made)."""
    return (
        out.startswith(b"\r\n", end - 2)
        and out.find(b"\r\n\r\n", max(0, start - 2), end + 1) < 0
        and out.count(b"\n", start, end) == out.count(b"\r\n", start, end) == out.count(b"\r", start, end)
    )
