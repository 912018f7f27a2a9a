"""Whether a review is under way: what the vault asks before it lets a test account out, wherever the vault is."""

from __future__ import annotations

from valetkey.kernel.clock import Clock
from valetkey.store.database import Database
from valetkey.submissions import repository


class ReviewsUnderWay:
    """Reads it in the database each time: no worker's word counts."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def is_under_way(self, run_id: str, submission_id: str) -> bool:
        async with self._database.read() as tx:
            return await repository.is_under_way(tx, run_id, submission_id, now=self._clock.now())
