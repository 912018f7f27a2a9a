"""What is kept about people, and how much of it: levels of the call log, within the organization's bounds."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of, demand_act
from valetkey.api.paging import Listed
from valetkey.identity.model import Principal
from valetkey.identity.roles import Act
from valetkey.privacy.levels import EVERY, Level, Said

router = APIRouter(prefix="/data", tags=["data"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_READ, operator=True))]
Setter = Annotated[Principal, Depends(Needs(Scope.PERMISSIONS_WRITE))]
Connector = Annotated[
    str, Query(max_length=40, description="Its slug; `*` for every one that nothing else is said of.")
]


class SaidShown(BaseModel):
    """One thing that was said. `kind` is `floor`, `ceiling` (the organization) or `choice` (the person)."""

    kind: Literal["floor", "ceiling", "choice"]
    connector: str
    level: Level

    @classmethod
    def of(cls, one: Said) -> SaidShown:
        return cls(kind=one.kind, connector=one.connector, level=one.level)


class LevelShown(BaseModel):
    """How much is kept of calls to `connector`: `level`, which is the choice within floor and ceiling."""

    connector: str
    level: Level
    choice: Level
    floor: Level
    ceiling: Level
    said: list[SaidShown]


class Choice(BaseModel):
    """`level` null takes the choice back."""

    model_config = ConfigDict(extra="forbid")

    connector: str = Field(EVERY, min_length=1, max_length=40)
    level: Level | None


class Bound(BaseModel):
    """`level` null takes the bound back."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["floor", "ceiling"]
    connector: str = Field(EVERY, min_length=1, max_length=40)
    level: Level | None


async def _shown(rooms: Rooms, organization_id: str, person_id: str, connector: str) -> LevelShown:
    levels = rooms.privacy.levels
    holds = await levels.holding(organization_id, person_id, connector)
    said = [*await levels.bounds(organization_id), *await levels.choices(organization_id, person_id)]
    return LevelShown(
        connector=connector, level=holds.level, choice=holds.choice, floor=holds.floor, ceiling=holds.ceiling,
        said=[SaidShown.of(one) for one in said],
    )  # fmt: skip


@router.get("/level", operation_id="show_log_level")
async def show_log_level(_who: Reader, whose: Whose, rooms: Rooms, connector: Connector = EVERY) -> LevelShown:
    """How much of the person's calls is kept, and who says so."""
    return await _shown(rooms, whose.organization_id, whose.id, connector)


@router.post("/level", operation_id="choose_log_level")
async def choose_log_level(new: Choice, who: Setter, rooms: Rooms) -> LevelShown:
    """The person's own choice, for a connector or for all. Holds for calls from now on."""
    await rooms.privacy.levels.choose(
        who.organization_id, who.person_id, new.level, connector=new.connector, actor=actor_of(who)
    )
    return await _shown(rooms, who.organization_id, who.person_id, new.connector)


@router.post("/bounds", operation_id="bound_log_level")
async def bound_log_level(new: Bound, who: Setter, rooms: Rooms) -> Listed[SaidShown]:
    """The organization's floor or ceiling, by an owner. Holds for its members' calls from now on."""
    demand_act(who, Act.MANAGE_ORGANIZATION)
    said = await rooms.privacy.levels.bound(
        who.organization_id, new.kind, new.level, connector=new.connector, actor=actor_of(who)
    )
    return Listed(items=[SaidShown.of(one) for one in said])
