"""Users: what a directory's request comes to."""

from __future__ import annotations

from valetkey.api.scim.resources import User, kept_of, shown_name, user_of
from valetkey.api.services import Services
from valetkey.identity.provisioning.model import Provisioned, ProvisioningToken
from valetkey.kernel.errors import BadInput


def actor_of(token: ProvisioningToken) -> str:
    """Who did it, as the trail writes it: no person."""
    return f"scim:{token.id}"


class PeopleDesk:
    """The members of a token's organization."""

    model = User

    def __init__(self, services: Services) -> None:
        self._services = services

    async def list(self, token: ProvisioningToken, base: str) -> list[User]:
        directory = self._services.provisioning.directory
        groups = await directory.groups(token.organization_id)
        return [user_of(one, groups, base) for one in await directory.people(token.organization_id)]

    async def get(self, token: ProvisioningToken, person_id: str, base: str) -> User:
        directory = self._services.provisioning.directory
        found = await directory.person(token.organization_id, person_id)
        return user_of(found, await directory.groups(token.organization_id), base)

    async def create(self, token: ProvisioningToken, given: User, base: str) -> User:
        given.active = given.active is not False
        made = await self._services.provisioning.directory.add(
            token.organization_id,
            login=given.user_name or "",
            display_name=shown_name(given),
            said=kept_of(given),
            by=actor_of(token),
        )
        await self._set_active(made, given.active, token)
        return await self.get(token, made.person.id, base)

    async def change(self, token: ProvisioningToken, person_id: str, given: User, base: str) -> User:
        directory = self._services.provisioning.directory
        before = await directory.person(token.organization_id, person_id)
        if not given.user_name:
            raise BadInput("A user has a userName.", field="userName")
        after = await directory.change(
            before, login=given.user_name, display_name=shown_name(given), said=kept_of(given), by=actor_of(token)
        )
        await self._set_active(after, given.active, token)
        return await self.get(token, person_id, base)

    async def remove(self, token: ProvisioningToken, person_id: str) -> None:
        """They leave, as if an admin had removed them: what they had is ended, their name forgotten."""
        found = await self._services.provisioning.directory.person(token.organization_id, person_id)
        await self._services.offboarding.remove(found.person.id, by=actor_of(token))

    async def _set_active(self, one: Provisioned, active: bool | None, token: ProvisioningToken) -> None:
        is_active = one.person.state == "active"
        if active is False and is_active:
            await self._services.offboarding.suspend(one.person.id, by=actor_of(token))
        elif active and not is_active:
            await self._services.people.enable(one.person.id, by=actor_of(token))
