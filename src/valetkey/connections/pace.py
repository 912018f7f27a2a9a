"""How often tokens are renewed: what this process remembers of each connection's refreshes, safe to lose."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

from valetkey.kernel.clock import Clock

RECENT = timedelta(seconds=10)
"""A token this young is not renewed again, whatever its expiry says: some servers give out tokens already expired."""

_MARGIN = timedelta(minutes=5)
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 300.0
_REMEMBERED = 10_000


@dataclass(slots=True)
class _Memory:
    lifetime: float = 0.0
    renewed_at: float = float("-inf")
    wait: float = 0.0
    not_before: float = float("-inf")


class Pace:
    """Remembers lifetimes and failures."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._memory: OrderedDict[str, _Memory] = OrderedDict()

    def learn(self, connection_id: str, usable_for: float) -> None:
        """A token that lives `usable_for` seconds has just come."""
        self._memory[connection_id] = _Memory(usable_for, self._clock.monotonic())
        self._memory.move_to_end(connection_id)
        while len(self._memory) > _REMEMBERED:
            self._memory.popitem(last=False)

    def fail(self, connection_id: str) -> None:
        """It could not be renewed; each time we wait twice as long before the next try."""
        memory = self._memory.setdefault(connection_id, _Memory(lifetime=_MARGIN.total_seconds() * 2))
        memory.wait = min(_LONGEST_WAIT, memory.wait * 2 or _FIRST_WAIT)
        memory.not_before = self._clock.monotonic() + memory.wait

    def must_wait(self, connection_id: str) -> bool:
        """Whether it is too soon after a failure to try again."""
        memory = self._memory.get(connection_id)
        return memory is not None and self._clock.monotonic() < memory.not_before

    def margin(self, connection_id: str) -> timedelta:
        """How long before its expiry a token is renewed: five minutes, half its life if that is shorter (CON-21)."""
        memory = self._memory.get(connection_id)
        return _MARGIN if memory is None else min(_MARGIN, timedelta(seconds=memory.lifetime / 2))

    def is_recent(self, connection_id: str) -> bool:
        """Whether the token has just been renewed here."""
        memory = self._memory.get(connection_id)
        return memory is not None and self._clock.monotonic() - memory.renewed_at < RECENT.total_seconds()
