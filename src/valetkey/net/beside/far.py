"""The connection to a service as the dialer's process has it: bytes go through, and are wiped when they have left."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

from valetkey.beside.frames import HEAD, zero
from valetkey.net.beside.said import DATA, LONGEST


class Near(Protocol):
    """Whoever the connection is for."""

    transport: asyncio.Transport

    def say(self, said: bytearray) -> None: ...

    def far_ended(self, error: Exception | None) -> None: ...


class Outflow:
    """Writes to a transport and wipes what it wrote when it has left."""

    def __init__(self, transport: asyncio.Transport, *, tls: bool) -> None:
        self._transport = transport
        self._later: list[bytearray] = []
        # As on the call path (`net.wire`): at zero uvloop writes at once, and says when everything has left.
        transport.set_write_buffer_limits(high=1 if tls else 0, low=0)

    def write(self, out: bytearray) -> None:
        self._transport.write(out)
        if self._transport.get_write_buffer_size():
            self._later.append(out)  # queued by reference: zeroing it now would send zeros
        else:
            self.drained()
            zero(out, 0, len(out))

    def drained(self) -> None:
        for out in self._later:
            zero(out, 0, len(out))
        self._later.clear()


class Far(asyncio.BufferedProtocol):
    """The connection to the service: its bytes go to the line as they come, a buffer at a time."""

    def __init__(self, line: Near, *, as_is: bool) -> None:
        self._line = line
        self._head = 0 if as_is else HEAD.size
        self._buffer = bytearray(LONGEST)
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.pause_reading()
        self.outflow = Outflow(self._transport, tls=transport.get_extra_info("sslcontext") is not None)

    def begin(self) -> None:
        """Whoever dialed was told: what the service says may come."""
        if not self._transport.is_closing():
            self._transport.resume_reading()
        else:
            self._line.far_ended(None)

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._buffer)

    def buffer_updated(self, nbytes: int) -> None:
        out = bytearray(self._head + nbytes)
        if self._head:
            HEAD.pack_into(out, 0, nbytes, DATA)
        out[self._head :] = memoryview(self._buffer)[:nbytes]
        zero(self._buffer, 0, nbytes)
        self._line.say(out)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.outflow.drained()
        self._line.far_ended(exc)

    def pause_writing(self) -> None:
        if not self._line.transport.is_closing():
            self._line.transport.pause_reading()

    def resume_writing(self) -> None:
        self.outflow.drained()
        if not self._line.transport.is_closing():
            self._line.transport.resume_reading()

    def pause(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def end(self) -> None:
        """All was said."""
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def close(self) -> None:
        """Whoever dialed has gone."""
        self._transport.close()
