"""What the call path writes to: a connection that is elsewhere, with the framing that takes it there."""

from __future__ import annotations

import asyncio
from binascii import a2b_base64
from typing import Any, Final

from valetkey.beside.frames import HEAD, frame
from valetkey.net.beside.said import DATA, END, LINE, LONGEST, TICKET
from valetkey.net.certificate import IN_CLEAR, Shown

_IN_A_REQUEST: Final = b"\r\n" + LINE


class Outside(asyncio.Transport):
    """The far connection as a transport: what is written is framed, and a sealed ticket in it goes as one."""

    def __init__(self, line: asyncio.Transport) -> None:
        super().__init__()
        self._line = line
        self.is_ended_here = False
        self.shown: Shown | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        out = bytearray()
        at = 0
        for start, end in _tickets(data):
            _data(out, data, at, start)
            out += frame(TICKET, a2b_base64(data[start + len(LINE) : end]))
            at = end + 2
        _data(out, data, at, len(data))
        self._line.write(out)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Those of the line hold: nothing secret waits here."""

    def get_write_buffer_size(self) -> int:
        return self._line.get_write_buffer_size()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._line.write(frame(END))

    def pause_reading(self) -> None:
        self._line.pause_reading()

    def resume_reading(self) -> None:
        if not self._line.is_closing():
            self._line.resume_reading()

    def is_closing(self) -> bool:
        return self.is_ended_here or self._line.is_closing()

    def close(self) -> None:
        self.is_ended_here = True
        self._line.close()

    def abort(self) -> None:
        self.is_ended_here = True
        self._line.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.shown if name == IN_CLEAR else default


def _tickets(data: bytes | bytearray | memoryview) -> list[tuple[int, int]]:
    """Where in a request's head sealed tickets stand, line ends excluded; what a body holds is none."""
    if isinstance(data, memoryview):
        data = bytes(data)
    at = data.find(_IN_A_REQUEST)
    if at < 0 or 0 <= data.find(b"\r\n\r\n") < at:
        return []
    return [(at + 2, data.index(b"\r\n", at + 2))]


def _data(out: bytearray, data: bytes | bytearray | memoryview, at: int, end: int) -> None:
    while at < end:
        size = min(end - at, LONGEST)
        out += HEAD.pack(size, DATA)
        out += data[at : at + size]
        at += size
