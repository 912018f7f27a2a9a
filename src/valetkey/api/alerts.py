"""Alerts: what services do that they did not do before. To their person one by one, to owners summed and nameless."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of, demand_act
from valetkey.api.paging import At, Page
from valetkey.audit.alerts import Alert, AlertKind, Summed
from valetkey.identity.model import Principal
from valetkey.identity.roles import Act

router = APIRouter(prefix="/alerts", tags=["alerts"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_READ))]
Writer = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_WRITE))]
OfConnection = Annotated[str, Query(max_length=40, description="Only those of this connection.")]
DismissedToo = Annotated[bool, Query(description="Those that were dismissed, too.")]


class AlertShown(BaseModel):
    """One cause. `words` are ours: what a result said stays in the record of the call, `call_id` (if it was one)."""

    id: str
    kind: AlertKind
    label: str
    connection_id: str
    connector: str
    subject: str
    words: str
    call_id: str
    first_at: datetime
    last_at: datetime
    times: int
    dismissed_at: datetime | None
    page: str

    @classmethod
    def of(cls, one: Alert, page: str) -> AlertShown:
        return cls(
            id=one.id, kind=one.kind, label=one.kind.label, connection_id=one.connection_id, connector=one.connector,
            subject=one.subject, words=one.words, call_id=one.call_id, first_at=one.first_at, last_at=one.last_at,
            times=one.times, dismissed_at=one.dismissed_at, page=page,
        )  # fmt: skip


class SummedShown(BaseModel):
    """Of how many people's connections something was noticed, and how often: never whose, and no content."""

    connector: str
    kind: AlertKind
    label: str
    people: int
    times: int
    first_at: datetime
    last_at: datetime

    @classmethod
    def of(cls, one: Summed) -> SummedShown:
        return cls(
            connector=one.connector, kind=one.kind, label=one.kind.label, people=one.people, times=one.times,
            first_at=one.first_at, last_at=one.last_at,
        )  # fmt: skip


@router.get("", operation_id="list_alerts")
async def list_alerts(
    _who: Reader, whose: Whose, rooms: Rooms, at: At, connection: OfConnection = "", dismissed: DismissedToo = False
) -> Page[AlertShown]:  # fmt: skip
    """The person's alerts, what was first noticed last first."""
    found = await rooms.alerts.page(
        whose.id, connection_id=connection, dismissed=dismissed, before=at.text, limit=at.one_more
    )
    return at.page(
        found, by=lambda one: (one.id,), newest_first=True,
        show=lambda one: AlertShown.of(one, rooms.pages.connection(one.connection_id)),
    )  # fmt: skip


@router.get("/organization", operation_id="sum_alerts")
async def sum_alerts(who: Reader, whose: Whose, rooms: Rooms, at: At) -> Page[SummedShown]:
    """What was noticed at the organization's connectors, for who answers for them."""
    demand_act(who, Act.SEE_USAGE)
    found = await rooms.alerts.summed(whose.organization_id)
    return at.page(found, by=lambda one: (one.connector, one.kind.value), show=SummedShown.of)


@router.get("/{alert_id}", operation_id="show_alert")
async def show_alert(alert_id: str, _who: Reader, whose: Whose, rooms: Rooms) -> AlertShown:
    found = await rooms.alerts.get(whose.id, alert_id)
    return AlertShown.of(found, rooms.pages.connection(found.connection_id))


@router.post("/{alert_id}/dismiss", operation_id="dismiss_alert")
async def dismiss_alert(alert_id: str, who: Writer, whose: Whose, rooms: Rooms) -> AlertShown:
    """Seen. It is news again when the same is noticed after a day without."""
    done = await rooms.alerts.dismiss(whose.id, alert_id, by=actor_of(who))
    return AlertShown.of(done, rooms.pages.connection(done.connection_id))
