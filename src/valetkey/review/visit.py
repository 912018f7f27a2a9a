"""The means of one visit: the way out, the limits, and the test account if one was given on purpose."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import OutboundFailed, VaultFailed, printable
from valetkey.kernel.secret import Credential, Secret
from valetkey.net.certificate import CertificateClient
from valetkey.net.limits import MIB, Limits
from valetkey.net.model import Answer, Fetched, Moved, Url
from valetkey.net.outbound import Outbound
from valetkey.oauth.model import ParseUrl
from valetkey.review.model import Exchange
from valetkey.upstream.model import Target

LIMITS: Final = Limits(connect=5.0, first_byte=10.0, idle=10.0, total=10.0, max_body=4 * MIB, max_stream=4 * MIB)
"""One request of a visit: a connector that takes longer than ten seconds for a list is not fit for one either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a visit takes at most, in seconds: each stage, whatever is still to be asked."""

    probe: float = 60.0
    lists: float = 60.0
    trials: float = 120.0
    request: Limits = LIMITS


USUAL: Final = Patience()


class Account(Protocol):
    """A test account: a credential for each request to the connector's own origin, and for no other."""

    async def ticket(self) -> Credential: ...


class TestAccount:
    """A test account's token, sent to the connector's own origin and nowhere else."""

    __test__ = False  # for pytest, which takes names that begin so for tests

    def __init__(self, token: Secret, *, origin: str) -> None:
        self._token = token
        self.origin = origin

    async def ticket(self) -> Credential:
        return _Ticket(self._token, self.origin)


class _Ticket:
    """The token for one request, as `net` takes credentials."""

    def __init__(self, token: Secret, origin: str) -> None:
        self._token = token
        # reveal: into the outgoing buffer; there is no vault here, and the file it came from stays where it was.
        self._lines = bytearray(b"authorization: Bearer " + token.reveal() + b"\r\n")
        self.origin = origin

    @property
    def size(self) -> int:
        return len(self._lines)

    def write_into(self, buffer: memoryview) -> None:
        if not self._lines:
            raise VaultFailed("This ticket was used before.")
        buffer[:] = self._lines
        for index in range(len(self._lines)):
            self._lines[index] = 0
        self._lines = bytearray()

    def masked(self, data: bytes) -> bytes:
        """A service that says the token back would put it into the report."""
        # reveal: to find it in what came back.
        value = self._token.reveal()
        return data.replace(value, b"[masked]") if value in data else data

    @property
    def longest(self) -> int:
        return len(self._token)


async def nobody() -> Credential | None:
    """The ticket of somebody unknown."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Everything that the stages share. `say` is told what is looked at, while it is."""

    url: Url
    out: Outbound
    certificates: CertificateClient | None
    """Where nobody can look at one, what asks about it is not run."""
    clock: Clock
    parse: ParseUrl
    say: Callable[[str], None]
    patience: Patience = USUAL
    account: Account | None = None
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def allow_http(self) -> bool:
        return self.url.scheme == "http"

    @property
    def target(self) -> Target:
        return Target(self.url, "review", self.url.host)

    async def ticket(self) -> Credential | None:
        return await self.account.ticket() if self.account is not None else None


def exchange_of(answer: Answer | Fetched) -> Exchange:
    """Status and headers of an answer, as values."""
    if isinstance(answer, Fetched):
        return Exchange(answer.status, dict(answer.headers))
    return Exchange(answer.status, {_latin(name): _latin(value) for name, value in answer.headers.items()})


def failed(error: OutboundFailed) -> Exchange:
    """An exchange that did not come about, or was a redirect."""
    moved_to = printable(error.location, limit=2000) if isinstance(error, Moved) else ""
    return Exchange(problem=error.message, moved_to=moved_to)


def _latin(raw: bytes) -> str:
    return raw.decode("latin-1")
