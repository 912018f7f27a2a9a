"""A small memory of what the database said: bounded, dropped by notification, and by a short expiry.

Each entry belongs to a person, and goes when something about that person changes (design.md 5).
"""

from __future__ import annotations

from collections import defaultdict
from typing import Generic, TypeVar

from valetkey.kernel.clock import Clock
from valetkey.store.notify import EVERYTHING, Notifications

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """Values by the digest of the secret that finds them. `topics` are the notifications that drop them."""

    def __init__(
        self, *, clock: Clock, notifications: Notifications, topics: tuple[str, ...], most: int, seconds: float
    ) -> None:
        self._clock = clock
        self._most = most
        self._seconds = seconds
        self._entries: dict[bytes, tuple[float, str, Value]] = {}
        self._of_person: dict[str, set[bytes]] = defaultdict(set)
        self.drops = 0
        """Grows with every drop. Who reads the database notes it before, and `put` refuses what may be stale."""
        for topic in topics:
            notifications.subscribe(topic, self.drop)

    def get(self, digest: bytes) -> Value | None:
        """The value, if it was put here within the last seconds."""
        entry = self._entries.get(digest)
        if entry is None:
            return None
        if entry[0] <= self._clock.monotonic():
            self._remove(digest)
            return None
        return entry[2]

    def put(self, digest: bytes, person_id: str, value: Value, *, drops_before: int) -> None:
        """Remembers, unless something was dropped since `drops_before`: then the value may be from before."""
        if drops_before != self.drops:
            return
        if digest not in self._entries and len(self._entries) >= self._most:
            self._remove(next(iter(self._entries)))  # the oldest
        self._entries[digest] = (self._clock.monotonic() + self._seconds, person_id, value)
        self._of_person[person_id].add(digest)

    def drop(self, person_id: str) -> None:
        """Forgets what belongs to the person, or all of it (`EVERYTHING`)."""
        self.drops += 1
        if person_id == EVERYTHING:
            self._entries.clear()
            self._of_person.clear()
            return
        for digest in self._of_person.pop(person_id, ()):
            self._entries.pop(digest, None)

    def _remove(self, digest: bytes) -> None:
        entry = self._entries.pop(digest, None)
        if entry is None:
            return
        of_person = self._of_person[entry[1]]
        of_person.discard(digest)
        if not of_person:
            del self._of_person[entry[1]]

    def __len__(self) -> int:
        return len(self._entries)
