"""Asking the dialer's process for connections: what `net.dialer.Dialer` is here, with the sockets elsewhere."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from valetkey.beside.frames import HEAD, UNREADABLE, BadFrame, Framed, frame
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import ValetkeyError
from valetkey.net.beside.hold import Hold
from valetkey.net.beside.outside import Outside
from valetkey.net.beside.said import (
    CLOSED,
    DATA,
    DIAL,
    DIALED,
    FAILED,
    LONGEST,
    TICKET,
    WANTED,
    WORD,
    Dial,
    Reached,
    encode,
    error_of,
    read_failed,
    read_reached,
)
from valetkey.net.certificate import Shown
from valetkey.net.dialer import Dialed
from valetkey.net.limits import Limits
from valetkey.net.model import TimedOut, Unreachable, Url
from valetkey.net.wire import Wire

Bring = Callable[[bytes], Awaitable[bytes]]
"""Brings the ticket that the vault has not handed over under this name."""
P = TypeVar("P", bound=asyncio.BaseProtocol)

_PATIENCE: Final = 3.0  # how long a connection waits for a dialer that is being started again
_PAUSE: Final = 0.05
_GRACE: Final = 5.0
"""Seconds beyond the limit for the dialer to say itself that it was too late."""


class DialerBeside:
    """Opens connections through the process that listens at `path`; `word` is what it wants to hear first."""

    def __init__(self, path: Path, word: bytes, *, clock: Clock) -> None:
        self._path = path
        self._word = word
        self._clock = clock
        self.bring: Bring | None = None
        """Who brings the ticket when the vault has handed over none. Only who asks for tickets by name has one."""
        # Asked for by the library, used by nobody: TLS is spoken by the dialer.
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    async def connect(self, url: Url, factory: Callable[[], P], *, limits: Limits) -> tuple[asyncio.Transport, P, str]:
        """As `Dialer.connect`."""
        sock = await self._reach()
        loop = asyncio.get_running_loop()
        protocol = factory()
        line = _Line(protocol, self.bring)
        try:
            await loop.create_unix_connection(lambda: line, sock=sock)
        except BaseException:
            sock.close()
            raise
        line.transport.write(self._greeting(url, limits, as_is=False))
        try:
            async with asyncio.timeout(limits.connect + _GRACE):
                address = await line.dialed
        except BaseException as error:
            line.transport.abort()
            if isinstance(error, TimeoutError):
                raise TimedOut(f"{url.host} did not accept a connection in time.") from error
            raise
        return line.outside, protocol, address

    async def dial(self, url: Url, *, limits: Limits) -> Dialed:
        """A socket on which the service itself can be spoken to in clear: the dialer speaks TLS with it."""
        sock = await self._reach()
        try:
            async with asyncio.timeout(limits.connect + _GRACE):
                address = await self._dial_as_is(sock, url, limits)
        except BaseException as error:
            sock.close()
            if isinstance(error, TimeoutError):
                raise TimedOut(f"{url.host} did not accept a connection in time.") from error
            if isinstance(error, OSError):
                raise Unreachable("The hub's dialer ended while it dialed.", hint="Try again.") from error
            raise
        return Dialed(sock, address, is_secured=True)

    async def hold(self, word: bytes) -> Hold:
        """The vault's own line, on which it leaves the key of its tickets. Raises `Unreachable`."""
        sock = await self._reach()
        _, hold = await asyncio.get_running_loop().create_unix_connection(Hold, sock=sock)
        hold.transport.write(frame(WORD, word))
        return hold

    async def _dial_as_is(self, sock: socket.socket, url: Url, limits: Limits) -> str:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, self._greeting(url, limits, as_is=True))
        # Exactly this frame and no byte more: what follows it is the service's.
        length, kind = HEAD.unpack(await _read(sock, HEAD.size))
        payload = await _read(sock, min(length, LONGEST))
        if kind == DIALED:
            return read_reached(payload).address
        if kind == FAILED:
            raise error_of(read_failed(payload))
        raise Unreachable("The hub's dialer answered something else.")

    def _greeting(self, url: Url, limits: Limits, *, as_is: bool) -> bytearray:
        dial = Dial(url.scheme, url.host, url.port, limits.connect, as_is)
        return frame(WORD, self._word) + frame(DIAL, encode(dial))

    async def _reach(self) -> socket.socket:
        """A connection to the dialer, which may just be being started again."""
        until = self._clock.monotonic() + _PATIENCE
        while True:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.setblocking(False)
            try:
                # Not the loop's: on a unix socket a full queue says "again", which loops take for "under way".
                sock.connect(str(self._path))
            except OSError as error:
                sock.close()
                if self._clock.monotonic() >= until:
                    raise Unreachable(
                        "The hub's own dialer is being started again.", hint="Try again in a moment."
                    ) from error
            else:
                return sock
            await self._clock.sleep(_PAUSE)


async def _read(sock: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        piece = await asyncio.get_running_loop().sock_recv(sock, size - len(read))
        if not piece:
            raise ConnectionResetError
        read += piece
    return read


class _Line(Framed):
    """One connection, as the dialer's process hands it on: what comes out of it is given to `protocol`."""

    def __init__(self, protocol: asyncio.BaseProtocol, bring: Bring | None) -> None:
        super().__init__(longest=LONGEST)
        self._protocol = protocol
        self._bring = bring
        self._bringing: asyncio.Task[None] | None = None
        self._is_told = False
        self.dialed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.outside: Outside

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # At zero uvloop writes at once instead of at the end of the loop's turn.
        self.transport.set_write_buffer_limits(high=0, low=0)
        self.outside = Outside(self.transport)

    def frame_received(self, kind: int, payload: memoryview) -> None:
        if kind == DATA and self.dialed.done():
            if not self._is_told:
                cast("asyncio.Protocol", self._protocol).data_received(bytes(payload))
        elif kind == DIALED and not self.dialed.done():
            reached = _reached(payload)
            self.outside.shown = _shown(reached)
            self._protocol.connection_made(self.outside)
            self.dialed.set_result(reached.address)
        elif kind == FAILED and not self.dialed.done():
            self.dialed.set_exception(error_of(_failed(payload)))
        elif kind == CLOSED and self.dialed.done():
            self._closed(payload)
        elif kind == WANTED and self._bring is not None:
            self._bringing = asyncio.get_running_loop().create_task(self._fetch(self._bring(bytes(payload))))
        else:
            raise BadFrame

    async def _fetch(self, brought: Awaitable[bytes]) -> None:
        """What cannot be had is the end of this request, of which nothing has left."""
        try:
            self.transport.write(frame(TICKET, await brought))
        except ValetkeyError as no:
            if isinstance(self._protocol, Wire):
                self._protocol.fail(no)

    def _closed(self, payload: memoryview) -> None:
        failed = _failed(payload)
        if failed.error and isinstance(self._protocol, Wire):
            self._protocol.fail(Unreachable(failed.message, sent=False))  # the ticket was refused: nothing has left
        self._lose(ConnectionResetError(failed.message) if failed.message else None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._bringing is not None:
            self._bringing.cancel()
        if not self.dialed.done():
            self.dialed.set_exception(Unreachable("The hub's dialer ended while it dialed.", hint="Try again."))
        elif not self.dialed.cancelled() and self.dialed.exception() is None:
            # Without a word from the dialer that the service closed: it is the dialer that ended, or we who hung up.
            if not self.outside.is_ended_here and isinstance(self._protocol, Wire):
                self._protocol.fail(
                    Unreachable(
                        "The hub's own dialer ended while the call was out.",
                        sent=True,
                        hint="It is being started again; whether the service did what it was asked is not known.",
                    )
                )
            self._lose(None if self.outside.is_ended_here else ConnectionResetError("the hub's dialer ended"))

    def _lose(self, exc: Exception | None) -> None:
        if not self._is_told:
            self._is_told = True
            self.outside.is_ended_here = True
            self._protocol.connection_lost(exc)
            self.transport.close()

    def pause_writing(self) -> None:
        if self._is_open:
            cast("asyncio.Protocol", self._protocol).pause_writing()

    def resume_writing(self) -> None:
        if self._is_open:
            cast("asyncio.Protocol", self._protocol).resume_writing()

    @property
    def _is_open(self) -> bool:
        return self.dialed.done() and not self.dialed.cancelled() and self.dialed.exception() is None


def _failed(payload: memoryview) -> Any:
    try:
        return read_failed(payload)
    except UNREADABLE as error:
        raise BadFrame from error


def _reached(payload: memoryview) -> Reached:
    try:
        return read_reached(payload)
    except UNREADABLE as error:
        raise BadFrame from error


def _shown(told: Reached) -> Shown | None:
    if not told.tls_version:
        return None
    return Shown(told.tls_version, told.subject, told.issuer, datetime.fromtimestamp(told.ends_at, UTC))
