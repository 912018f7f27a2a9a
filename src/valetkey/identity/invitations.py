"""Inviting people who have an account of their own into an organization: they decide; nothing moves before."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from valetkey.identity import invitation_repository as repository
from valetkey.identity.model import Invitation, Person, Role, TrailWriter
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound, TooMany
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database

LIFETIME: Final = timedelta(days=14)
_MOST: Final = 100


class Invitations:
    """Makes, shows and ends them."""

    def __init__(
        self, database: Database, *, people: People, organizations: Organizations, clock: Clock, trail: TrailWriter
    ) -> None:
        self._database = database
        self._people = people
        self._organizations = organizations
        self._clock = clock
        self._trail = trail

    async def invite(self, organization_id: str, login: str, role: Role, *, by: str) -> Invitation:
        """In the place of one that is open. Raises `NotFound`, `Conflict` for who is in an organization, `BadInput`."""
        person = await self._people.find(login)
        if person is None or person.state != "active":
            raise NotFound("There is no such person.", hint="Add them as somebody new.")
        if (await self._organizations.get(organization_id)).kind == "personal":
            raise Conflict("A personal account has no members.", hint="Create an organization.")
        if not await self.is_invitable(person):
            raise Conflict(
                "This person is in an organization.", hint="They leave it first, and decide that themselves."
            )
        if role is Role.OWNER:
            raise BadInput("Nobody is invited as an owner.", field="role", hint="An owner makes another one, later.")
        now = self._clock.now()
        new = Invitation(new_id("inv"), organization_id, person.id, role, by, now, now + LIFETIME)
        if len(await self.of_organization(organization_id)) >= _MOST:
            raise TooMany(f"There are at most {_MOST} open invitations.", hint="Withdraw one.")
        async with self._database.write() as tx:
            await repository.remove_between(tx, organization_id, person.id)
            await repository.add(tx, new)
        await self._write("invitation.made", new, by)
        return new

    async def is_invitable(self, person: Person) -> bool:
        """Whether they are on their own: nobody is taken out of another organization."""
        return (await self._organizations.get(person.organization_id)).kind == "personal"

    async def of_organization(self, organization_id: str) -> list[Invitation]:
        """Those that are open, oldest first."""
        async with self._database.read() as tx:
            return await repository.list_of(tx, organization_id, self._clock.now())

    async def to(self, person_id: str) -> list[Invitation]:
        """Those that the person can take."""
        async with self._database.read() as tx:
            return await repository.list_to(tx, person_id, self._clock.now())

    async def get(self, person_id: str, invitation_id: str) -> Invitation:
        """One to this person. Raises `NotFound`, for another's too."""
        found = next((one for one in await self.to(person_id) if one.id == invitation_id), None)
        if found is None:
            raise NotFound("There is no such invitation.", hint="It was withdrawn, or is too old.")
        return found

    async def use_up(self, invitation: Invitation) -> None:
        """It is taken, once. Raises `NotFound`."""
        async with self._database.write() as tx:
            if not await repository.remove(tx, invitation.id):
                raise NotFound("There is no such invitation.", hint="It was withdrawn, or is too old.")

    async def decline(self, person_id: str, invitation_id: str, *, by: str) -> None:
        """The person does not want to. Raises `NotFound`."""
        found = await self.get(person_id, invitation_id)
        await self.use_up(found)
        await self._write("invitation.declined", found, by)

    async def withdraw(self, organization_id: str, invitation_id: str, *, by: str) -> None:
        """The organization does not want to any more. Raises `NotFound`."""
        found = next((one for one in await self.of_organization(organization_id) if one.id == invitation_id), None)
        if found is None:
            raise NotFound("There is no such invitation.")
        await self.use_up(found)
        await self._write("invitation.withdrawn", found, by)

    async def _write(self, event: str, one: Invitation, by: str) -> None:
        await self._trail.write(
            event, actor=by, organization_id=one.organization_id, person_id=one.person_id, object=one.id,
            detail={"role": str(one.role)},
        )  # fmt: skip
