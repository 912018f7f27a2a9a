"""Erasing what the log tells of one person, piece by piece: of each record its hash stays, and the log verifies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from valetkey.audit import erasure_repository, verify_repository
from valetkey.audit.leaves import CALL, DELETION, EVENT, erased_by
from valetkey.audit.verify_repository import LeafRow
from valetkey.store.database import Database

_LOOKED_AT: Final = 2000
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Piece:
    """Of how many calls and events the records went; `next_from` is where to go on, -1 at the end."""

    calls: int
    events: int
    next_from: int


class Erasure:
    """Erases from the log. Each piece is whole when it returns, and can be done again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def end(self) -> int:
        """How long the log is now: what is written later is not erased by who began before."""
        async with self._database.read() as tx:
            return await verify_repository.find_end(tx)

    async def piece(self, person_id: str, *, start: int, end: int) -> Piece:
        """Of the records from `start` on, before `end`, those of this person; but for the newest event of all."""
        async with self._database.read() as tx:
            looked_at = await verify_repository.find_leaves(tx, start, min(_LOOKED_AT, max(0, end - start)))
            # Its number would be given again (SQLite counts from the highest that is there), and a number has one leaf.
            last = await erasure_repository.find_last_event(tx)
        mine = [leaf for leaf in looked_at if _is_of(leaf, person_id) and (leaf.kind, leaf.reference) != (EVENT, last)]
        for at in range(0, len(mine), _AT_ONCE):
            await self._erase(mine[at : at + _AT_ONCE], person_id)
        calls = sum(leaf.kind == CALL for leaf in mine)
        following = looked_at[-1].seq + 1 if looked_at else end
        return Piece(calls, len(mine) - calls, following if following < end else -1)

    async def _erase(self, leaves: Sequence[LeafRow], person_id: str) -> None:
        async with self._database.write() as tx:
            await erasure_repository.erase_records(tx, leaves, person_id)


def _is_of(leaf: LeafRow, person_id: str) -> bool:
    """A deletion stays: it explains what is missing, and names nobody but by an id."""
    if leaf.kind == DELETION or erased_by(leaf.record) or person_id.encode() not in leaf.record:
        return False
    try:
        return bool(json.loads(leaf.record).get("person_id") == person_id)
    except (ValueError, AttributeError):
        return False
