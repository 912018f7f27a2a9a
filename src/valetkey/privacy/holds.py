"""Holds: what an organization keeps because it has to, beyond what was said and against anybody's wish.

While one is in force, retention passes by what it covers, erasing and leaving are refused with its reason, and of who
is taken out of the organization the contents stay; they go when the last hold on them is released. It is no secret: the
people it covers see that it is there, since when, and why. Whom it is about, an owner says; nobody reads more by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from valetkey.identity.model import Person
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound, TooMany
from valetkey.kernel.ids import new_id
from valetkey.privacy import retention_repository as repository
from valetkey.privacy.levels import TrailWriter
from valetkey.privacy.model import Hold
from valetkey.store.database import Database

LONGEST_REASON: Final = 300
_MOST: Final = 500


class DestroysKeys(Protocol):
    """What holds need of `vault.day_keys`: what was owed is destroyed when nothing holds it any more."""

    async def destroy(self, person_id: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Covered:
    """Whose calls are held: of whole organizations, and of people."""

    organizations: frozenset[str]
    people: frozenset[tuple[str, str]]
    """Organization and person."""

    def covers(self, organization_id: str, person_id: str) -> bool:
        return organization_id in self.organizations or (organization_id, person_id) in self.people


class Holds:
    """Places, shows and releases holds."""

    def __init__(self, database: Database, day_keys: DestroysKeys, *, clock: Clock, trail: TrailWriter) -> None:
        self._database = database
        self._day_keys = day_keys
        self._clock = clock
        self._trail = trail

    async def place(self, organization_id: str, person: Person | None, reason: str, *, actor: str) -> Hold:
        """On one member, or with `None` on everybody there is and will be. Who may, the caller has made sure of."""
        reason = reason.strip()
        if not 0 < len(reason) <= LONGEST_REASON or not reason.isprintable():
            raise BadInput(f"Say why, in at most {LONGEST_REASON} characters: who is covered reads it.", field="reason")
        person_id = person.id if person is not None else ""
        if person is not None and person.organization_id != organization_id:
            raise NotFound("There is no such person.")
        hold = Hold(new_id("hold"), organization_id, person_id, reason, self._clock.now(), actor)
        await self._trail.write(
            "hold.placed", actor=actor, organization_id=organization_id, person_id=person_id, object=hold.id,
            detail={"reason": reason},
        )  # fmt: skip
        async with self._database.write() as tx:
            if len(await repository.list_holds(tx, organization_id)) >= _MOST:
                raise TooMany(f"There are at most {_MOST} of them.", hint="One on everybody covers each.")
            await repository.add_hold(tx, hold)
        return hold

    async def release(self, organization_id: str, hold_id: str, *, actor: str) -> Hold:
        """Ends one; what is owed to who left meanwhile is done. Raises `NotFound`."""
        async with self._database.write() as tx:
            hold = await repository.take_hold(tx, organization_id, hold_id)
        if hold is None:
            raise NotFound("There is no such hold.")
        settled = await self.settle()
        await self._trail.write(
            "hold.released", actor=actor, organization_id=organization_id, person_id=hold.person_id, object=hold.id,
            detail={"reason": hold.reason, "settled": settled},
        )  # fmt: skip
        return hold

    async def settle(self) -> int:
        """Destroys what is owed to people who left and whom nothing holds any more: of how many. Can be done again."""
        covered = await self.covered()
        async with self._database.read() as tx:
            owed = await repository.list_owed(tx)
        free = [one for one in owed if not covered.covers(*one)]
        for organization_id, person_id in free:
            await self._day_keys.destroy(person_id)
            async with self._database.write() as tx:
                await repository.delete_owed(tx, organization_id, person_id)
        return len(free)

    async def list(self, organization_id: str) -> Sequence[Hold]:
        """Those in force, the oldest first."""
        async with self._database.read() as tx:
            return await repository.list_holds(tx, organization_id)

    async def on(self, person: Person) -> Sequence[Hold]:
        """Those that cover this person where they are now."""
        return [one for one in await self.list(person.organization_id) if one.person_id in ("", person.id)]

    async def demand_none(self, person: Person, what: str) -> None:
        """Raises `Conflict`, with the reason, while something holds what is kept of this person."""
        if found := await self.on(person):
            raise Conflict(
                f"{what} waits: your organization has to keep what is there ({found[0].reason}).",
                hint="It is possible as soon as an owner releases the hold.",
            )

    async def keeps_of_leaver(self, person: Person) -> bool:
        """Whether contents of a person who leaves are held. If so, that they are to go is written down."""
        if not await self.on(person):
            return False
        async with self._database.write() as tx:
            await repository.add_owed(tx, person.organization_id, person.id, now=self._clock.now())
        return True

    async def covered(self) -> Covered:
        """Whose calls are held now, in all organizations."""
        async with self._database.read() as tx:
            found = await repository.list_holds(tx)
        return Covered(
            frozenset(one.organization_id for one in found if not one.person_id),
            frozenset((one.organization_id, one.person_id) for one in found if one.person_id),
        )
