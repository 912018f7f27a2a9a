"""What is sealed for feeds: the key of a webhook's marks, and the header that a collector knows us by.

`audit` asks for a mark or a ticket and can open neither.
"""

from __future__ import annotations

import base64
import secrets

from valetkey.audit.feed.model import Feed
from valetkey.kernel.errors import BadInput
from valetkey.kernel.secret import Credential, Secret
from valetkey.net.http1 import NOT_CALLERS
from valetkey.net.model import Url
from valetkey.vault.model import Binding, HeaderTemplate
from valetkey.vault.release import FEED
from valetkey.vault.verbs import Vault

_TTL = 30.0
_NOT_GIVEN = (NOT_CALLERS - {b"authorization"}) | {b"content-type", b"content-encoding", b"accept"}


class FeedKeys:
    """Implements `audit.feed.model.Keys`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def make_key(self, feed: Feed) -> Secret:
        raw = secrets.token_bytes(32)
        await self._vault.seal(Secret(raw), bound_to=_binding(feed, "mark_key", feed.address))
        return Secret(f"whsec_{base64.b64encode(raw).decode()}")  # as the Standard Webhooks write one

    async def mark(self, feed: Feed, message: bytes) -> bytes:
        return await self._vault.mark_message(message, bound_to=_binding(feed, "mark_key", feed.address))

    async def keep_header(self, feed: Feed, url: Url, value: Secret) -> None:
        if HeaderTemplate(feed.header.encode()).name in _NOT_GIVEN:
            raise BadInput(f"The header {feed.header} is not yours to say.", field="header")
        await self._vault.seal(value, bound_to=_header(feed, url))

    async def ticket(self, feed: Feed, url: Url) -> Credential:
        part = (HeaderTemplate(feed.header.encode()), _header(feed, url))
        return await self._vault.ticket([part], origin=url.origin, call_id=f"{FEED}{feed.id}", ttl=_TTL)

    async def forget(self, feed: Feed) -> None:
        await self._vault.shred(f"{FEED}{feed.id}")


def _header(feed: Feed, url: Url) -> Binding:
    return _binding(feed, f"header:{feed.header}", url.origin)


def _binding(feed: Feed, purpose: str, origin: str) -> Binding:
    return Binding(tenant=feed.organization_id, person="", subject=f"{FEED}{feed.id}", purpose=purpose, origin=origin)
