"""Results kept whole, opened for the person whose call it was and for nobody else; and let go of with their keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from valetkey.audit.kept_results import KeptResults
from valetkey.audit.model import KeptOf
from valetkey.kernel.errors import NotFound, RootKeyUnavailable, VaultFailed
from valetkey.store.database import Database
from valetkey.vault.day_keys import DayKey
from valetkey.vault.model import NothingSealed


class OpensDays(Protocol):
    """What this needs of `vault.day_keys`."""

    async def existing(self, person_id: str, tenant: str, day: str) -> DayKey: ...


class Whole:
    """Opens what was kept, part by part."""

    def __init__(self, database: Database, day_keys: OpensDays) -> None:
        self._kept = KeptResults(database)
        self._day_keys = day_keys

    async def has(self, person_id: str, call_id: str) -> bool:
        """Whether there is one. That its day's key is there still, opening finds out."""
        return await self._kept.find(call_id, person_id) is not None

    async def open(self, person_id: str, call_id: str) -> AsyncIterator[bytes]:
        """The result as its service said it, without what looks like a secret, part by part.

        Raises `NotFound`, in the same words for another person's, for one that was not kept, and for one let go of.
        """
        of = await self._kept.find(call_id, person_id)
        try:
            if of is None:
                raise NothingSealed("Nothing was kept.")
            key = await self._day_keys.existing(of.person_id, of.organization_id, of.day)
        except NothingSealed as error:
            raise NotFound("There is no such result.", hint="It was not kept, or it was let go of.") from error
        return self._parts(of, key)

    async def after(self, person_id: str, call_id: str) -> tuple[str, bytes | None] | None:
        """The person's next kept result after this call: the call it is of, and the result if its key is there."""
        of = await self._kept.after(person_id, call_id)
        if of is None:
            return None
        try:
            return of.call_id, b"".join([part async for part in await self.open(person_id, of.call_id)])
        except NotFound:
            return of.call_id, None

    async def _parts(self, of: KeptOf, key: DayKey) -> AsyncIterator[bytes]:
        for number in range(of.parts):
            sealed = await self._kept.part(of, number)
            if sealed is None:  # erased while it was read
                raise NotFound("There is no such result any more.")
            yield key.open(sealed, about=of.about(number))

    async def sweep(self) -> int:
        """Deletes what no key opens any more, whoever destroyed it; how many days of people that were."""
        gone = 0
        for person_id, organization_id, day in await self._kept.days():
            try:
                await self._day_keys.existing(person_id, organization_id, day)
            except NothingSealed:
                await self._kept.forget_day(person_id, day)
                gone += 1
            except (VaultFailed, RootKeyUnavailable):
                continue  # one that is damaged, or not to be had now, holds up nobody else's retention
        return gone
