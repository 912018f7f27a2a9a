"""Frames on a unix socket: a length, a kind, and so many bytes; read in place, and wiped when they were read.

What passes between the processes may be a credential for an instant, so no piece of the buffer outlives its reading.
"""

from __future__ import annotations

import asyncio
import struct
from abc import abstractmethod
from typing import Final, cast

import msgspec

HEAD: Final = struct.Struct(">IB")
LONGEST: Final = 1024 * 1024
_FIRST: Final = 16 * 1024
_ZEROS: Final = bytes(64 * 1024)
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError)
"""What decoding raises for bytes that are no message: text that is not UTF-8 has an error of its own."""


class BadFrame(Exception):
    """What came is not what the other process of ours would say: the connection ends, with no answer."""


def frame(kind: int, payload: bytes | bytearray | memoryview = b"") -> bytearray:
    """One frame, for the caller to write, and to wipe if it must."""
    return bytearray(HEAD.pack(len(payload), kind)) + payload


def zero(buffer: bytearray, at: int, end: int) -> None:
    """Overwrites a part of `buffer` in place."""
    while at < end:
        size = min(end - at, len(_ZEROS))
        buffer[at : at + size] = _ZEROS[:size]
        at += size


class Framed(asyncio.BufferedProtocol):
    """Reads frames of at most `longest` bytes into one buffer; a longer one, or a `BadFrame`, ends the connection."""

    transport: asyncio.Transport

    def __init__(self, *, longest: int = LONGEST) -> None:
        self._longest = longest
        self._buffer = bytearray(_FIRST)
        self._filled = 0

    @abstractmethod
    def frame_received(self, kind: int, payload: memoryview) -> None:
        """One frame. `payload` is good until this returns. May raise `BadFrame`."""

    def frames_received(self) -> None:
        """All frames that came at once were given."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # by shape: uvloop's are no subclass

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        try:
            taken, needed = self._give()
            self.frames_received()
        except BadFrame:
            self._forget(self._filled)
            self.transport.abort()
            return
        self._forget(taken)
        if needed > len(self._buffer):
            longer = bytearray(needed)
            longer[: self._filled] = self._buffer[: self._filled]
            zero(self._buffer, 0, len(self._buffer))
            self._buffer = longer

    def _give(self) -> tuple[int, int]:
        """Gives the whole frames; how many bytes they took, and how many the one that is not whole will need."""
        at = 0
        with memoryview(self._buffer) as view:
            while self._filled - at >= HEAD.size:
                length, kind = HEAD.unpack_from(view, at)
                end = at + HEAD.size + length
                if length > self._longest:
                    raise BadFrame
                if end > self._filled:
                    return at, HEAD.size + length
                with view[at + HEAD.size : end] as payload:
                    self.frame_received(kind, payload)
                at = end
        return at, 0

    def _forget(self, taken: int) -> None:
        left = self._filled - taken
        if left and taken:
            self._buffer[:left] = self._buffer[taken : self._filled]
        zero(self._buffer, left, self._filled)
        self._filled = left
