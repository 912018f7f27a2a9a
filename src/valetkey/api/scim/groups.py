"""Groups: what a directory's request comes to."""

from __future__ import annotations

from valetkey.api.scim.people import actor_of
from valetkey.api.scim.resources import GroupOfUsers, group_of, members_of
from valetkey.api.services import Services
from valetkey.identity.provisioning.model import ProvisioningToken


class GroupDesk:
    """The groups of a token's organization."""

    model = GroupOfUsers

    def __init__(self, services: Services) -> None:
        self._services = services

    async def list(self, token: ProvisioningToken, base: str) -> list[GroupOfUsers]:
        found = await self._services.provisioning.directory.groups(token.organization_id)
        return [group_of(one, base) for one in found]

    async def get(self, token: ProvisioningToken, group_id: str, base: str) -> GroupOfUsers:
        return group_of(await self._services.provisioning.directory.group(token.organization_id, group_id), base)

    async def create(self, token: ProvisioningToken, given: GroupOfUsers, base: str) -> GroupOfUsers:
        made = await self._services.provisioning.directory.add_group(
            token.organization_id,
            name=given.display_name or "",
            external_id=_external_id(given),
            members=members_of(given),
            by=actor_of(token),
        )
        return group_of(made, base)

    async def change(self, token: ProvisioningToken, group_id: str, given: GroupOfUsers, base: str) -> GroupOfUsers:
        directory = self._services.provisioning.directory
        before = await directory.group(token.organization_id, group_id)
        after = await directory.change_group(
            before,
            name=given.display_name or "",
            external_id=_external_id(given),
            members=members_of(given),
            by=actor_of(token),
        )
        return group_of(after, base)

    async def remove(self, token: ProvisioningToken, group_id: str) -> None:
        directory = self._services.provisioning.directory
        await directory.remove_group(await directory.group(token.organization_id, group_id), by=actor_of(token))


def _external_id(group: GroupOfUsers) -> str:
    return (group.external_id or "")[:300]
