"""Tickets that the vault hands to the dialer itself, and the requests that wait for them: whichever comes first.

The worker asks for a ticket and sends the request that needs it in one go, with a name of its own making in the
ticket's place. So the ticket takes the shorter way, and nobody waits for two answers one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

_MOST: Final = 4096
_SECONDS: Final = 2.0
"""How long a request waits for the vault before the worker is told to bring a ticket by itself."""

Take = Callable[[bytes], None]
"""Is given the ticket, or nothing when there is none under its name."""


class Handed:
    """Each is given once. What nobody asks for is dropped with time, and would open nothing after a minute anyway."""

    def __init__(self) -> None:
        self._there: dict[bytes, bytes] = {}
        self._waiting: dict[bytes, tuple[Take, asyncio.TimerHandle]] = {}

    def hand(self, name: bytes, ticket: bytes) -> None:
        """From the vault; no ticket when it gives none."""
        waits = self._waiting.pop(name, None)
        if waits is not None:
            take, timer = waits
            timer.cancel()
            take(ticket)
            return
        self._there[name] = ticket
        if len(self._there) > _MOST:
            del self._there[next(iter(self._there))]  # the oldest

    def ask(self, name: bytes, take: Take) -> bytes | None:
        """The ticket for a request; `None` if it is yet to come, and `take` will be told. A name that somebody waits
        for already has none.
        """
        if name in self._there:
            return self._there.pop(name)
        if name in self._waiting:
            return b""
        timer = asyncio.get_running_loop().call_later(_SECONDS, self.hand, name, b"")
        self._waiting[name] = take, timer
        return None

    def forget(self, name: bytes, take: Take) -> None:
        """Whoever waited is gone."""
        waits = self._waiting.get(name)
        if waits is not None and waits[0] == take:
            waits[1].cancel()
            del self._waiting[name]
