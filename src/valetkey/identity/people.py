"""People: adding, finding and disabling them. Disabling ends every session and token at once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from valetkey.identity import repository, session_repository, token_repository
from valetkey.identity.model import Person, Role, TrailWriter
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

_LOGIN = re.compile(r"[^\s/\\:\"'<>&]{1,254}")
_LONGEST_NAME = 100


class People:
    """Everybody who may sign in to this hub."""

    def __init__(self, database: Database, *, clock: Clock, notifications: Notifications, trail: TrailWriter) -> None:
        self._database = database
        self._clock = clock
        self._notifications = notifications
        self._trail = trail

    async def create(
        self, *, login: str, display_name: str, organization_id: str, role: Role, by: str = "system"
    ) -> Person:
        """A new person, active, without a credential. Raises `BadInput`, or `Conflict` when the login is taken."""
        new = Person(
            id=new_id("person"),
            login=normal_login(login),
            display_name=_checked_name(display_name or login),
            state="active",
            organization_id=organization_id,
            role=role,
            created_at=self._clock.now(),
        )
        async with self._database.write() as tx:
            if await repository.find_organization(tx, organization_id) is None:
                raise NotFound("There is no such organization.")
            await repository.add_person(tx, new)
        await self._trail.write(
            "person.created",
            actor=by,
            organization_id=organization_id,
            person_id=new.id,
            object=new.id,
            detail={"role": str(role)},
        )
        return new

    async def get(self, person_id: str) -> Person:
        """Raises `NotFound`."""
        async with self._database.read() as tx:
            found = await repository.find_person(tx, person_id)
        if found is None:
            raise NotFound("There is no such person.")
        return found

    async def find(self, login: str) -> Person | None:
        """The person with this login, in whatever case it is written."""
        try:
            normal = normal_login(login)
        except BadInput:
            return None
        async with self._database.read() as tx:
            return await repository.find_login(tx, normal)

    async def list(self, organization_id: str) -> list[Person]:
        """Members of the organization, by login."""
        async with self._database.read() as tx:
            return await repository.list_people(tx, organization_id)

    async def disable(self, person_id: str, *, by: str = "system") -> None:
        """Ends what the person holds here: sessions, assistants' tokens, personal tokens. Idempotent.

        Their connections are disconnected by offboarding, above this room. Raises `Conflict` for the last owner.
        """
        found = await self.get(person_id)
        now = self._clock.now()
        async with self._database.write() as tx:
            owners = await repository.lock_owners(tx, found.organization_id)
            if owners == [person_id]:
                raise Conflict("The last owner cannot be disabled.", hint="Make somebody else an owner first.")
            await repository.set_state(tx, person_id, "disabled")
            await session_repository.end_all(tx, person_id)
            await token_repository.end_everything(tx, person_id, now, "disabled")
        await self._tell("person.disabled", found, by)

    async def begin_leaving(self, person_id: str, *, by: str = "system") -> None:
        """Ends what acts for the person, assistants' and personal tokens; their browsers stay signed in.

        Raises `Conflict` for the last owner.
        """
        found = await self.get(person_id)
        async with self._database.write() as tx:
            if await repository.would_orphan(tx, found):
                raise Conflict("The last owner cannot leave.", hint="Make somebody else an owner first.")
            await token_repository.end_everything(tx, person_id, self._clock.now(), "left")
            await session_repository.rest_powers(tx, person_id)
        await self._tell("person.leaving", found, by, {"role": str(found.role)})

    async def move(self, person_id: str, organization_id: str, role: Role = Role.OWNER) -> None:
        """Makes the person a member of `organization_id`, its owner if nothing else is said, and of no other any more.

        Raises `Conflict` for the last owner of the one they are in.
        """
        found = await self.get(person_id)
        async with self._database.write() as tx:
            if await repository.would_orphan(tx, found):
                raise Conflict("The last owner cannot leave.", hint="Make somebody else an owner first.")
            await repository.set_membership(tx, person_id, organization_id, role, self._clock.now())
            # Once more: what a program was let in for meanwhile would act in the new organization.
            await token_repository.end_everything(tx, person_id, self._clock.now(), "left")
            await session_repository.rest_powers(tx, person_id)
        for topic in ("people", "sessions", "tokens"):
            await self._notifications.publish(topic, person_id)

    async def forget(self, person_id: str) -> None:
        """Forgets login and name of somebody who has left; they can be found by their id alone."""
        async with self._database.write() as tx:
            await repository.forget_names(tx, person_id, login=person_id)
        for topic in ("people", "sessions", "tokens"):
            await self._notifications.publish(topic, person_id)

    async def enable(self, person_id: str, *, by: str = "system") -> None:
        """Lets a disabled person sign in again. What was ended stays ended."""
        found = await self.get(person_id)
        async with self._database.write() as tx:
            await repository.set_state(tx, person_id, "active")
        await self._tell("person.enabled", found, by)

    async def set_role(self, person_id: str, role: Role, *, by: str = "system") -> None:
        """Gives the person another role in their organization. Raises `Conflict` for the last owner."""
        found = await self.get(person_id)
        async with self._database.write() as tx:
            owners = await repository.lock_owners(tx, found.organization_id)
            if role is not Role.OWNER and owners == [person_id]:
                raise Conflict("The last owner stays one.", hint="Make somebody else an owner first.")
            await repository.set_role(tx, person_id, role)
            # A privilege comes with a new session id (security.md 5.1): what is open now has to sign in for it.
            await session_repository.rest_powers(tx, person_id)
        await self._tell("person.role_set", found, by, {"before": str(found.role), "role": str(role)})

    async def has_credential(self, person_id: str) -> bool:
        """Whether the person has set a password or a passkey."""
        async with self._database.read() as tx:
            return await repository.has_credential(tx, person_id)

    async def _tell(self, event: str, person: Person, by: str, detail: Mapping[str, object] = {}) -> None:
        for topic in ("people", "sessions", "tokens"):
            await self._notifications.publish(topic, person.id)
        await self._trail.write(
            event,
            actor=by,
            organization_id=person.organization_id,
            person_id=person.id,
            object=person.id,
            detail=detail,
        )


def normal_login(text: str) -> str:
    """The one spelling under which a login is stored and looked up. Raises `BadInput`."""
    # NFKC and casefold, so that two people cannot have logins that look the same on the screen of an admin.
    login = unicodedata.normalize("NFKC", text.strip()).casefold()
    if not _LOGIN.fullmatch(login) or not login.isprintable():
        raise BadInput(
            "A login has 1 to 254 printable characters, without spaces, quotes, slashes or colons.", field="login"
        )
    return login


def _checked_name(text: str) -> str:
    name = text.strip()[:_LONGEST_NAME]
    if not name or not name.isprintable():
        raise BadInput(f"A name has 1 to {_LONGEST_NAME} printable characters.", field="display_name")
    return name
