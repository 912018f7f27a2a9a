"""Organizations: who people belong to."""

from __future__ import annotations

from typing import Literal

from valetkey.identity import repository
from valetkey.identity.model import Organization, Person, TrailWriter
from valetkey.identity.roles import Act, may
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, NotFound
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database

_LONGEST_NAME = 100


async def tell_made(trail: TrailWriter, made: Organization, *, by: str) -> None:
    """That there is one more, in the trail: whoever may make one writes it down (ORG-12)."""
    await trail.write(
        "organization.created", actor=by, organization_id=made.id, object=made.id, detail={"kind": made.kind}
    )


class Organizations:
    """Creates and finds organizations."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, name: str, kind: Literal["personal", "organization"]) -> Organization:
        """A new, empty organization. Raises `BadInput` for a name that cannot be shown."""
        name = name.strip()
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise BadInput(f"The name of an organization has 1 to {_LONGEST_NAME} printable characters.", field="name")
        new = Organization(id=new_id("org"), name=name, kind=kind, created_at=self._clock.now())
        async with self._database.write() as tx:
            await repository.add_organization(tx, new)
        return new

    async def get(self, organization_id: str) -> Organization:
        """Raises `NotFound`."""
        async with self._database.read() as tx:
            found = await repository.find_organization(tx, organization_id)
        if found is None:
            raise NotFound("There is no such organization.")
        return found

    async def may_add_connectors(self, person: Person) -> bool:
        """CUS-06: in an organization whoever manages connectors; in a personal one its person."""
        return may(person.role, Act.MANAGE_CONNECTORS) or (await self.get(person.organization_id)).kind == "personal"

    async def list(self) -> list[Organization]:
        """All of them, oldest first."""
        async with self._database.read() as tx:
            return await repository.list_organizations(tx)
