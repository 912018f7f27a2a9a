"""An organization's people and groups as its directory sees and says them.

It never says who is an owner: no group gives that role, and an owner keeps it whatever their groups. Roles follow
groups only for who is, or just was, in a group that gives one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import IntegrityError

from valetkey.identity.model import Person, Role, TrailWriter
from valetkey.identity.people import People, normal_login
from valetkey.identity.provisioning import repository
from valetkey.identity.provisioning.memberships import announce
from valetkey.identity.provisioning.model import Group, Provisioned
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound, TooMany, printable
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

_MOST_GROUPS = 1000
_MOST_MEMBERS = 10_000
_STRENGTH = (Role.MEMBER, Role.AUDITOR, Role.ADMIN)


class ProvisionedDirectory:
    """Everything is of one organization, which each verb is told."""

    def __init__(
        self, database: Database, notifications: Notifications, *, people: People, clock: Clock, trail: TrailWriter
    ) -> None:
        self._database = database
        self._notifications = notifications
        self._people = people
        self._clock = clock
        self._trail = trail

    # --- people -----------------------------------------------------------------------------------------------------

    async def people(self, organization_id: str) -> list[Provisioned]:
        """Its members, in the order in which they came; who has left for good is none."""
        members = [one for one in await self._people.list(organization_id) if one.login != one.id]
        async with self._database.read() as tx:
            said = await repository.said_of(tx, [one.id for one in members])
        found = [Provisioned(one, *said.get(one.id, ({}, one.created_at))) for one in members]
        return sorted(found, key=lambda one: (one.person.created_at, one.person.id))

    async def person(self, organization_id: str, person_id: str) -> Provisioned:
        """Raises `NotFound`."""
        found = await self._people.get(person_id) if person_id.startswith("person_") else None
        if found is None or found.organization_id != organization_id or found.login == found.id:
            raise NotFound("There is no such person.")
        async with self._database.read() as tx:
            said = await repository.said_of(tx, [found.id])
        return Provisioned(found, *said.get(found.id, ({}, found.created_at)))

    async def add(
        self, organization_id: str, *, login: str, display_name: str, said: Mapping[str, Any], by: str
    ) -> Provisioned:
        """A new member, without a credential. Raises `BadInput`, `Conflict`."""
        new = await self._people.create(
            login=login, display_name=display_name, organization_id=organization_id, role=Role.MEMBER, by=by
        )
        return await self._say(new, said)

    async def change(
        self, before: Provisioned, *, login: str, display_name: str, said: Mapping[str, Any], by: str
    ) -> Provisioned:
        """What the directory says of a member now. Raises `BadInput`, and `Conflict` for a login that is taken."""
        person = replace(before.person, login=normal_login(login), display_name=printable(display_name, limit=99))
        if person != before.person:
            try:
                async with self._database.write() as tx:
                    await repository.rename(tx, person.id, login=person.login, display_name=person.display_name)
            except IntegrityError as error:
                raise Conflict("Somebody has this login already.") from error
            for topic in ("people", "sessions", "tokens"):
                await self._notifications.publish(topic, person.id)
            detail = {"login": person.login, "before": before.person.login}
            await self._write("person.renamed", person.organization_id, person.id, by, detail, person_id=person.id)
        return await self._say(person, said)

    async def forget(self, person: Person, *, by: str) -> None:
        """What the directory said of somebody who has left."""
        async with self._database.write() as tx:
            await repository.forget(tx, person.id)

    # --- groups -----------------------------------------------------------------------------------------------------

    async def groups(self, organization_id: str) -> list[Group]:
        """In the order in which they came."""
        async with self._database.read() as tx:
            return await repository.list_groups(tx, organization_id)

    async def group(self, organization_id: str, group_id: str) -> Group:
        """Raises `NotFound`."""
        found = next((one for one in await self.groups(organization_id) if one.id == group_id), None)
        if found is None:
            raise NotFound("There is no such group.")
        return found

    async def add_group(
        self, organization_id: str, *, name: str, external_id: str, members: Iterable[str], by: str
    ) -> Group:
        """A new group, which gives no role until somebody says so. Raises `BadInput`, `Conflict`, `TooMany`."""
        present = await self.groups(organization_id)
        if len(present) >= _MOST_GROUPS:
            raise TooMany(f"An organization has at most {_MOST_GROUPS} groups.")
        now = self._clock.now()
        chosen = await self._checked_members(organization_id, members)
        new = Group(new_id("group"), organization_id, _name(name, present, ""), external_id, None, chosen, now, now)
        async with self._database.write() as tx:
            await repository.add_group(tx, new)
        await announce(self._notifications)
        await self._write("group.added", organization_id, new.id, by, {"name": new.name, "members": len(chosen)})
        return new

    async def change_group(
        self, before: Group, *, name: str, external_id: str, members: Iterable[str], by: str
    ) -> Group:
        """Its name and members as the directory says now; roles follow. Raises `BadInput`, `Conflict`."""
        chosen = await self._checked_members(before.organization_id, members)
        known = _name(name, await self.groups(before.organization_id), before.id)
        after = replace(before, name=known, external_id=external_id, members=chosen, changed_at=self._clock.now())
        await self._set(before, after)
        came, went = set(chosen) - set(before.members), set(before.members) - set(chosen)
        detail = {"name": after.name, "before": before.name, "came": len(came), "went": len(went)}
        await self._write("group.changed", before.organization_id, before.id, by, detail)
        await self._follow(before.organization_id, [before, after], came | went, by)
        return after

    async def remove_group(self, group: Group, *, by: str) -> None:
        """Its members have no role by it any more."""
        async with self._database.write() as tx:
            await repository.remove_group(tx, group.id)
        await announce(self._notifications)
        await self._write("group.removed", group.organization_id, group.id, by, {"name": group.name})
        await self._follow(group.organization_id, [group], set(group.members), by)

    async def give_role(self, organization_id: str, group_id: str, role: Role | None, *, by: str) -> Group:
        """Which role a group's members have here. Raises `NotFound`, and `BadInput` for owner."""
        if role is Role.OWNER:
            raise BadInput("No group makes owners.", field="role", hint="An owner makes another one.")
        before = await self.group(organization_id, group_id)
        after = replace(before, role=role, changed_at=self._clock.now())
        await self._set(before, after)
        detail = {"name": after.name, "before": str(before.role or ""), "role": str(role or "")}
        await self._write("group.role_set", organization_id, group_id, by, detail)
        await self._follow(organization_id, [before, after], set(after.members), by)
        return after

    # --- within -----------------------------------------------------------------------------------------------------

    async def _say(self, person: Person, said: Mapping[str, Any]) -> Provisioned:
        now = self._clock.now()
        async with self._database.write() as tx:
            await repository.set_said(tx, person.id, said, now)
        return Provisioned(person, said, now)

    async def _set(self, before: Group, after: Group) -> None:
        async with self._database.write() as tx:
            await repository.set_group(tx, after)
        await announce(self._notifications)

    async def _checked_members(self, organization_id: str, members: Iterable[str]) -> tuple[str, ...]:
        """Each once. Somebody of another organization does not exist here."""
        chosen = tuple(dict.fromkeys(members))
        if len(chosen) > _MOST_MEMBERS:
            raise TooMany(f"A group has at most {_MOST_MEMBERS} members.")
        own = {one.id for one in await self._people.list(organization_id)} if chosen else set()
        if not own.issuperset(chosen):
            raise BadInput("A member of the group is not known here.", field="members")
        return chosen

    async def _follow(self, organization_id: str, changed: Sequence[Group], people: set[str], by: str) -> None:
        """Gives `people` the strongest role of their groups, if what changed gives or gave one."""
        if not people or not any(one.role for one in changed):
            return
        groups = await self.groups(organization_id)
        for person_id in sorted(people):
            person = await self._people.get(person_id)
            if person.organization_id != organization_id or person.role is Role.OWNER:
                continue
            given = [one.role for one in groups if one.role is not None and person_id in one.members]
            role = max(given, key=_STRENGTH.index, default=Role.MEMBER)
            if role is not person.role:
                await self._people.set_role(person_id, role, by=by)

    async def _write(
        self,
        event: str,
        organization_id: str,
        thing: str,
        by: str,
        detail: Mapping[str, object],
        *,
        person_id: str = "",
    ) -> None:
        await self._trail.write(
            event, actor=by, organization_id=organization_id, person_id=person_id, object=thing, detail=detail
        )


def _name(text: str, groups: Sequence[Group], own: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= 200 or not name.isprintable():
        raise BadInput("The name of a group has 1 to 200 printable characters.", field="displayName")
    if any(one.name == name and one.id != own for one in groups):
        raise Conflict("There is a group of this name already.")
    return name
