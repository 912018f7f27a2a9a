"""A person leaves their organization and keeps their account: what they had as its member is ended, they are not.

    1. what acts for them is out at once: assistants' tokens, personal tokens
    2. every connection is ended as they would end it, revoked at its service, destroyed, with a receipt; its entry goes
    3. what their calls there sent and got cannot be opened any more: the keys of those days are destroyed
    4. role and membership are gone; from now on they are the owner of an organization of their own
    5. what they connected meanwhile is ended, too

Each step can be done again, so what was cut off is finished by asking once more: until 4 they are a member.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from valetkey.audit.trail import Trail
from valetkey.connections.model import Connection, Receipt
from valetkey.identity.model import Person
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.kernel.errors import Conflict
from valetkey.privacy.holds import Holds
from valetkey.privacy.offboard import Left
from valetkey.vault.day_keys import FindsDayKeys


class Connections(Protocol):
    """What leaving needs of `connections.accounts`."""

    async def list(self, person_id: str) -> Sequence[Connection]: ...

    async def remove(self, person_id: str, connection_id: str, *, by: str) -> Receipt: ...


@dataclass(frozen=True, slots=True)
class Moved:
    """What was ended, and where the person is at home now."""

    left: Left
    person: Person


class Leaving:
    """Lets people out of organizations."""

    def __init__(
        self,
        people: People,
        organizations: Organizations,
        connections: Connections,
        day_keys: FindsDayKeys,
        holds: Holds,
        trail: Trail,
    ) -> None:
        self._people = people
        self._organizations = organizations
        self._connections = connections
        self._day_keys = day_keys
        self._holds = holds
        self._trail = trail

    async def leave(self, person_id: str, *, by: str) -> Moved:
        """Ends the membership. `by` is the actor. Raises `NotFound`; `Conflict` for the last owner and under a hold."""
        person = await self._people.get(person_id)
        before = await self._organizations.get(person.organization_id)
        if before.kind == "personal":
            raise Conflict(
                "This organization is the person's own; there is nothing to leave.", hint="An account can be removed."
            )
        await self._holds.demand_none(person, "Leaving")  # the account would take its days' keys along
        await self._people.begin_leaving(person_id, by=by)  # 1.
        ended = await end_all(self._connections, person, by)  # 2.
        days = await self._day_keys.destroy(person_id)  # 3.
        own = await self._organizations.create(person.display_name, "personal")
        await self._people.move(person_id, own.id)  # 4.
        ended += await end_all(self._connections, person, by)  # 5.
        left = Left(len(ended), sum(one.revocation not in ("confirmed", "not_needed") for one in ended), days)
        await self._trail.write(
            "organization.left",
            actor=by,
            organization_id=person.organization_id,
            person_id=person_id,
            object=person.organization_id,
            detail={"role": str(person.role), "connections": left.connections, "unconfirmed": left.unconfirmed}
            | {"days": days},
        )
        return Moved(left, await self._people.get(person_id))


async def end_all(connections: Connections, person: Person, by: str) -> list[Receipt]:
    """Everything connected in the organization that `person` says. Of what was ended before, the entry alone goes."""
    ended = []
    for one in await connections.list(person.id):
        if one.organization_id == person.organization_id:
            was_there = one.state != "not_connected"
            receipt = await connections.remove(person.id, one.id, by=by)
            if was_there:
                ended.append(receipt)
    return ended
