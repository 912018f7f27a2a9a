"""Letting go of records of calls that are too old, piece by piece: of each its hash stays in the log, which verifies.

Who decides which they are is above: of a call only whose it is and when it was are looked at here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from valetkey.audit import erasure_repository as repository
from valetkey.audit.erasure_repository import OldCall
from valetkey.store.database import Database

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LOOKED_AT: Final = 2000
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Aged:
    """Of how many calls of each organization the records went, and where to go on; empty at the end."""

    calls: Mapping[str, int]
    looked_at: int
    next_after: str


class Ageing:
    """Lets go of old records. Each piece is whole when it returns, and can be done again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, before: datetime) -> int:
        """How many there are to look at."""
        async with self._database.read() as tx:
            return await repository.count_calls_before(tx, before)

    async def piece(self, is_due: Callable[[OldCall], bool], *, before: datetime, after: str = "") -> Aged:
        """Of the calls begun before `before`, those from `after` on that are due; none of a later one can be."""
        async with self._database.read() as tx:
            looked_at = await repository.find_calls_before(tx, before, after=after, limit=_LOOKED_AT)
        due = [call for call in looked_at if is_due(call)]
        for at in range(0, len(due), _AT_ONCE):
            some = due[at : at + _AT_ONCE]
            async with self._database.write() as tx:
                await repository.erase_old_calls(
                    tx, [call.id for call in some], before=(before - _EPOCH) // _MICROSECOND
                )
        is_last = len(looked_at) < _LOOKED_AT
        return Aged(Counter(call.organization_id for call in due), len(looked_at), "" if is_last else looked_at[-1].id)
