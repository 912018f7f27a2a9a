"""Everything that is kept about a person, for themself: to take along."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from valetkey.api.asking import Needs, Rooms, Scope, actor_of
from valetkey.identity.model import Principal

router = APIRouter(prefix="/data", tags=["data"])

Reader = Annotated[Principal, Depends(Needs(Scope.DATA_READ))]


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
