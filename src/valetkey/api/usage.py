"""How an organization's connectors are used, in numbers (ORG-15)."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from valetkey.api.asking import Needs, Rooms, Scope, demand_act
from valetkey.api.paging import At, Page
from valetkey.api.sign_in import OrganizationId, demand_own
from valetkey.api.times import Day
from valetkey.identity.model import Principal
from valetkey.identity.roles import Act, may
from valetkey.privacy.usage import By, Row, WantedUsage

router = APIRouter(tags=["usage"])

Reader = Annotated[Principal, Depends(Needs(Scope.ORGANIZATIONS_READ, operator=True))]


class UsageShown(BaseModel):
    """Numbers of one connector: all of them, or those of one client, group, person, kind of sign-in or day."""

    connector: str
    connector_name: str
    key: str = Field(description="Which of them; the connector itself, where the numbers are not divided.")
    name: str = Field(description="How people call it; empty for who is gone.")
    calls: int | None = Field(description="Null where fewer than five people stand behind it, for who sees only sums.")
    carried: int | None = Field(description="Those of them that reached the service.")
    people: int | None
    partial: bool = Field(description="Days or parts are not in it, as fewer than five people stand behind them.")

    @classmethod
    def of(cls, row: Row) -> UsageShown:
        return cls(
            connector=row.connector, connector_name=row.connector_name, key=row.key, name=row.name, calls=row.calls,
            carried=row.carried, people=row.people, partial=row.is_partial,
        )  # fmt: skip


class UsagePage(Page[UsageShown]):
    """With the days that the numbers are of, both with them."""

    since: date
    until: date


@router.get("/organizations/{organization}/usage", operation_id="show_usage")
async def show_usage(
    organization: OrganizationId,
    who: Reader,
    rooms: Rooms,
    at: At,
    since: Annotated[Day | None, Query(description="The first day (UTC); 30 days in all, if not said.")] = None,
    until: Annotated[Day | None, Query(description="The last day; at most yesterday.")] = None,
    by: By = By.CONNECTOR,
    connector: Annotated[str, Query(max_length=40, description="Only of this one, by its slug.")] = "",
) -> UsagePage:
    """How many calls, by how many people, of days that are over: by connector, and within it by what is asked for.

    Owners and auditors see all of it; admins what at least five people stand behind, and nothing by person.
    """
    demand_own(who, organization)
    demand_act(who, Act.SEE_USAGE)
    await rooms.organizations.get(organization)
    found = await rooms.counting.usage(
        organization, WantedUsage(first=since, last=until, by=by, connector=connector),
        sees_calls=who.kind == "operator" or may(who.role, Act.SEE_CALLS),
    )  # fmt: skip
    cut = at.cut(found.rows, by=lambda one: (one.connector, one.key))
    return UsagePage(items=[UsageShown.of(one) for one in cut.rows], next=cut.next, since=found.first, until=found.last)
