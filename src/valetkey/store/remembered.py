"""What the database said lately: a bounded, expiring memory of one object, derived and safe to lose (design.md 5).

Each value has an owner: a person, a connection, or itself. It goes when a notification names the owner, when it is a
few seconds old, or when there are too many, whichever is first.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from valetkey.kernel.clock import Clock
from valetkey.store.notify import EVERYTHING, Notifications

Key = TypeVar("Key", str, bytes)
Value = TypeVar("Value")

_MOST = 4096
_SECONDS = 30.0


class Remembered(Generic[Key, Value]):
    """Values by key. Subscribes to `topics`; a notification names the owner whose values are dropped."""

    def __init__(
        self, notifications: Notifications, *topics: str, clock: Clock, most: int = _MOST, seconds: float = _SECONDS
    ) -> None:
        self._clock = clock
        self._most = most
        self._seconds = seconds
        self._entries: OrderedDict[Key, tuple[float, str, Value]] = OrderedDict()
        self._of_owner: dict[str, set[Key]] = defaultdict(set)
        self.drops = 0
        """Grows with every drop. Who reads the database notes it before, and `put` refuses what may be stale."""
        for topic in topics:
            notifications.subscribe(topic, self.drop)

    def now(self, key: Key) -> Value | None:
        """The value if it is here and young enough; `None` says nothing but "look it up"."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock.monotonic():
            self._remove(key)
            return None
        return entry[2]

    async def get(self, key: Key, look_up: Callable[[Key], Awaitable[Value | None]]) -> Value | None:
        """The value that is its own owner, looked up when it is not here. That there is none is not remembered."""
        held = self.now(key)
        if held is not None:
            return held
        drops = self.drops
        value = await look_up(key)
        if value is not None:
            self.put(key, value, owner=key if isinstance(key, str) else key.hex(), drops_before=drops)
        return value

    def put(self, key: Key, value: Value, *, owner: str, drops_before: int) -> None:
        """Remembers, unless something was dropped since `drops_before`: then the value may be from before."""
        if drops_before != self.drops:
            return
        self._remove(key)
        while len(self._entries) >= self._most:
            self._remove(next(iter(self._entries)))  # the oldest
        self._entries[key] = (self._clock.monotonic() + self._seconds, owner, value)
        self._of_owner[owner].add(key)

    def drop(self, owner: str) -> None:
        """Forgets what belongs to the owner, or all of it (`EVERYTHING`)."""
        self.drops += 1
        if owner == EVERYTHING:
            self._entries.clear()
            self._of_owner.clear()
            return
        for key in self._of_owner.pop(owner, ()):
            self._entries.pop(key, None)

    def _remove(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        of_owner = self._of_owner[entry[1]]
        of_owner.discard(key)
        if not of_owner:
            del self._of_owner[entry[1]]

    def __len__(self) -> int:
        return len(self._entries)
