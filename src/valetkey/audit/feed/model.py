"""The values of feeds, and what sending them needs of the floors around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from valetkey.audit.model import TrailEvent
from valetkey.kernel.errors import OutboundFailed
from valetkey.kernel.secret import Credential, Secret
from valetkey.net.limits import TOKEN, Limits
from valetkey.net.model import Answer, Fetched, Url

Kind = Literal["webhook", "syslog", "otlp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One place to which an organization's events go. `delivered` is the number of the last event it has."""

    id: str
    organization_id: str
    kind: Kind
    address: str
    created_at: datetime
    delivered: int
    delivered_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    next_at: datetime | None = None
    reason: str = ""
    header: str = ""
    """The name of the header whose sealed value goes along; empty for none."""
    missed_after: int | None = None
    """The number of the last event before those that the place refused for good, since it fails."""


class NotTaken(OutboundFailed):
    """The place takes none of it. `final` says that the same must not be sent to it again; `wait` is what it asked for,
    in seconds."""

    code = "not_taken"

    def __init__(self, message: str, *, final: bool = False, wait: float | None = None) -> None:
        super().__init__(message)
        self.final = final
        self.wait = wait


class Way(Protocol):
    """How events are sent to one kind of place; a file for each."""

    def place(self, address: str) -> Url:
        """Where that is. Raises `BadInput`."""
        ...

    async def send(self, feed: Feed, url: Url, events: Sequence[TrailEvent]) -> str:
        """What the place has against some of what it took, if anything. Raises `NotTaken`, and what `net` raises."""
        ...


class Posts(Protocol):
    """`net.client.WebClient`, as far as feeds need it."""

    async def post(
        self, url: Url, *, body: bytes, content_type: str, headers: Mapping[str, str] = ..., limits: Limits = TOKEN
    ) -> Fetched: ...


class PostsWithTicket(Protocol):
    """`net.http1.CallClient`, as far as feeds need it: the one client that a sealed header leaves by."""

    async def post(
        self,
        url: Url,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        *,
        credential: Credential | None,
        pool: str,
        limits: Limits = TOKEN,
    ) -> Answer: ...


class Streams(Protocol):
    """`net.stream.StreamClient`."""

    async def send(self, url: Url, data: bytes, *, limits: Limits = TOKEN) -> None: ...


class Keys(Protocol):
    """What is sealed for feeds. It is the vault's; here is nothing that could open it."""

    async def make_key(self, feed: Feed) -> Secret:
        """A new one for a webhook's marks, as it is told, once, to whoever runs the webhook."""
        ...

    async def mark(self, feed: Feed, message: bytes) -> bytes:
        """HMAC-SHA256 of `message`, by which a webhook knows that it is us."""
        ...

    async def keep_header(self, feed: Feed, url: Url, value: Secret) -> None:
        """Seals the value of the header `feed.header`. Raises `BadInput` for what cannot stand in one."""
        ...

    async def ticket(self, feed: Feed, url: Url) -> Credential:
        """That header, for one request. Raises `VaultFailed`, `NotReleased`."""
        ...

    async def forget(self, feed: Feed) -> None: ...
