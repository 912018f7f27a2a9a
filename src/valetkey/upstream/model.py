"""The values of upstream, and the ways in which a connector's server says no."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from valetkey.kernel.errors import OutboundFailed
from valetkey.kernel.secret import Credential
from valetkey.net.model import Url
from valetkey.protocol.asks import Asks, Question, Told
from valetkey.protocol.errors import METHOD_NOT_FOUND
from valetkey.protocol.jsonrpc import error_object
from valetkey.protocol.versions import Era

TicketFor = Callable[[], Awaitable[Credential | None]]
"""Gives a fresh ticket, since each is used once; `None` where the connector wants no credential."""

Relay = Callable[[bytes], Awaitable[None]]
"""Takes a notification (one JSON-RPC message) that belongs to a call while the call is under way."""


class Asker(Protocol):
    """Puts a service's questions to the client whose request is under way."""

    @property
    def asks(self) -> Asks:
        """What the client declared for this request: nothing else is declared to the service."""

    async def __call__(self, question: Question) -> Told:
        """The answer, or the error to answer with. Raises nothing but being cancelled."""


class _Nobody:
    """There is no client that could be asked."""

    asks = Asks.NOTHING

    async def __call__(self, question: Question) -> Told:
        return Told(error=error_object(METHOD_NOT_FOUND, "This client offers no such method."))


NOBODY: Final[Asker] = _Nobody()


STDIO: Final = "stdio"
"""The scheme of the URL that stands for a program on the hub's host: `stdio://<name>`."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes and for whose account: sockets and sessions are kept apart by `connection_id`."""

    url: Url
    connection_id: str
    connector: str


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that is a program on the hub's host, as the operator declared it: `stdio://<name>`.

    `environment` is all that it finds in its environment.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


class Carried(msgspec.Struct, frozen=True, gc=False):
    """What came back: `result` or `error` as raw JSON, the other empty; scanned, otherwise as it was."""

    era: Era
    result: bytes
    error: bytes
    missed: Asks = Asks.NOTHING
    """What the server asked within the call and the client had not declared."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A connector's tools (raw JSON objects), and what its server says about itself (JSON, see `ServerFacts`).

    `fresh_seconds` is how long the server says this holds; 0 when it does not say.
    """

    tools: tuple[bytes, ...]
    server: bytes
    fresh_seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which era a server is of, and the revision it speaks."""

    era: Era
    version: str


class HttpFailed(OutboundFailed):
    """The server answered with an HTTP status that is no answer to our message."""

    code = "http_failed"

    def __init__(self, message: str, *, status: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class Unauthorized(HttpFailed):
    """401: the credential was not accepted, or none was sent. `challenge` is the `WWW-Authenticate` header."""

    code = "upstream_unauthorized"

    def __init__(self, message: str, *, challenge: str) -> None:
        super().__init__(message, status=401)
        self.challenge = challenge


class Forbidden403(HttpFailed):
    """403: the account may not do this. `challenge` as in `Unauthorized`, often empty."""

    code = "upstream_forbidden"

    def __init__(self, message: str, *, challenge: str) -> None:
        super().__init__(message, status=403)
        self.challenge = challenge


class EraChanged(HttpFailed):
    """The server does not speak the era it spoke before. The request was rejected before anything was done."""

    code = "era_changed"
