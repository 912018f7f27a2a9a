"""How much of calls is kept: a person's choice per connector, within the bounds that their organization sets.

    full      what was sent and came back too, sealed under the person's key of the day
    metadata  which tool, by which rule, how large, how long; nothing of what was sent and came back
    none      that there was a call: when, by which assistant, to which service, and how it ended

There is no level without a record: what is not written down is not done (I4), and every use of a credential is shown to
its person. A change holds for calls from then on; what was kept before stays as it is, for as long as it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Protocol

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, TooMany
from valetkey.privacy import repository
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.remembered import Remembered

NOT_THERE: Final = (
    "Keeping nothing is a promise about this hub only. The services that are connected keep what calls send them for as"
    " long as they say themselves."
)
"""Said wherever somebody may choose to keep nothing (DATA-08): no promise of a hub reaches a service."""
TOPIC: Final = "log_levels"
"""Announced with the organization's id."""
EVERY: Final = "*"
_LONGEST: Final = 40
_MOST: Final = 1000
_BETWEEN: Final = "\n"  # is in no id and no slug


class Level(StrEnum):
    """How much is kept, from little to much."""

    NONE = "none"
    METADATA = "metadata"
    FULL = "full"


RANK: Final = {level: rank for rank, level in enumerate(Level)}
Kind = Literal["floor", "ceiling", "choice"]


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that was said: by the organization (a floor or a ceiling) or by a person, of a connector or of all."""

    kind: Kind
    connector: str
    level: Level


@dataclass(frozen=True, slots=True)
class Holds:
    """What comes of it for one person and connector: `level` is the choice, within `floor` and `ceiling`."""

    floor: Level
    ceiling: Level
    choice: Level
    level: Level


class TrailWriter(Protocol):
    async def write(
        self, event: str, *, actor: str, organization_id: str = "", person_id: str = "", object: str = "",
        detail: dict[str, object] = ...,
    ) -> object: ...  # fmt: skip


class Levels:
    """Keeps what was said, and remembers what comes of it for a moment; a change is heard by every replica."""

    def __init__(self, database: Database, notifications: Notifications, *, clock: Clock, trail: TrailWriter) -> None:
        self._database = database
        self._notifications = notifications
        self._clock = clock
        self._trail = trail
        self._memory: Remembered[str, Level] = Remembered(notifications, TOPIC, clock=clock)

    def level_now(self, organization_id: str, person_id: str, connector: str) -> Level | None:
        """As `level`, from memory; `None` means *ask `level`*."""
        return self._memory.now(_BETWEEN.join((organization_id, person_id, connector)))

    async def level(self, organization_id: str, person_id: str, connector: str) -> Level:
        """How much is kept of this person's calls to the connector."""
        drops = self._memory.drops
        holds = await self.holding(organization_id, person_id, connector)
        key = _BETWEEN.join((organization_id, person_id, connector))
        self._memory.put(key, holds.level, owner=organization_id, drops_before=drops)
        return holds.level

    async def holding(self, organization_id: str, person_id: str, connector: str = EVERY) -> Holds:
        """What holds, and why."""
        return _holding(await self._said(organization_id, ""), await self._said(organization_id, person_id), connector)

    async def bounds(self, organization_id: str) -> Sequence[Said]:
        """What the organization says."""
        return await self._said(organization_id, "")

    async def choices(self, organization_id: str, person_id: str) -> Sequence[Said]:
        """What the person says."""
        return await self._said(organization_id, person_id)

    async def choose(
        self, organization_id: str, person_id: str, level: Level | None, *, connector: str = EVERY, actor: str
    ) -> Holds:
        """The person's choice for a connector or for all; `None` takes it back. Raises `BadInput` beyond the bounds."""
        now = await self.holding(organization_id, person_id, connector)
        if level is not None and not RANK[now.floor] <= RANK[level] <= RANK[now.ceiling]:
            raise BadInput(
                "The organization does not allow this.", field="level",
                hint=f"It keeps at least {now.floor} and at most {now.ceiling} here.",
            )  # fmt: skip
        await self._say(organization_id, person_id, "choice", connector, level, actor)
        return await self.holding(organization_id, person_id, connector)

    async def bound(
        self, organization_id: str, kind: Literal["floor", "ceiling"], level: Level | None, *, connector: str = EVERY,
        acknowledged: bool = False, actor: str,
    ) -> Sequence[Said]:  # fmt: skip
        """The organization's floor or ceiling; `None` takes it back. Who may say so, the caller has made sure of.

        Raises `BadInput` for a floor above a ceiling, as no choice could be within; and for a ceiling of `none` while
        nobody has `acknowledged` that services keep what they are sent: members go on calling them (DATA-08).
        """
        said = [one for one in await self._said(organization_id, "") if (one.kind, one.connector) != (kind, connector)]
        if level is not None:
            said.append(Said(kind, connector, level))
        for each in {EVERY, connector, *(one.connector for one in said)}:
            if RANK[_bound(said, "floor", each)] > RANK[_bound(said, "ceiling", each)]:
                raise BadInput("The floor would be above the ceiling.", field="level")
        is_promise = kind == "ceiling" and level is Level.NONE
        if is_promise and not acknowledged:
            raise BadInput(NOT_THERE, field="acknowledged", hint="Say that you know this, to keep nothing here.")
        more: dict[str, object] = {"acknowledged": True} if is_promise else {}
        await self._say(organization_id, "", kind, connector, level, actor, more)
        return await self._said(organization_id, "")

    async def _say(
        self, organization_id: str, person_id: str, kind: Kind, connector: str, level: Level | None, actor: str,
        more: Mapping[str, object] = {},
    ) -> None:  # fmt: skip
        if not 0 < len(connector) <= _LONGEST or not connector.isprintable():
            raise BadInput("Say which connector, or * for every one.", field="connector")
        said = str(level) if level is not None else ""
        old = {(one.kind, one.connector): one.level for one in await self._said(organization_id, person_id)}
        before = {"before": str(old.get((kind, connector), ""))}
        await self._trail.write(
            "log_level.set", actor=actor, organization_id=organization_id, person_id=person_id, object=connector,
            detail={"kind": kind, "level": said, **before, **more},
        )  # fmt: skip
        async with self._database.write() as tx:
            await repository.delete_level(tx, organization_id, person_id, connector, kind)
            if said:
                if await repository.count_levels(tx, organization_id, person_id) >= _MOST:
                    raise TooMany(f"There are at most {_MOST} of them.")
                await repository.add_level(tx, organization_id, person_id, connector, kind, said, now=self._clock.now())
        await self._notifications.publish(TOPIC, organization_id)

    async def _said(self, organization_id: str, person_id: str) -> list[Said]:
        async with self._database.read() as tx:
            rows = await repository.list_levels(tx, organization_id, person_id)
        return [Said(kind, connector, Level(level)) for kind, connector, level in rows]


def _holding(bounds: Sequence[Said], own: Sequence[Said], connector: str) -> Holds:
    floor, ceiling = _bound(bounds, "floor", connector), _bound(bounds, "ceiling", connector)
    chosen = {one.connector: one.level for one in own}
    choice = chosen.get(connector, chosen.get(EVERY, Level.FULL))
    level = min(max(choice, floor, key=RANK.__getitem__), ceiling, key=RANK.__getitem__)
    return Holds(floor, ceiling, choice, level)


def _bound(said: Sequence[Said], kind: Literal["floor", "ceiling"], connector: str) -> Level:
    """The stricter of what is said of the connector and of every one."""
    found = [one.level for one in said if one.kind == kind and one.connector in (EVERY, connector)]
    if kind == "floor":
        return max(found, key=RANK.__getitem__, default=Level.NONE)
    return min(found, key=RANK.__getitem__, default=Level.FULL)
