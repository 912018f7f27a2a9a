"""States that clients brought back: each is good once, on all replicas."""

from __future__ import annotations

from valetkey.gateway import repository
from valetkey.kernel.clock import Clock
from valetkey.store.database import Database


class Spent:
    """Remembers what was used, until it would be too late anyway."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def spend(self, state_id: bytes, *, until: int) -> bool:
        """Whether this is the first use; `until` is a POSIX time."""
        async with self._database.write() as tx:
            return await repository.spend(
                tx, state_id, until=until, now=int(self._clock.now().timestamp()), dialect=self._database.dialect
            )
