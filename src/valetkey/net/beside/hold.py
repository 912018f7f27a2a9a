"""The vault's own line to the dialer: on it go the key of its tickets, tickets, and word of what has ended."""

from __future__ import annotations

import asyncio

from valetkey.beside.frames import BadFrame, Framed, frame
from valetkey.net.beside.said import HAND, KEY, LONGEST, VOID


class Hold(Framed):
    """The vault's line to the dialer. `lost` is set when it has ended, and every ticket under its key with it."""

    def __init__(self) -> None:
        super().__init__(longest=LONGEST)
        self.lost = asyncio.Event()

    def leave(self, key: bytes) -> None:
        """Tickets are sealed under this key from now on."""
        self.transport.write(frame(KEY, key))

    def void(self, subject: str) -> None:
        """Tickets of this subject (empty: all) that are out write nothing any more."""
        self.transport.write(frame(VOID, subject.encode()))

    def hand(self, name: bytes, ticket: bytes) -> None:
        """The ticket for the request that asks by this name; empty: there is none."""
        self.transport.write(frame(HAND, name + ticket))

    def frame_received(self, kind: int, payload: memoryview) -> None:
        raise BadFrame  # nothing is said on it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # At zero uvloop writes at once instead of at the end of the loop's turn: a call waits for what is handed over.
        self.transport.set_write_buffer_limits(high=0, low=0)

    def pause_writing(self) -> None:
        """What does not fit waits in memory, no more than there are calls."""

    def resume_writing(self) -> None:
        """See above."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
