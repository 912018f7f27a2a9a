"""What is kept about people, how much of it, and what may be learned from it: by their own yes, given on a page."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from valetkey.api.asking import (
    Needs,
    OnlyOperator,
    Rooms,
    Scope,
    Whose,
    actor_of,
    demand_act,
    principal_of,
)
from valetkey.api.paging import At, Listed, Page
from valetkey.audit.refusals import Told as RefusalTold
from valetkey.identity.model import Principal
from valetkey.identity.roles import Act
from valetkey.privacy.consent import TEXT_HASH
from valetkey.privacy.levels import EVERY, Level, Said
from valetkey.privacy.training_export import Item

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
    """`level` null takes the bound back. A ceiling of `none` has to be `acknowledged`: services keep what they get."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["floor", "ceiling"]
    connector: str = Field(EVERY, min_length=1, max_length=40)
    level: Level | None
    acknowledged: StrictBool = False


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
        who.organization_id, new.kind, new.level, connector=new.connector, acknowledged=new.acknowledged,
        actor=actor_of(who),
    )  # fmt: skip
    return Listed(items=[SaidShown.of(one) for one in said])


class ConsentShown(BaseModel):
    """`can_be_given` is false in an organization, whose data is never used; `text_hash` is of the text they saw."""

    given: bool
    can_be_given: bool
    given_at: datetime | None
    policy_version: str
    text_hash: str
    current_text_hash: str = TEXT_HASH


class Withdrawn(BaseModel):
    """How many items had been handed out, and are to be deleted."""

    items_to_delete: int


class ItemShown(BaseModel):
    """One call as it may be learned from: numbers, and words of this program."""

    id: str
    consent: str
    day: str
    outcome: str
    tool_class: str
    duration_ms: int
    request_bytes: int
    response_bytes: int

    @classmethod
    def of(cls, one: Item) -> ItemShown:
        return cls(
            id=one.id, consent=one.consent, day=one.day, outcome=one.outcome, tool_class=one.tool_class,
            duration_ms=one.duration_ms, request_bytes=one.request_bytes, response_bytes=one.response_bytes,
        )  # fmt: skip


class ExportPart(BaseModel):
    items: list[ItemShown]
    next_after: str = Field(description="Give it as `after` for the next part; empty at the end.")


class ExportAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    after: str = Field("", max_length=100)


async def _tell_of_others(request: Request, rooms: Rooms) -> None:
    """Whoever is not the operator stands in the trail, and is refused."""
    who = principal_of(request)
    if who.kind != "operator":
        await rooms.privacy.training.refuse(
            actor=actor_of(who), organization_id=who.organization_id, person_id=who.person_id
        )
        raise RefusalTold("This is done on the hub's host only, through its control socket.")


Told = Annotated[None, Depends(_tell_of_others)]
Operator = Annotated[Principal, Depends(OnlyOperator())]


@router.get("/training-consent", operation_id="show_training_consent")
async def show_training_consent(_who: Reader, whose: Whose, rooms: Rooms) -> ConsentShown:
    """Whether the person allows learning from how they use the hub. It is given on the page *Your data* only."""
    found = await rooms.privacy.consents.of(whose)
    return ConsentShown(
        given=found is not None,
        can_be_given=await rooms.privacy.consents.may_ask(whose),
        given_at=found.given_at if found else None,
        policy_version=found.policy_version if found else "",
        text_hash=found.text_hash if found else "",
    )


@router.delete("/training-consent", operation_id="withdraw_training_consent")
async def withdraw_training_consent(who: Setter, rooms: Rooms) -> Withdrawn:
    """Takes it back: nothing more is handed out, and what was is listed to be deleted."""
    person = await rooms.people.get(who.person_id)
    return Withdrawn(items_to_delete=await rooms.privacy.consents.withdraw(person, actor=actor_of(who)))


@router.post("/training-export", operation_id="export_training")
async def export_training(asked: ExportAsked, _told: Told, who: Operator, rooms: Rooms) -> ExportPart:
    """What consent covers, part by part. Every attempt stands in the trail, with its counts."""
    part = await rooms.privacy.training.part(asked.after, actor=actor_of(who))
    return ExportPart(items=[ItemShown.of(one) for one in part.items], next_after=part.next_after)


@router.get("/training-export/withdrawn", operation_id="list_withdrawn_training")
async def list_withdrawn_training(_told: Told, _who: Operator, rooms: Rooms, at: At) -> Page[str]:
    """Items that were handed out and whose person took their yes back: to be deleted by whoever has them."""
    found = await rooms.privacy.training.withdrawn(at.text, limit=at.one_more)
    return at.page(found, by=lambda one: (one,), show=str)
