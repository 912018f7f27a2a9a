"""What providers publish: their metadata and their keys, fetched through `net` and remembered for ten minutes.

A token signed by a key that is not known here has the keys fetched again, at most twice a minute: so a provider may
change its keys at any time, and nobody can have us ask it without end.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from valetkey.identity.signin.openid.id_token import Keys, read_keys
from valetkey.identity.signin.openid.model import Fetches
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput
from valetkey.net.limits import METADATA
from valetkey.net.model import BadAnswer, Url
from valetkey.oauth.model import ParseUrl
from valetkey.oauth.openid import OpenIdProvider, configuration_location, read_configuration

_REMEMBERED = timedelta(minutes=10)
_AGAIN = timedelta(seconds=30)
_MOST = 100

T = TypeVar("T")


class _Memory(Generic[T]):
    """The newest of each, and when it was fetched; the longest unused goes first."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, tuple[datetime, T]] = OrderedDict()

    def get(self, name: str, *, fetched_after: datetime) -> T | None:
        at, value = self._held.get(name, (None, None))
        if at is None or at <= fetched_after:
            return None
        self._held.move_to_end(name)
        return value

    def put(self, name: str, now: datetime, value: T) -> T:
        self._held[name] = (now, value)
        if len(self._held) > _MOST:
            self._held.popitem(last=False)
        return value


class Published:
    """Fetches and remembers, per issuer."""

    def __init__(self, web: Fetches, *, parse: ParseUrl, clock: Clock) -> None:
        self._web = web
        self._parse = parse
        self._clock = clock
        self._configurations: _Memory[OpenIdProvider] = _Memory()
        self._keys: _Memory[Keys] = _Memory()

    async def configuration(self, issuer: str, *, anew: bool = False) -> OpenIdProvider:
        """Raises `BadInput` for an issuer that cannot be one, `BadMetadata`, and what `net` raises."""
        now = self._clock.now()
        held = self._configurations.get(issuer, fetched_after=now if anew else now - _REMEMBERED)
        if held is not None:
            return held
        url = self._parse(issuer)
        if url.query:
            raise BadInput("An issuer has no query.", field="issuer")
        body = await self._fetch(self._parse(configuration_location(url)))
        # http only where the issuer itself is: that is, within a network that the operator opened.
        found = read_configuration(body, issuer=issuer, parse=self._parse, allow_http=url.scheme == "http")
        return self._configurations.put(issuer, now, found)

    async def keys(self, provider: OpenIdProvider, *, anew: bool = False) -> Keys:
        """The provider's public keys; with `anew`, no older than half a minute."""
        now = self._clock.now()
        held = self._keys.get(provider.keys.text, fetched_after=now - (_AGAIN if anew else _REMEMBERED))
        if held is not None:
            return held
        return self._keys.put(provider.keys.text, now, read_keys(await self._fetch(provider.keys)))

    async def _fetch(self, url: Url) -> bytes:
        fetched = await self._web.get(url, headers={"accept": "application/json"}, limits=METADATA)
        if fetched.status != 200:
            raise BadAnswer(f"{url.host} answered with status {fetched.status}.")
        return fetched.body
