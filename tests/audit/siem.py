"""Where an organization's security people look: takes what feeds send, and keeps the keys as the vault would."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from valetkey.audit.feed.model import Feed
from valetkey.kernel.secret import Secret
from valetkey.net.limits import TOKEN, Limits
from valetkey.net.model import Fetched, Unreachable, Url


@dataclass
class Siem:
    """`status` is what it answers; `is_down`, that nobody answers."""

    status: int = 200
    is_down: bool = False
    posted: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    streamed: list[tuple[str, bytes]] = field(default_factory=list)
    keys: dict[str, bytes] = field(default_factory=dict)

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
