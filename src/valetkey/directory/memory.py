"""What was looked up lately: a bounded, expiring memory of one object, derived from the database and safe to lose.

Dropped by notification or by age, whichever is first. Used by `directory` and by `policy` above it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from valetkey.kernel.clock import Clock
from valetkey.store.notify import EVERYTHING, Notifications

V = TypeVar("V")

_SIZE = 4096
_SECONDS = 30.0


class Memory(Generic[V]):
    """Values by key. Subscribes to `topic`; a notification's key is the key to forget, or `EVERYTHING`."""

    def __init__(
        self,
        notifications: Notifications,
        topic: str,
        *,
        clock: Clock,
        size: int = _SIZE,
        seconds: float = _SECONDS,
    ) -> None:
        self._clock = clock
        self._size = size
        self._seconds = seconds
        self._held: OrderedDict[str, tuple[float, V]] = OrderedDict()
        self._drops = 0
        notifications.subscribe(topic, self.drop)

    def now(self, key: str) -> V | None:
        """The value if it is held and young enough; `None` says nothing but "look it up"."""
        entry = self._held.get(key)
        if entry is None or entry[0] <= self._clock.monotonic():
            return None
        return entry[1]

    async def get(self, key: str, look_up: Callable[[str], Awaitable[V | None]]) -> V | None:
        """The value, looked up when it is not held. That there is none is not remembered."""
        held = self.now(key)
        if held is not None:
            return held
        drops = self._drops
        value = await look_up(key)
        if (
            value is not None and drops == self._drops
        ):  # else it may have been read just before the change that was announced
            self._keep(key, value)
        return value

    def drop(self, key: str) -> None:
        self._drops += 1
        if key == EVERYTHING:
            self._held.clear()
        else:
            self._held.pop(key, None)

    def _keep(self, key: str, value: V) -> None:
        self._held[key] = (self._clock.monotonic() + self._seconds, value)
        self._held.move_to_end(key)
        while len(self._held) > self._size:
            self._held.popitem(last=False)
