"""Where an organization's security people look: takes what feeds send, and keeps the keys as the vault would."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from valetkey.audit.feed.model import Feed
from valetkey.kernel.secret import Credential, Secret
from valetkey.net.limits import TOKEN, Limits
from valetkey.net.model import Answer, Fetched, Unreachable, Url


@dataclass(frozen=True)
class HeaderLine:
    """A ticket, as a collector double reads it: which line would be written, and for where."""

    origin: str
    line: bytes
    longest: int = 0

    @property
    def size(self) -> int:
        return len(self.line) + 2

    def write_into(self, buffer: memoryview) -> None:
        buffer[:] = self.line + b"\r\n"

    def masked(self, data: bytes) -> bytes:
        return data


@dataclass
class Collector:
    """An OpenTelemetry collector: what it was asked, and what it answers."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[bytes, bytes] = field(default_factory=dict)
    is_down: bool = False
    asked: list[tuple[str, dict[bytes, bytes], dict[str, Any], bytes]] = field(default_factory=list)

    async def post(
        self,
        url: Url,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        *,
        credential: Credential | None,
        pool: str,
        limits: Limits = TOKEN,
    ) -> Answer:
        if self.is_down:
            raise Unreachable(f"{url.host} does not answer.")
        line = bytearray(credential.size if credential is not None else 0)
        if credential is not None:
            assert credential.origin == url.origin
            credential.write_into(memoryview(line))
        self.asked.append((url.text, dict(headers), json.loads(body), bytes(line)))
        return Answer(self.status, self.headers, b"application/json", self.body, None)

    @property
    def records(self) -> list[dict[str, Any]]:
        """What it was sent, in order."""
        return [
            record
            for _, _, sent, _ in self.asked
            for resource in sent["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]

    @property
    def names(self) -> list[str]:
        """Of its records, what we call their events."""
        return [facts(record)["valetkey.event"] for record in self.records]


def facts(record: dict[str, Any]) -> dict[str, Any]:
    """A record's attributes, by name."""
    return {one["key"]: next(iter(one["value"].values())) for one in record["attributes"]}


@dataclass
class Siem:
    """`status` is what it answers; `is_down`, that nobody answers."""

    status: int = 200
    is_down: bool = False
    posted: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    streamed: list[tuple[str, bytes]] = field(default_factory=list)
    keys: dict[str, bytes] = field(default_factory=dict)
    collector: Collector = field(default_factory=lambda: Collector())

    async def post(
        self, url: Url, *, body: bytes, content_type: str, headers: Mapping[str, str] = {}, limits: Limits = TOKEN
    ) -> Fetched:
        if self.is_down:
            raise Unreachable(f"{url.host} does not answer.")
        self.posted.append((url.text, body, {**headers, "content-type": content_type}))
        return Fetched(self.status, {}, b"", url)

    async def send(self, url: Url, data: bytes, *, limits: Limits = TOKEN) -> None:
        if self.is_down:
            raise Unreachable(f"{url.host} does not answer.")
        self.streamed.append((url.text, data))

    async def keep_header(self, feed: Feed, url: Url, value: Secret) -> None:
        self.keys[feed.id] = b"%b: %b" % (feed.header.encode(), value.reveal())

    async def ticket(self, feed: Feed, url: Url) -> Credential:
        return HeaderLine(url.origin, self.keys[feed.id])

    async def make_key(self, feed: Feed) -> Secret:
        self.keys[feed.id] = f"key of {feed.id}".encode()
        return Secret(f"whsec_{base64.b64encode(self.keys[feed.id]).decode()}")

    async def mark(self, feed: Feed, message: bytes) -> bytes:
        return hmac.digest(self.keys[feed.id], message, "sha256")

    async def forget(self, feed: Feed) -> None:
        self.keys.pop(feed.id, None)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What webhooks were sent, in order."""
        return [json.loads(line) for _, body, _ in self.posted for line in body.splitlines()]
