"""For how long calls are kept, by whose word; and what is held beyond that."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from valetkey.api.asking import Needs, OnlyOperator, Rooms, Scope, Whose, actor_of, demand_act, find_person
from valetkey.api.keys import demand_fresh
from valetkey.api.paging import At, Page, instant
from valetkey.identity.model import Principal
from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import NotFound
from valetkey.privacy.holds import LONGEST_REASON
from valetkey.privacy.keeping import Kept
from valetkey.privacy.model import Hold, Run
from valetkey.privacy.times import Times

router = APIRouter(prefix="/data", tags=["data"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_READ, operator=True))]
Owner = Annotated[Principal, Depends(Needs(Scope.ORGANIZATIONS_WRITE))]
Operator = Annotated[Principal, Depends(OnlyOperator())]


class TimesShown(BaseModel):
    """In days."""

    contents: int
    calls: int

    @classmethod
    def of(cls, one: Times) -> TimesShown:
        return cls(contents=one.contents, calls=one.calls)


class RetentionShown(TimesShown):
    """What holds for a person's calls: days for which what they sent and got can be opened, and that they were made is
    known. `soon` is what was said less than a day ago, is shorter, and holds from `soon_at` on."""

    set_by: str = Field(description="`organization` or `operator`.")
    set_at: datetime
    at_least: int
    at_most: int
    default: TimesShown = Field(description="What the operator says, where an organization says nothing.")
    soon: TimesShown | None
    soon_at: datetime | None

    @classmethod
    def of_kept(cls, one: Kept) -> RetentionShown:
        return cls(
            contents=one.now.contents, calls=one.now.calls, set_at=one.set_at, at_least=one.least, at_most=one.most,
            set_by="organization" if one.by_organization else "operator", default=TimesShown.of(one.default),
            soon=TimesShown.of(one.soon) if one.soon else None, soon_at=one.soon_at,
        )  # fmt: skip


class NewRetention(BaseModel):
    """Null for both: as the operator says. Shorter has to be `meant`: it is for good."""

    model_config = ConfigDict(extra="forbid")

    contents: int | None = Field(ge=1, le=100_000)
    calls: int | None = Field(default=None, ge=1, le=100_000)
    meant: StrictBool = False


class HoldShown(BaseModel):
    id: str
    person_id: str = Field(description="Empty: every member.")
    reason: str
    placed_at: datetime

    @classmethod
    def of(cls, one: Hold) -> HoldShown:
        return cls(id=one.id, person_id=one.person_id, reason=one.reason, placed_at=one.placed_at)


class NewHold(BaseModel):
    model_config = ConfigDict(extra="forbid")

    person: str = Field(default="", max_length=254, description="Login or id of a member; empty: every member.")
    reason: str = Field(min_length=1, max_length=LONGEST_REASON, description="Who is covered reads it.")


class RunShown(BaseModel):
    """A run that let go of what was due, over all organizations. `percent` is how far it is."""

    began_at: datetime
    finished_at: datetime | None
    percent: int
    days: int = Field(description="Of people, whose contents can be opened no more.")
    calls: int = Field(description="Of which the log has nothing but a hash.")

    @classmethod
    def of(cls, one: Run) -> RunShown:
        return cls(
            began_at=one.began_at, finished_at=one.finished_at, percent=one.percent, days=one.days, calls=one.calls
        )


@router.get("/retention", operation_id="show_retention")
async def show_retention(_who: Reader, whose: Whose, rooms: Rooms) -> RetentionShown:
    """For how long the person's calls are kept, and who says so."""
    return RetentionShown.of_kept(await rooms.privacy.keeping.kept(whose.organization_id))


@router.post("/retention", operation_id="set_retention")
async def set_retention(new: NewRetention, who: Owner, rooms: Rooms) -> RetentionShown:
    """For how long members' calls are kept, by an owner, with a token made within the hour.

    Longer holds for later calls. Shorter cannot be undone: it is refused, with what would go, until it is `meant`, and
    done a day later.
    """
    demand_act(who, Act.MANAGE_ORGANIZATION)
    await demand_fresh(who, rooms)
    kept = await rooms.privacy.keeping.set(
        who.organization_id, contents=new.contents, calls=new.calls, meant=new.meant, actor=actor_of(who)
    )
    return RetentionShown.of_kept(kept)


@router.get("/retention/runs", operation_id="list_retention_runs")
async def list_retention_runs(_who: Operator, rooms: Rooms, at: At) -> Page[RunShown]:
    """Runs that let go of something, the newest first; an organization's own counts are in its trail."""
    found = await rooms.privacy.keeping.runs(before=at.text, limit=at.one_more)
    return at.page(found, by=lambda one: (one.id,), newest_first=True, show=RunShown.of)


@router.get("/holds", operation_id="list_holds")
async def list_holds(_who: Reader, whose: Whose, rooms: Rooms, at: At) -> Page[HoldShown]:
    """What is held of the person's; for who manages the organization, every hold."""
    holds = rooms.privacy.holds
    sees_all = may(whose.role, Act.SEE_PEOPLE)
    found = await (holds.list(whose.organization_id) if sees_all else holds.on(whose))
    return at.page(found, by=lambda one: (instant(one.placed_at), one.id), show=HoldShown.of)


@router.post("/holds", operation_id="place_hold", status_code=201)
async def place_hold(new: NewHold, who: Owner, rooms: Rooms) -> HoldShown:
    """Keeps what there is of a member's calls, or of everybody's, until it is released; who is covered sees it."""
    demand_act(who, Act.MANAGE_ORGANIZATION)
    person = await find_person(rooms, new.person) if new.person else None
    if person is not None and person.organization_id != who.organization_id:
        raise NotFound("There is no such person.", hint="`valetkey user list` shows those there are.")
    return HoldShown.of(await rooms.privacy.holds.place(who.organization_id, person, new.reason, actor=actor_of(who)))


@router.delete("/holds/{hold_id}", operation_id="release_hold", status_code=204)
async def release_hold(hold_id: str, who: Owner, rooms: Rooms) -> None:
    """Ends it: what was due meanwhile goes at the next run. With a token made within the hour."""
    demand_act(who, Act.MANAGE_ORGANIZATION)
    await demand_fresh(who, rooms)
    await rooms.privacy.holds.release(who.organization_id, hold_id, actor=actor_of(who))
