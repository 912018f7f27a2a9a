"""The trail: what happened other than calls, for those who may read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from valetkey.api.asking import Needs, PersonQuery, Rooms, Scope, whose
from valetkey.api.paging import Limit
from valetkey.audit.model import Everyone, OfOrganization, OfPerson, TrailEvent
from valetkey.audit.model import Scope as AuditScope
from valetkey.identity.model import Principal
from valetkey.identity.roles import Act, may

router = APIRouter(prefix="/trail", tags=["trail"])

Reader = Annotated[Principal, Depends(Needs(Scope.TRAIL_READ, operator=True))]


class EventShown(BaseModel):
    seq: int
    at: datetime
    event: str
    actor: str
    organization_id: str
    person_id: str
    object: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, event: TrailEvent) -> EventShown:
        return cls(
            seq=event.seq,
            at=event.at,
            event=event.event,
            actor=event.actor,
            organization_id=event.organization_id,
            person_id=event.person_id,
            object=event.object,
            detail=dict(event.detail),
        )


class Events(BaseModel):
    items: list[EventShown]
    next_before: int | None = Field(description="Give it as `before` for the next page; null at the end.")


async def _readable_by(who: Reader, request: Request, person: PersonQuery = "") -> AuditScope:
    """Everything for the operator, the organization's for an owner, admin or auditor, else one's own."""
    if who.kind == "operator":
        return OfPerson((await whose(request, person)).id) if person else Everyone()
    if not person and may(who.role, Act.READ_TRAIL):
        return OfOrganization(who.organization_id)
    return OfPerson((await whose(request, person)).id)


Readable = Annotated[AuditScope, Depends(_readable_by)]


@router.get("", operation_id="list_trail")
async def list_trail(
    scope: Readable,
    rooms: Rooms,
    before: Annotated[int, Query(ge=0, description="`next_before` of the page before; 0 for the first.")] = 0,
    limit: Limit = 50,
) -> Events:
    """Events, newest first."""
    found = await rooms.trail.list(scope, before=before, limit=limit)
    return Events(
        items=[EventShown.of(event) for event in found], next_before=found[-1].seq if len(found) == limit else None
    )
