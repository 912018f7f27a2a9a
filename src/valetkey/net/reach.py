"""Whether documents on the public internet can be fetched from here, as far as past fetches tell.

Nothing is asked for the sake of knowing: a hub calls nobody on its own account (S-22).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from valetkey.kernel.clock import Clock
from valetkey.net.limits import METADATA, Limits
from valetkey.net.model import AddressRefused, Fetched, TimedOut, Unreachable, Url

_BELIEVED: Final = 600.0
_HOSTS: Final = 3


class Fetches(Protocol):
    """`client.WebClient`, as far as it is watched."""

    async def get(self, url: Url, *, headers: Mapping[str, str] = {}, limits: Limits = METADATA) -> Fetched: ...


class WatchedFetches:
    """Fetches, and remembers how it went. `works` is false for ten minutes after it looked as if nothing could be had:
    one failure will do on a hub that never fetched anything, else three hosts in a row, so that a stranger who names
    one dead host does not decide it.
    """

    def __init__(self, web: Fetches, *, clock: Clock) -> None:
        self._web = web
        self._clock = clock
        self._ever = False
        self._dead: set[str] = set()
        self._last = 0.0

    def works(self) -> bool:
        """Whether a fetch may be promised."""
        if not self._dead or self._clock.time() - self._last > _BELIEVED:
            return True
        return self._ever and len(self._dead) < _HOSTS

    async def get(self, url: Url, *, limits: Limits = METADATA) -> Fetched:
        """As `WebClient.get`."""
        try:
            fetched = await self._web.get(url, limits=limits)
        except AddressRefused:
            raise  # our own no says nothing of the world
        except (Unreachable, TimedOut):
            self._dead.add(url.host)
            self._last = self._clock.time()
            raise
        self._ever = True
        self._dead.clear()
        return fetched
