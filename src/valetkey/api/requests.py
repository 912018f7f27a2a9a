"""Connectors that members ask for, and the yes or no of whoever manages connectors (ORG-02)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of, demand_act
from valetkey.api.paging import At, Page, by_age
from valetkey.api.services import Services
from valetkey.api.sign_in import OrganizationId, demand_own
from valetkey.directory.model import AuthKind
from valetkey.directory.requests.model import ConnectorRequest, RequestState
from valetkey.identity.model import Person, Principal
from valetkey.identity.roles import Act
from valetkey.kernel.errors import Conflict

router = APIRouter(tags=["access"])

OwnReader = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_READ))]
OwnWriter = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_WRITE))]
Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_READ, operator=True))]
Decider = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_WRITE))]
RequestId = Annotated[str, Path(max_length=40)]


class RequestShown(BaseModel):
    id: str
    name: str = Field(description="The first asker's word for it; the host is what counts.")
    url: str
    host: str
    state: RequestState
    askers: list[str] = Field(description="Who asked, by id; to one of them only themself.")
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str
    slug: str = Field(description="The connector that a yes switched on; empty without one.")

    @classmethod
    def of(cls, one: ConnectorRequest) -> RequestShown:
        return cls(
            id=one.id, name=one.name, url=one.url, host=one.host, state=one.state, askers=list(one.askers),
            created_at=one.created_at, resolved_at=one.resolved_at, resolved_by=one.resolved_by, slug=one.slug,
        )  # fmt: skip


class NewRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=2048, description="The MCP endpoint. A key or token in it is refused.")
    name: str = Field(default="", max_length=100, description="What you call it; its host if empty.")


class Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    decision: Literal["approved", "dismissed"]
    auth_kind: AuthKind = Field(default="oauth", description="How one signs in, where no listing says it.")


@router.get("/connector-requests", operation_id="list_my_requests")
async def list_my_requests(_who: OwnReader, whose: Whose, rooms: Rooms, at: At) -> Page[RequestShown]:
    """What the asker asked for, and what came of it; the newest first."""
    return at.page(await rooms.requests.by(whose), by=by_age, show=RequestShown.of, newest_first=True)


@router.post("/connector-requests", operation_id="ask_for_connector", status_code=201)
async def ask_for_connector(new: NewRequest, _who: OwnWriter, whose: Whose, rooms: Rooms) -> RequestShown:
    """Asks whoever manages connectors to switch one on. Nothing is contacted. Who asks for the same joins in."""
    await demand_members(rooms, whose)
    asked = await rooms.requests.ask(whose, url=new.url, name=new.name)
    return RequestShown.of(asked).model_copy(update={"askers": [whose.id]})


@router.get("/organizations/{organization}/connector-requests", operation_id="list_requests")
async def list_requests(organization: OrganizationId, who: Reader, rooms: Rooms, at: At) -> Page[RequestShown]:
    """What members asked for, the newest first. For whoever sees the people."""
    demand_own(who, organization)
    demand_act(who, Act.SEE_PEOPLE)
    await rooms.organizations.get(organization)
    return at.page(await rooms.requests.of(organization), by=by_age, show=RequestShown.of, newest_first=True)


@router.post("/organizations/{organization}/connector-requests/{request_id}", operation_id="resolve_request")
async def resolve_request(
    organization: OrganizationId, request_id: RequestId, given: Decision, who: Decider, whose: Whose, rooms: Rooms
) -> RequestShown:
    """Switches it on, adding it if it is not there, or says no. Nobody is connected by it. For owners and admins."""
    demand_own(who, organization)
    demand_act(who, Act.MANAGE_CONNECTORS)
    by = actor_of(who)
    if given.decision == "approved":
        return RequestShown.of(await rooms.requests.approve(whose, request_id, by=by, auth_kind=given.auth_kind))
    return RequestShown.of(await rooms.requests.dismiss(organization, request_id, by=by))


async def demand_members(rooms: Services, person: Person) -> None:
    """Raises `Conflict` for who is on their own: there is nobody to ask."""
    if (await rooms.organizations.get(person.organization_id)).kind == "personal":
        raise Conflict("Nobody has to be asked here.", hint="Add the connector: `valetkey connector add`.")
