"""The dialer's half: who speaks to it, the connection it makes for them, and the ticket that becomes header lines.

A line is one connection of a worker, or of the vault, to this process, and stands for one socket out. Buffers that held
a credential are wiped when the bytes have left; those that a service's answer passed through, too, for a token endpoint
answers with tokens.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from valetkey.beside.frames import UNREADABLE, BadFrame, Framed, frame, zero
from valetkey.beside.peers import check_word, is_ours, listen
from valetkey.kernel.errors import OutboundFailed, ValetkeyError
from valetkey.net.beside.far import Far, Outflow
from valetkey.net.beside.handed import Handed
from valetkey.net.beside.said import (
    CLOSED,
    DATA,
    DIAL,
    DIALED,
    END,
    FAILED,
    HAND,
    KEY,
    LONGEST,
    NAME_SIZE,
    TICKET,
    VOID,
    WANTED,
    WORD,
    Dial,
    Failed,
    encode,
    reached,
    read_dial,
)
from valetkey.net.dialer import Dialer
from valetkey.net.http1 import is_header_lines
from valetkey.net.limits import Limits
from valetkey.net.model import Url

KEY_SIZE = 32
_WORD_SECONDS = 5.0
_LONGEST_CONNECT = 60.0


class OpensTickets(Protocol):
    """What the vault leaves with this process."""

    def take_key(self, key: bytes) -> None:
        """Tickets are sealed under this key from now on; those under another open no more."""
        ...

    def void(self, subject: str) -> None:
        """Tickets of this subject (empty: all) that were made until now open no more."""
        ...

    def open(self, ticket: bytes, *, origin: str, request: bytes) -> bytearray:
        """The header lines, once, for the caller to wipe. `request` is how the request begins that they are for.

        Raises `VaultFailed`.
        """
        ...


class Serving:
    """The dialer's process, as the others see it: listening at `path`."""

    def __init__(self, dialer: Dialer, tickets: OpensTickets, *, worker_word: bytes, vault_word: bytes) -> None:
        self.dialer = dialer
        self.tickets = tickets
        self.worker_word = worker_word
        self.vault_word = vault_word
        self.handed = Handed()
        self.lines: set[Line] = set()
        self._server: asyncio.Server | None = None

    async def listen(self, path: Path) -> None:
        self._server = await listen(path, lambda: Line(self))

    async def close(self) -> None:
        """Hangs up on everybody."""
        if self._server is not None:
            self._server.close()
        for line in list(self.lines):
            line.transport.abort()
        await asyncio.sleep(0)  # let the loop tell the connections that they are lost


class Line(Framed):
    """One who speaks to the dialer, and the connection that is made for them."""

    def __init__(self, serving: Serving) -> None:
        super().__init__(longest=LONGEST)
        self._serving = serving
        self._is_worker = self._is_vault = False
        self._url: Url | None = None
        self._as_is = False
        self._dialing: asyncio.Task[None] | None = None
        self._far: Far | None = None
        self._parts: list[bytearray] = []
        self._awaits: _Awaits | None = None
        self._is_over = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.outflow = Outflow(self.transport, tls=False)
        self._serving.lines.add(self)
        if not is_ours(transport.get_extra_info("socket")):
            self.transport.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(_WORD_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._serving.lines.discard(self)
        if self._awaits is not None:
            self._serving.handed.forget(self._awaits.name, self._handed)
        if self._timer is not None:
            self._timer.cancel()
        if self._dialing is not None:
            self._dialing.cancel()
        if self._far is not None:
            self._far.close()
        self.outflow.drained()

    def pause_writing(self) -> None:
        if self._far is not None:
            self._far.pause()

    def resume_writing(self) -> None:
        self.outflow.drained()
        if self._far is not None:
            self._far.resume()

    # --- what is said here --------------------------------------------------------------------------------------------

    def buffer_updated(self, nbytes: int) -> None:
        if not self._as_is or self._far is None:
            super().buffer_updated(nbytes)
            return
        out = self._buffer[self._filled : self._filled + nbytes]
        zero(self._buffer, self._filled, self._filled + nbytes)
        self._far.outflow.write(out)

    def frame_received(self, kind: int, payload: memoryview) -> None:
        if self._is_over:
            return
        if not (self._is_worker or self._is_vault):
            self._first_word(kind, payload)
        elif kind == DATA and self._far is not None:
            self._parts.append(bytearray(payload))
        elif kind == TICKET and self._far is not None:
            self._add_ticket(bytes(payload))
        elif kind == END and self._far is not None and self._awaits is None:
            self._far.end()
        elif kind == DIAL and self._url is None:
            self._dial(payload)
        elif kind == KEY and self._is_vault and len(payload) == KEY_SIZE:
            self._serving.tickets.take_key(bytes(payload))
        elif kind == VOID and self._is_vault:
            self._serving.tickets.void(str(payload, "utf-8"))
        elif kind == HAND and self._is_vault and len(payload) >= NAME_SIZE:
            self._serving.handed.hand(bytes(payload[:NAME_SIZE]), bytes(payload[NAME_SIZE:]))
        else:
            raise BadFrame

    def frames_received(self) -> None:
        if self._awaits is not None:
            if not self._awaits.is_wanted:
                self.transport.pause_reading()  # the rest of the request waits where it is
        elif self._parts and self._far is not None:
            self._far.outflow.write(self._joined())

    def _first_word(self, kind: int, payload: memoryview) -> None:
        if kind != WORD:
            raise BadFrame
        if self._timer is not None:
            self._timer.cancel()
        if payload == self._serving.vault_word:
            self._is_vault = True
        else:
            check_word(payload, self._serving.worker_word)
            self._is_worker = True

    def _dial(self, payload: memoryview) -> None:
        try:
            dial = read_dial(payload)
        except UNREADABLE as error:
            raise BadFrame from error
        if not 0 < dial.seconds <= _LONGEST_CONNECT:
            raise BadFrame
        self._url = Url("", dial.scheme, dial.host, dial.port, "", "")
        self._as_is = dial.as_is
        self.transport.pause_reading()  # nothing is taken before it can go on
        self._dialing = asyncio.get_running_loop().create_task(self._connect(dial))

    async def _connect(self, dial: Dial) -> None:
        assert self._url is not None
        try:
            outside, far, address = await self._serving.dialer.connect(
                self._url, lambda: Far(self, as_is=dial.as_is), limits=Limits(connect=dial.seconds)
            )
        except OutboundFailed as failed:
            self._fail(Failed(failed.code, failed.message, failed.hint))
            return
        except (ValueError, OSError) as error:  # a host that is no name, say
            self._fail(Failed(OutboundFailed.code, f"No connection could be made: {type(error).__name__}."))
            return
        self._far = far
        self.transport.write(frame(DIALED, encode(reached(address, outside))))
        self.transport.resume_reading()
        far.begin()

    def _fail(self, why: Failed) -> None:
        self.transport.resume_reading()
        self.say(frame(FAILED, encode(why)))
        self._give_up()

    # --- a request on its way -----------------------------------------------------------------------------------------

    def _add_ticket(self, ticket: bytes) -> None:
        """The sealed header lines, in their place: at the end of the head that the frame before began. Or their name,
        under which the vault hands them over by itself.
        """
        if self._awaits is not None:
            awaits, self._awaits = self._awaits, None
            if not awaits.is_wanted or len(ticket) == NAME_SIZE:
                raise BadFrame
            self._open(ticket, awaits.at)
            return
        head = self._parts[-1] if self._parts else b""
        if self._as_is or b"\r\n\r\n" in head or not head.endswith(b"\r\n"):
            raise BadFrame
        if len(ticket) == NAME_SIZE:
            self._awaits = _Awaits(ticket, len(self._parts))
            at_hand = self._serving.handed.ask(ticket, self._handed)
            if at_hand is not None:
                self._take(at_hand)
        else:
            self._open(ticket, len(self._parts))

    def _handed(self, ticket: bytes) -> None:
        """The vault's word on the request that waits here."""
        self.transport.resume_reading()
        try:
            self._take(ticket)
        except BadFrame:
            self.transport.abort()
            return
        self.frames_received()

    def _take(self, ticket: bytes) -> None:
        """The ticket that is awaited; none: whoever speaks here has to bring one."""
        assert self._awaits is not None  # it was asked for
        if not ticket:
            self._awaits.is_wanted = True
            self.say(frame(WANTED, self._awaits.name))
            return
        awaits, self._awaits = self._awaits, None
        self._open(ticket, awaits.at)

    def _open(self, ticket: bytes, at: int) -> None:
        assert self._url is not None
        try:
            lines = self._serving.tickets.open(ticket, origin=self._url.origin, request=bytes(self._parts[at - 1][:8]))
        except ValetkeyError as refused:
            self._parts.clear()
            self.say(frame(CLOSED, encode(Failed(refused.code, refused.message))))
            self._give_up()
            return
        self._parts.insert(at, lines)
        if lines.startswith(b"\r\n") or not is_header_lines(lines, 0, len(lines)):
            zero(lines, 0, len(lines))
            raise BadFrame

    def _joined(self) -> bytearray:
        """What came at once, in one piece; nothing is ever appended to a buffer that holds a credential, since growing

        would leave the old one behind.
        """
        out = bytearray(sum(map(len, self._parts)))
        at = 0
        for part in self._parts:
            out[at : at + len(part)] = part
            at += len(part)
            zero(part, 0, len(part))
        self._parts.clear()
        return out

    def _give_up(self) -> None:
        self._is_over = True
        self.transport.close()

    # --- what comes from outside --------------------------------------------------------------------------------------

    def say(self, said: bytearray) -> None:
        self.outflow.write(said)

    def far_ended(self, error: Exception | None) -> None:
        self._far = None
        if self.transport.is_closing():
            return
        if not self._as_is:
            self.say(frame(CLOSED, encode(Failed("", type(error).__name__ if error else ""))))
        self.transport.close()


@dataclass(slots=True)
class _Awaits:
    """A request that waits for a ticket of this name, which belongs at this place among its parts."""

    name: bytes
    at: int
    is_wanted: bool = False
