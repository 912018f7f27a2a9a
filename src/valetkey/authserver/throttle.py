"""A lid on how often one network may knock, kept in memory: a courtesy to the database, not a security limit."""

from __future__ import annotations

from valetkey.identity.network import network_of
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import TooMany

_WINDOW = 60.0
_MOST_NETWORKS = 10_000


class Throttle:
    """At most `per_minute` from one network."""

    def __init__(self, *, clock: Clock, per_minute: int) -> None:
        self._clock = clock
        self._per_minute = per_minute
        self._began = clock.monotonic()
        self._counts: dict[str, int] = {}

    def knock(self, address: str) -> None:
        """Raises `TooMany`."""
        now = self._clock.monotonic()
        if now - self._began >= _WINDOW or len(self._counts) >= _MOST_NETWORKS:
            self._began = now
            self._counts.clear()
        network = network_of(address)
        count = self._counts.get(network, 0) + 1
        self._counts[network] = count
        if count > self._per_minute:
            raise TooMany("Too many requests from this network.", retry_after=self._began + _WINDOW - now)
