"""The values of net, and the ways in which going out fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from valetkey.kernel.errors import OutboundFailed


@dataclass(frozen=True, slots=True)
class Url:
    """A URL parsed once, strictly, by us. `text` is as it was given; nothing is normalized but `host` and `origin`."""

    text: str
    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def origin(self) -> str:
        """`scheme://host[:port]`, the port only when it is not the scheme's default."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        default = {"http": 80, "https": 443}.get(self.scheme, 0)
        return f"{self.scheme}://{shown}" + ("" if self.port == default else f":{self.port}")

    @property
    def target(self) -> str:
        """What stands in the request line."""
        return (self.path or "/") + (f"?{self.query}" if self.query else "")


class AddressRefused(OutboundFailed):
    """The address is not one that this hub may talk to."""

    code = "address_refused"


class Unreachable(OutboundFailed):
    """No connection could be made, or it broke. `sent` tells whether request bytes may have arrived."""

    code = "unreachable"

    def __init__(self, message: str, *, sent: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.sent = sent


class TimedOut(OutboundFailed):
    """A deadline passed. `sent` as in `Unreachable`."""

    code = "timeout"

    def __init__(self, message: str, *, sent: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.sent = sent


class TooLarge(OutboundFailed):
    """More than the limit came back."""

    code = "too_large"


class BadAnswer(OutboundFailed):
    """What came back is not what the protocol allows: malformed, encoded, or of another kind."""

    code = "bad_answer"


class Moved(OutboundFailed):
    """The server answered with a redirect, which is never followed with a credential (security.md 4.2).

    `location` is the header's value as it came: where to is still to be parsed, and may be meant for one pair of eyes.
    """

    code = "moved"

    def __init__(self, message: str, *, location: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.location = location


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer read whole. Header names are in lower case; of repeated headers the values are joined by `, `."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: Url


class Answer:
    """What came back on the call path: a body read whole, or a stream of an event stream's pieces.

    `headers` have lower-case names; `content_type` is lower case and without parameters. `stream` is None for anything
    but an event stream; whoever got one closes it. Not a frozen dataclass: building one costs a microsecond per call.
    """

    __slots__ = ("body", "content_type", "headers", "status", "stream")

    def __init__(
        self, status: int, headers: dict[bytes, bytes], content_type: bytes, body: bytes, stream: BodyStream | None
    ) -> None:
        self.status = status
        self.headers = headers
        self.content_type = content_type
        self.body = body
        self.stream = stream

    async def aclose(self) -> None:
        """Give the connection up if the stream was not read to its end. Harmless twice, and without a stream."""
        if self.stream is not None:
            await self.stream.aclose()

    def __repr__(self) -> str:
        return (
            f"Answer({self.status}, {self.content_type!r}, {len(self.body)} bytes{', stream' if self.stream else ''})"
        )


class BodyStream(Protocol):
    """The pieces of a body as they come; raises the errors above. `aclose` hangs up unless the end was reached."""

    def __aiter__(self) -> BodyStream: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None: ...
