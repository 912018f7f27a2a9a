"""What organizations permit at most: ceilings per connector, tool, class and role, and class V where an owner answers

for an unverified connector. Who may set them, the caller has made sure of; every change is in the trail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, Protocol

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, NotFound, TooMany
from valetkey.kernel.ids import new_id
from valetkey.policy import ceiling_repository as repository
from valetkey.policy.model import ANY, Ceiling, Limits, Setting
from valetkey.policy.tool_class import RANK
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.remembered import Remembered

TOPIC: Final = "ceilings"
"""Announced with the organization's id."""
_MOST: Final = 1000
_CLASSES: Final = frozenset({ANY, "X", *(kind for kind in RANK if kind)})
_ROLES: Final = frozenset({ANY, "owner", "admin", "auditor", "member"})


class TrailWriter(Protocol):
    async def write(
        self, event: str, *, actor: str, organization_id: str = "", object: str = "", detail: dict[str, object] = ...
    ) -> None: ...


class Ceilings:
    """Keeps them, and remembers them for a moment; a change is heard by every replica."""

    def __init__(self, database: Database, notifications: Notifications, *, clock: Clock, trail: TrailWriter) -> None:
        self._database = database
        self._notifications = notifications
        self._clock = clock
        self._trail = trail
        self._memory: Remembered[str, Limits] = Remembered(notifications, TOPIC, clock=clock)

    def of_now(self, organization_id: str) -> Limits | None:
        """As `of`, from memory; `None` means *ask `of`*."""
        return self._memory.now(organization_id)

    async def of(self, organization_id: str) -> Limits:
        """Everything the organization says."""
        return await self._memory.get(organization_id, self._look_up) or Limits()

    async def set(
        self, organization_id: str, setting: Setting, *, actor: str, connector: str = ANY, tool: str = ANY,
        tool_class: str = ANY, role: str = ANY,
    ) -> Ceiling:  # fmt: skip
        """Sets one ceiling, in the place of one for the same. Raises `BadInput`, `TooMany`."""
        new = Ceiling(
            new_id("ceiling"), organization_id, connector, tool, tool_class, role, setting, actor, self._clock.now()
        )
        _check(new)
        await self._write("ceiling.set", new, actor, await self._before(new))
        async with self._database.write() as tx:
            await repository.delete_same(tx, new)
            if await repository.count(tx, organization_id) >= _MOST:
                raise TooMany(f"An organization has at most {_MOST} ceilings.")
            await repository.add(tx, new)
        await self._notifications.publish(TOPIC, organization_id)
        return new

    async def remove(self, organization_id: str, ceiling_id: str, *, actor: str) -> None:
        """Raises `NotFound`."""
        for one in (await self._read(organization_id)).ceilings:
            if one.id == ceiling_id:
                await self._write("ceiling.removed", one, actor)
        async with self._database.write() as tx:
            removed = await repository.remove(tx, organization_id, ceiling_id)
        if not removed:
            raise NotFound("There is no such ceiling.")
        await self._notifications.publish(TOPIC, organization_id)

    async def enable_vertical(self, organization_id: str, connector: str, *, is_on: bool, actor: str) -> None:
        """Whether tools of class V may be asked for on an unverified connector: an owner answers for it."""
        await self._trail.write(
            "vertical.enabled" if is_on else "vertical.disabled",
            actor=actor, organization_id=organization_id, object=connector,
        )  # fmt: skip
        async with self._database.write() as tx:
            await repository.enable(tx, organization_id, connector, is_on=is_on, by=actor, now=self._clock.now())
        await self._notifications.publish(TOPIC, organization_id)

    async def list(self, organization_id: str) -> Sequence[Ceiling]:
        """As they are now, in the order in which they were set."""
        return (await self._read(organization_id)).ceilings

    async def _look_up(self, organization_id: str) -> Limits | None:
        return await self._read(organization_id)

    async def _read(self, organization_id: str) -> Limits:
        async with self._database.read() as tx:
            ceilings = tuple(await repository.list_of(tx, organization_id))
            enabled = frozenset(await repository.list_enabled(tx, organization_id))
        said = "\n".join([*sorted(one.id for one in ceilings), *sorted(enabled)])
        return Limits(ceilings, enabled, sha256(said.encode()).hexdigest())

    async def _before(self, new: Ceiling) -> dict[str, object]:
        """What the ceiling in whose place it comes says (ORG-12: old and new)."""
        of = (new.connector, new.tool, new.tool_class, new.role)
        for one in (await self._read(new.organization_id)).ceilings:
            if (one.connector, one.tool, one.tool_class, one.role) == of:
                return {"before": one.setting}
        return {}

    async def _write(self, event: str, ceiling: Ceiling, actor: str, more: Mapping[str, object] = {}) -> None:
        await self._trail.write(
            event,
            actor=actor,
            organization_id=ceiling.organization_id,
            object=ceiling.id,
            detail={
                "connector": ceiling.connector, "tool": ceiling.tool[:100], "class": ceiling.tool_class,
                "role": ceiling.role, "setting": ceiling.setting, **more,
            },
        )  # fmt: skip


def _check(ceiling: Ceiling) -> None:
    if ceiling.tool_class not in _CLASSES:
        raise BadInput("There is no such class.", field="class", hint="One of R, W, M, H, V, X, or * for every one.")
    if ceiling.role not in _ROLES:
        raise BadInput("There is no such role.", field="role", hint="One of owner, admin, auditor, member, or *.")
    if not 0 < len(ceiling.tool) <= 255 or not 0 < len(ceiling.connector) <= 40:
        raise BadInput("Say which, or * for every one.", field="tool" if ceiling.connector else "connector")
