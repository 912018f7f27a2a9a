"""A webhook: JSON Lines in a request that is signed as the Standard Webhooks have it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime

from valetkey.audit.feed.messages import CONTENT_TYPE, lines
from valetkey.audit.feed.model import Feed, Keys, NotTaken, Posts
from valetkey.audit.model import TrailEvent
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput
from valetkey.net.model import Url


class Webhook:
    """`https://…`."""

    def __init__(self, *, web: Posts, keys: Keys, parse_url: Callable[[str], Url], clock: Clock) -> None:
        self._web = web
        self._keys = keys
        self._parse_url = parse_url
        self._clock = clock

    def place(self, address: str) -> Url:
        url = self._parse_url(address)
        if url.scheme != "https":
            raise BadInput("A webhook is reached over https.", field="address")
        return url

    async def send(self, feed: Feed, url: Url, events: Sequence[TrailEvent]) -> str:
        body, now = lines(events), self._clock.now()
        message_id = f"{feed.id}-{events[0].seq}-{events[-1].seq}"  # the same for the same, should it come twice
        mark = await self._keys.mark(feed, _signed_part(message_id, now, body))
        answer = await self._web.post(
            url, body=body, content_type=CONTENT_TYPE, headers=_headers(message_id, now, mark)
        )
        if not 200 <= answer.status < 300:
            raise NotTaken(f"{url.host} answered with status {answer.status}.")
        return ""


def _signed_part(message_id: str, at: datetime, body: bytes) -> bytes:
    """What a webhook's mark is over: id, time and body, so that none of them can be another's."""
    return f"{message_id}.{int(at.timestamp())}.".encode() + body


def _headers(message_id: str, at: datetime, mark: bytes) -> dict[str, str]:
    """As the Standard Webhooks have them: whoever knows that form can verify it with what they have."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": f"v1,{base64.b64encode(mark).decode()}",
    }
