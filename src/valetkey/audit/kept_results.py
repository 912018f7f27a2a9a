"""Results too large to pass on, kept whole for the person whose call it was (CON-20): as sealed parts, by call."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from valetkey.audit import result_repository as repository
from valetkey.audit.model import KeptOf
from valetkey.kernel.errors import TooMany
from valetkey.store.database import Database

PART: Final = 256 * 1024
"""Bytes of a part before it is sealed."""
MOST: Final = 256 * 1024 * 1024
"""Bytes that are kept for one person at a time, in whole parts. What is there stays for its stated time: it is the next

result that is not kept, and whoever asked for it is told so.
"""
_AT_ONCE: Final = 4


class Full(TooMany):
    """So much is kept for this person already."""


class KeptResults:
    """Keeps parts, gives them back one by one, and lets go of them. They are sealed by whoever brings them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, of: KeptOf, sealed: Iterable[bytes]) -> None:
        """`sealed` is drawn from a few parts at a time; until the last is written, nothing is there for anybody.

        Raises `Full`. Two at the same moment may both find the last room: the bound is against filling the disk.
        """
        async with self._database.read() as tx:
            kept = await repository.count_parts(tx, of.person_id)
        if (kept + of.parts) * PART > MOST:
            raise Full("So much is kept for this person already.")
        parts, first = iter(sealed), 0
        while some := list(islice(parts, _AT_ONCE)):
            async with self._database.write() as tx:
                await repository.add_parts(tx, of, first, some)
            first += len(some)

    async def find(self, call_id: str, person_id: str) -> KeptOf | None:
        """What is kept whole of a call of the person's."""
        async with self._database.read() as tx:
            return await repository.find(tx, call_id, person_id)

    async def after(self, person_id: str, call_id: str) -> KeptOf | None:
        """The oldest of the person's after this call; of all for an empty `call_id`."""
        async with self._database.read() as tx:
            return await repository.find_after(tx, person_id, call_id)

    async def part(self, of: KeptOf, number: int) -> bytes | None:
        """Sealed; `None` when it is gone by now."""
        async with self._database.read() as tx:
            return await repository.part(tx, of.call_id, number)

    async def days(self) -> list[tuple[str, str, str]]:
        """Person, organization and day of everything that is kept: by these its keys are found."""
        async with self._database.read() as tx:
            return await repository.days(tx)

    async def forget_day(self, person_id: str, day: str) -> None:
        async with self._database.write() as tx:
            await repository.delete_day(tx, person_id, day)

    async def forget(self, person_id: str) -> None:
        async with self._database.write() as tx:
            await repository.delete_of_person(tx, person_id)
