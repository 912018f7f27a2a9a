"""The trail: what happened other than calls, for those who may read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from valetkey.api.asking import Needs, PersonQuery, Rooms, Scope, whose
from valetkey.api.paging import LARGEST, Cursor, Page, Place, read_cursor
from valetkey.api.times import Moment
from valetkey.audit.feed.messages import actor_type, place
from valetkey.audit.feed.names import name_of
from valetkey.audit.model import EventsOf, Everyone, OfOrganization, OfPerson, TrailEvent, WantedEvents
from valetkey.audit.model import Scope as AuditScope
from valetkey.identity.model import Principal
from valetkey.identity.roles import Act, may

router = APIRouter(prefix="/trail", tags=["trail"])

_MOST_EVENTS = 5000

Reader = Annotated[Principal, Depends(Needs(Scope.TRAIL_READ, operator=True))]


class EventShown(BaseModel):
    """`kind` and `actor_type` are as feeds have them; `ip`, `user_agent` and `token` (its id) say from where it was

    asked, and are empty for what the hub did by itself.
    """

    seq: int
    at: datetime
    kind: str
    event: str
    actor: str
    actor_type: str
    ip: str
    user_agent: str
    token: str
    organization_id: str
    person_id: str
    object: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, event: TrailEvent) -> EventShown:
        return cls(
            seq=event.seq,
            at=event.at,
            kind=name_of(event.event),
            event=event.event,
            actor=event.actor,
            actor_type=actor_type(event),
            **place(event),
            organization_id=event.organization_id,
            person_id=event.person_id,
            object=event.object,
            detail=dict(event.detail),
        )


async def _readable_by(who: Reader, request: Request, person: PersonQuery = "") -> AuditScope:
    """Everything for the operator, the organization's for an owner or auditor, else one's own; for an admin the

    organization's events, and of calls one's own: members' calls are not theirs to see.
    """
    if who.kind == "operator":
        return OfPerson((await whose(request, person)).id) if person else Everyone()
    if not person and may(who.role, Act.READ_TRAIL):
        if may(who.role, Act.SEE_CALLS):
            return OfOrganization(who.organization_id)
        return EventsOf(who.organization_id, who.person_id)
    return OfPerson((await whose(request, person)).id)


Readable = Annotated[AuditScope, Depends(_readable_by)]


def _place(cursor: Cursor = "", limit: Annotated[int, Query(ge=1, le=_MOST_EVENTS)] = 100) -> Place:
    return Place(read_cursor(cursor), limit)


Number = Annotated[int, Query(ge=0, le=LARGEST)]
Filter = Annotated[str, Query(max_length=80)]


@router.get("", operation_id="list_trail")
async def list_trail(
    scope: Readable,
    rooms: Rooms,
    at: Annotated[Place, Depends(_place)],
    after_id: Number = 0,
    before_id: Number = 0,
    event: Filter = "",
    actor: Filter = "",
    since: Moment | None = None,
    until: Moment | None = None,
) -> Page[EventShown]:
    """Events, newest first (ORG-13): those after and before the number of one that is known, if it is given.

    `event` is a whole name (`connection.added`) or its noun (`connection`); `until` itself is left out.
    """
    wanted = WantedEvents(after=after_id, event=event, actor=actor, since=since, until=until)
    before = min(filter(None, (at.number, before_id)), default=0)
    found = await rooms.trail.list(scope, before=before, limit=at.one_more, wanted=wanted)
    return at.page(found, by=lambda one: (one.seq,), newest_first=True, show=EventShown.of)
