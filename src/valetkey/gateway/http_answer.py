"""HTTP/1.1 answers as bytes, for the front that writes them itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from valetkey.gateway.endpoint import STREAM_HEADERS
from valetkey.gateway.model import Reply

_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus
}
_OK: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"

Lines = list[tuple[bytes, bytes]]


class Dated:
    """Puts answers together; keeps the lines uvicorn renews once a second (`date`) as bytes."""

    def __init__(self) -> None:
        self._lines: Lines = []
        self._bytes = b""

    def line(self, lines: Lines) -> bytes:
        """The default header lines as bytes."""
        if lines is not self._lines:
            self._lines = lines
            self._bytes = b"".join(b"%b: %b\r\n" % pair for pair in lines) + b"x-content-type-options: nosniff\r\n"
        return self._bytes

    def answer(self, reply: Reply, lines: Lines, *, keep: bool) -> bytes:
        """The whole answer."""
        body = reply.body
        if keep and reply.status == 200 and not reply.headers:
            return b"%b%bcontent-length: %d\r\n\r\n%b" % (_OK, self.line(lines), len(body), body)
        head = [_STATUS_LINES[reply.status], self.line(lines), b"content-length: %d\r\n" % len(body)]
        if body:
            head.append(b"content-type: application/json\r\n")
        head += [b"%b: %b\r\n" % pair for pair in reply.headers if pair[0] != b"connection"]
        if not keep:
            head.append(b"connection: close\r\n")
        return b"".join([*head, b"\r\n", body])


def stream_head(lines: bytes) -> bytes:
    """The head of an event stream, which is sent in chunks."""
    named = b"".join(b"%b: %b\r\n" % pair for pair in STREAM_HEADERS)
    return b"HTTP/1.1 200 OK\r\n%b%btransfer-encoding: chunked\r\n\r\n" % (lines, named)
