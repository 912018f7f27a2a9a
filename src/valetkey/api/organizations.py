"""Organizations: listing and creating them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from valetkey.api.asking import Needs, OnlyOperator, Rooms, Scope, actor_of
from valetkey.api.paging import At, Page, by_age
from valetkey.identity.model import Organization, Principal
from valetkey.identity.organizations import tell_made

router = APIRouter(prefix="/organizations", tags=["organizations"])

Reader = Annotated[Principal, Depends(Needs(Scope.ORGANIZATIONS_READ, operator=True))]
Operator = Annotated[Principal, Depends(OnlyOperator())]


class OrganizationShown(BaseModel):
    id: str
    name: str
    kind: Literal["personal", "organization"]
    created_at: datetime

    @classmethod
    def of(cls, organization: Organization) -> OrganizationShown:
        return cls(
            id=organization.id, name=organization.name, kind=organization.kind, created_at=organization.created_at
        )


class NewOrganization(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=100)


@router.get("", operation_id="list_organizations")
async def list_organizations(who: Reader, rooms: Rooms, at: At) -> Page[OrganizationShown]:
    """The asker's own; the operator sees all."""
    found = (
        await rooms.organizations.list()
        if who.kind == "operator"
        else [await rooms.organizations.get(who.organization_id)]
    )
    return at.page(found, by=by_age, show=OrganizationShown.of)


@router.post("", operation_id="create_organization", status_code=201)
async def create_organization(new: NewOrganization, who: Operator, rooms: Rooms) -> OrganizationShown:
    """A new organization, without members."""
    made = await rooms.organizations.create(new.name, "organization")
    await tell_made(rooms.trail, made, by=actor_of(who))
    return OrganizationShown.of(made)
