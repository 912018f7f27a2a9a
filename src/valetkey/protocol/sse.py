"""Event streams: an incremental reader with limits, and the frames we write (WHATWG HTML, server-sent events)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from valetkey.kernel.errors import BadInput

COMMENT: Final = b": \n\n"
"""Keeps an idle stream open through proxies; readers ignore it."""

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_MAX_ID: Final = 1024
"""Bytes of an event's id, which is sent back in a header; a longer one is passed over."""
_BOM: Final = b"\xef\xbb\xbf"
_LINES: Final = 5
"""Lines without data for each event there may be: its type, its id, how long to wait, its end, and a comment."""


class StreamRefused(BadInput):
    """The stream goes beyond a limit."""

    code = "stream_refused"


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bytes of one event, bytes and events of a whole stream (security.md 4.4)."""

    event: int = 1 << 20
    total: int = 16 << 20
    events: int = 2000


class SseReader:
    """Feed it chunks as they come; it gives the `data` of each complete event of one `kind`.

    Other event types and comments are passed over; an event cut off by the end of the stream never was. Works in one
    pass over each byte, however small the chunks are. `last_id` and `retry` (milliseconds) are for who takes the stream
    up again: the id of the last complete event, and how long to wait; empty and -1 when the server said nothing.
    """

    def __init__(self, limits: StreamLimits, *, kind: bytes = b"message") -> None:
        self._limits = limits
        self._kinds = (kind, b"") if kind == b"message" else (kind,)
        self.last_id = b""
        self.retry = -1
        self._id = b""
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._total = 0
        self._events = 0
        self._idle = limits.events * _LINES
        self._is_message = b"" in self._kinds
        self._after_cr = False
        self._at_start = True

    def again(self) -> None:
        """The stream ended, and will go on in another one: what was cut off is dropped, the limits go on."""
        self._line.clear()
        self._data.clear()
        self._size = 0
        self._id = self.last_id
        self._is_message = b"" in self._kinds
        self._at_start = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that `chunk` completes. Raises `StreamRefused` beyond a limit."""
        self._total += len(chunk)
        if self._total > self._limits.total:
            raise StreamRefused("The event stream is longer than the limit.")
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")  # the other half of a CRLF cut between two chunks
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        lines = _LINE_END.split(chunk)
        if len(lines) > 1:
            lines[0] = bytes(self._line) + lines[0]
            self._line.clear()
        self._line += lines.pop()
        if len(self._line) + self._size > self._limits.event:
            raise StreamRefused("An event is larger than the limit.")
        complete: list[bytes] = []
        for line in lines:
            self._take(line, complete)
        return complete

    def _take(self, line: bytes, complete: list[bytes]) -> None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        field, _, value = line.partition(b":")
        if field == b"data":
            value = value.removeprefix(b" ")
            self._size += len(value) + 1
            if self._size > self._limits.event:
                raise StreamRefused("An event is larger than the limit.")
            self._data.append(value)
            return
        self._idle -= 1
        if self._idle < 0:
            raise StreamRefused("The event stream has more lines without data than the limit.")
        if not line:
            self._dispatch(complete)
        elif field == b"event":
            self._is_message = value.removeprefix(b" ") in self._kinds
        elif field == b"id":
            if b"\0" not in value and len(value) <= _MAX_ID:
                self._id = value.removeprefix(b" ")
        elif field == b"retry":
            digits = value.removeprefix(b" ")
            if digits.isdigit() and len(digits) < 10:
                self.retry = int(digits)

    def _dispatch(self, complete: list[bytes]) -> None:
        self.last_id = self._id
        data = b"\n".join(self._data)
        if data and self._is_message:
            self._events += 1
            if self._events > self._limits.events:
                raise StreamRefused("The event stream has more events than the limit.")
            complete.append(data)
        self._data.clear()
        self._size = 0
        self._is_message = b"" in self._kinds


def event(message: bytes) -> bytes:
    """One `message` event with a JSON-RPC message. JSON may hold line ends between tokens; each gets its own line."""
    if b"\n" in message or b"\r" in message:
        message = b"\ndata: ".join(_LINE_END.split(message))
    return b"event: message\ndata: %b\n\n" % message
