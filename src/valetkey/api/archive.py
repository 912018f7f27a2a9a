"""Everything that is kept about a person, for themself: to take along, and to have erased."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from valetkey.api.asking import Needs, Rooms, Scope, actor_of
from valetkey.api.keys import demand_fresh
from valetkey.api.paging import At, Page
from valetkey.identity.model import Principal
from valetkey.privacy.erase import Erased

router = APIRouter(prefix="/data", tags=["data"])

Reader = Annotated[Principal, Depends(Needs(Scope.DATA_READ))]
Eraser = Annotated[Principal, Depends(Needs(Scope.DATA_ERASE))]


class ArchivePart(BaseModel):
    """Some lines of one file of the archive; `docs/data-export.md` names the files and their fields."""

    file: str
    lines: list[dict[str, Any]]
    next_after: str = Field(description="Give it as `after` for the next part; empty at the end.")


@router.get("/export", operation_id="export_data")
async def export_data(who: Reader, rooms: Rooms, after: Annotated[str, Query(max_length=100)] = "") -> ArchivePart:
    """A part of one's own archive. That it was asked for stands in the trail."""
    person = await rooms.people.get(who.person_id)
    part = await rooms.exporting.part(person, after, actor=actor_of(who))
    return ArchivePart(file=part.file, lines=[dict(line) for line in part.lines], next_after=part.next_after)


class ErasedShown(BaseModel):
    """The receipt, and while `finished_at` is null how far it is."""

    id: str
    began_at: datetime
    finished_at: datetime | None
    percent: int = Field(description="Of the log, gone through.")
    connections: int = Field(description="Ended at their services and destroyed here.")
    unconfirmed: int = Field(description="Of those: where the service did not say that it has forgotten the access.")
    days: int = Field(description="Of calls whose contents can be opened no more.")
    calls: int = Field(description="Calls of which the log has nothing but a hash.")
    events: int = Field(description="Other events of which it has nothing but a hash.")

    @classmethod
    def of(cls, one: Erased) -> ErasedShown:
        return cls(
            id=one.id, began_at=one.began_at, finished_at=one.finished_at, percent=one.percent,
            connections=one.connections, unconfirmed=one.unconfirmed, days=one.days, calls=one.calls,
            events=one.events,
        )  # fmt: skip


@router.post("/erase", operation_id="erase_data")
async def erase_data(who: Eraser, rooms: Rooms) -> ErasedShown:
    """One step of erasing everything about oneself; ask again until `finished_at` is there. It cannot be undone.

    With a token made within the hour. The account, its sign-in and its settings stay.
    """
    await demand_fresh(who, rooms)
    person = await rooms.people.get(who.person_id)
    return ErasedShown.of(await rooms.erasing.step(person, by=actor_of(who)))


@router.get("/erasures", operation_id="list_erasures")
async def list_erasures(who: Reader, rooms: Rooms, at: At) -> Page[ErasedShown]:
    """What one had erased, newest first."""
    found = await rooms.erasing.receipts(who.person_id, before=at.text, limit=at.one_more)
    return at.page(found, by=lambda one: (one.id,), newest_first=True, show=ErasedShown.of)
