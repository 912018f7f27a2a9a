"""The values of feeds, and what sending them needs of the floors around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from valetkey.kernel.secret import Secret
from valetkey.net.limits import TOKEN, Limits
from valetkey.net.model import Fetched, Url

Kind = Literal["webhook", "syslog"]


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


class Posts(Protocol):
    """`net.client.WebClient`, as far as feeds need it."""

    async def post(
        self, url: Url, *, body: bytes, content_type: str, headers: Mapping[str, str] = ..., limits: Limits = TOKEN
    ) -> Fetched: ...


class Streams(Protocol):
    """`net.stream.StreamClient`."""

    async def send(self, url: Url, data: bytes, *, limits: Limits = TOKEN) -> None: ...


class Marks(Protocol):
    """Makes the mark by which a webhook knows that it is us. The keys are the vault's, one for each feed."""

    async def make_key(self, feed: Feed) -> Secret:
        """A new one, as it is told, once, to whoever runs the webhook."""
        ...

    async def mark(self, feed: Feed, message: bytes) -> bytes:
        """HMAC-SHA256 of `message`."""
        ...

    async def forget(self, feed: Feed) -> None: ...
