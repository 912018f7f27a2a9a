"""The values of net, and the ways in which going out fails."""

from __future__ import annotations

from dataclasses import dataclass

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
        default = {"http": 80, "https": 443}[self.scheme]
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
    """The server answered with a redirect, which is never followed with a credential (security.md 4.2)."""

    code = "moved"
