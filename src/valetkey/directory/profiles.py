"""Profiles: a person's named choices of connections and tools, each with an endpoint of its own.

What is not in a profile does not exist there. A profile gives nothing: what a tool may do is decided as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from sqlalchemy.exc import IntegrityError

from valetkey.directory import profile_repository as repository
from valetkey.directory.model import Choice, Profile, ToolAccess
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound, TooMany, printable
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.remembered import Remembered

TOPIC: Final = "profiles"
"""Announced with the person's id whenever one of their profiles changed."""

LIMIT: Final = 50
"""Profiles of one person."""

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?")
_TITLE: Final = 100
_MOST_TOOLS: Final = 5000
_LONGEST_TOOL: Final = 255


class Owner(Protocol):
    """The person whose profiles these are."""

    @property
    def id(self) -> str: ...

    @property
    def organization_id(self) -> str: ...


class OwnConnection(Protocol):
    """A connection, as far as it matters here."""

    @property
    def id(self) -> str: ...


class OwnConnections(Protocol):
    """Whose connection is whose: asked of the floor above, which `app` hands down."""

    async def list(self, person_id: str) -> Sequence[OwnConnection]: ...


class TrailWriter(Protocol):
    """What we need of `audit.trail`."""

    async def write(
        self,
        event: str,
        *,
        actor: str,
        organization_id: str = "",
        person_id: str = "",
        object: str = "",
        detail: Mapping[str, object] = {},
    ) -> object: ...


OnRemoved = Callable[[Profile], Awaitable[None]]
"""Hears of a profile that is gone, to end the sign-ins for its address: one made later under its name is another."""


class Profiles:
    """Keeps people's profiles."""

    def __init__(
        self,
        database: Database,
        notifications: Notifications,
        *,
        clock: Clock,
        trail: TrailWriter,
        connections: OwnConnections,
        on_removed: OnRemoved,
    ) -> None:
        self._database = database
        self._notifications = notifications
        self._clock = clock
        self._trail = trail
        self._connections = connections
        self._on_removed = on_removed
        self._memory: Remembered[str, Mapping[str, Profile]] = Remembered(notifications, TOPIC, clock=clock)

    def get_now(self, person_id: str, name: str) -> Profile | None:
        """The profile if it is in memory; `None` says nothing but "ask `get`"."""
        held = self._memory.now(person_id)
        return held.get(name) if held is not None else None

    async def get(self, person_id: str, name: str) -> Profile:
        """The person's own profile. Raises `NotFound`, for another person's too."""
        found = await self._memory.get(person_id, self._look_up)
        if found is None or name not in found:
            raise NotFound("There is no such profile.", hint="`valetkey profile list` shows those there are.")
        return found[name]

    async def list(self, person_id: str) -> Sequence[Profile]:
        """The person's profiles, by name."""
        async with self._database.read() as tx:
            return await repository.list_profiles(tx, person_id)

    async def add(
        self, person: Owner, name: str, *, title: str, access: str, choices: Iterable[Choice], by: str
    ) -> Profile:
        """A new profile. Its name is part of its address and stays; `title` is what the person calls it.

        Raises `BadInput` naming the field, `Conflict` when there is one of that name, `TooMany`.
        """
        if not _NAME.fullmatch(name):
            raise BadInput(
                "A profile's name has 1 to 24 of a-z, 0-9 and hyphens, with none at its ends.",
                field="name",
                hint="It becomes part of the address: /p/<name>/mcp.",
            )
        now = self._clock.now()
        new = Profile(
            id=new_id("pf"),
            person_id=person.id,
            name=name,
            title=_title(title, name),
            access=_access(access),
            choices=await self._own(person.id, choices),
            created_at=now,
            changed_at=now,
        )
        try:
            async with self._database.write() as tx:
                if await repository.count_profiles(tx, person.id) >= LIMIT:
                    raise TooMany(f"There are {LIMIT} profiles already.", hint="Remove one that is not used.")
                await repository.insert_profile(tx, new)
        except IntegrityError as error:
            raise Conflict(f"There is a profile called {name} already.", hint="Choose another name.") from error
        await self._changed("profile.added", person, new, by)
        return new

    async def set(
        self, person: Owner, name: str, *, title: str, access: str, choices: Iterable[Choice], by: str
    ) -> Profile:
        """Replaces what the profile says. Raises as `add`, and `NotFound`."""
        own, shown, how = await self._own(person.id, choices), _title(title, name), _access(access)
        before = await self.get(person.id, name)
        async with self._database.write() as tx:
            profile_id = await repository.update_profile(
                tx, person.id, name, title=shown, access=how, now=self._clock.now()
            )
            if profile_id is None:
                raise NotFound("There is no such profile.")
            await repository.delete_choices(tx, profile_id)
            await repository.insert_choices(tx, profile_id, own)
        await self._notifications.publish(TOPIC, person.id)
        changed = await self.get(person.id, name)
        await self._changed("profile.changed", person, changed, by, {"access_before": before.access.value})
        return changed

    async def remove(self, person: Owner, name: str, *, by: str) -> None:
        """Removes the profile; its address leads nowhere, and who was let in there is out. Raises `NotFound`."""
        gone = await self.get(person.id, name)
        async with self._database.write() as tx:
            if await repository.delete_profile(tx, person.id, name) is None:
                raise NotFound("There is no such profile.")
        await self._on_removed(gone)
        await self._changed("profile.removed", person, gone, by)

    async def leave(self, connection_id: str) -> None:
        """A connection has ended: it is in no profile any more."""
        async with self._database.write() as tx:
            owners = await repository.delete_connection(tx, connection_id)
        for person_id in owners:
            await self._notifications.publish(TOPIC, person_id)

    async def _own(self, person_id: str, choices: Iterable[Choice]) -> Mapping[str, Choice]:
        """The choices by connection. One of somebody else's, or of nobody's, is *not found*."""
        theirs = {connection.id for connection in await self._connections.list(person_id)}
        own: dict[str, Choice] = {}
        for choice in choices:
            if choice.connection_id not in theirs:
                raise NotFound("There is no such connection.", hint="`valetkey connection list` shows those there are.")
            if choice.connection_id in own:
                raise BadInput("A connection is named twice.", field="choices")
            if any(len(tool) > _LONGEST_TOOL for tool in choice.tools):
                raise BadInput(f"A tool's name has at most {_LONGEST_TOOL} characters.", field="choices")
            if choice.whole or choice.tools:
                own[choice.connection_id] = Choice(
                    choice.connection_id, choice.whole, frozenset() if choice.whole else choice.tools
                )
        if sum(len(choice.tools) for choice in own.values()) > _MOST_TOOLS:
            raise BadInput(
                f"A profile names at most {_MOST_TOOLS} tools.", field="choices", hint="Take the connection whole."
            )
        return own

    async def _changed(
        self, event: str, person: Owner, profile: Profile, by: str, more: Mapping[str, object] = {}
    ) -> None:
        await self._notifications.publish(TOPIC, person.id)
        await self._trail.write(
            event,
            actor=by,
            organization_id=person.organization_id,
            person_id=person.id,
            object=profile.id,
            detail={
                "name": profile.name,
                "access": profile.access.value,
                "connections": len(profile.choices),
                "tools": sum(len(choice.tools) for choice in profile.choices.values()),
                **more,
            },
        )

    async def _look_up(self, person_id: str) -> Mapping[str, Profile] | None:
        return {one.name: one for one in await self.list(person_id)} or None


def _title(text: str, name: str) -> str:
    return printable(text.strip(), limit=_TITLE - 1) or name


def _access(text: str) -> ToolAccess:
    try:
        return ToolAccess(text)
    except ValueError:
        raise BadInput("The tools are offered as auto, all or search.", field="access") from None
