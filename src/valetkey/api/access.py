"""What an organization's owner says of its members' connectors: hosts they may reach, and groups that one is for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of
from valetkey.api.connectors import ConnectorShown, demand_may_add
from valetkey.api.sign_in import OrganizationId, demand_own, demand_owner
from valetkey.directory.access.model import EVERYBODY, Audience, Hosts
from valetkey.identity.model import Principal
from valetkey.kernel.errors import BadInput

router = APIRouter(tags=["access"])

Reader = Annotated[Principal, Depends(Needs(Scope.ORGANIZATIONS_READ, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.ORGANIZATIONS_WRITE, operator=True))]
ConnectorsWriter = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_WRITE, operator=True))]


class HostsShown(BaseModel):
    allowed: list[str] | None = Field(description="null: any host; an empty list: none.")
    denied: list[str] = Field(description="None of these, whatever is allowed.")
    set_by: str
    set_at: datetime | None

    @classmethod
    def of(cls, said: Hosts) -> HostsShown:
        reach = said.reach
        allowed = sorted(reach.allowed) if reach.is_limited else None
        return cls(allowed=allowed, denied=sorted(reach.denied), set_by=said.set_by, set_at=said.set_at)


class HostsWanted(BaseModel):
    """A host, or `*.` and a domain for all hosts below it; without a port."""

    model_config = ConfigDict(extra="forbid")

    allowed: list[Annotated[str, Field(max_length=260)]] | None = Field(
        max_length=500, description="null: any host; an empty list: none."
    )
    denied: list[Annotated[str, Field(max_length=260)]] = Field(default=[], max_length=500)


class AudienceWanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    groups: list[Annotated[str, Field(max_length=40)]] | None = Field(
        max_length=100, description="Ids of groups of the organization; null: everybody."
    )


@router.get("/organizations/{organization}/hosts", operation_id="show_hosts")
async def show_hosts(organization: OrganizationId, who: Reader, rooms: Rooms) -> HostsShown:
    """Which hosts the connectors of the organization's members may reach; every member may know."""
    demand_own(who, organization)
    await rooms.organizations.get(organization)
    return HostsShown.of(await rooms.access.hosts(organization))


@router.put("/organizations/{organization}/hosts", operation_id="set_hosts")
async def set_hosts(organization: OrganizationId, wanted: HostsWanted, who: Writer, rooms: Rooms) -> HostsShown:
    """Sets them, at once and everywhere: connectors elsewhere can be neither connected nor called.

    An owner, with a token of their own made within the hour.
    """
    await demand_owner(who, organization, rooms)
    said = await rooms.access.set_hosts(
        organization, is_limited=wanted.allowed is not None, allowed=wanted.allowed or (), denied=wanted.denied,
        by=actor_of(who),
    )  # fmt: skip
    return HostsShown.of(said)


@router.put("/connectors/{slug}/groups", operation_id="set_connector_groups")
async def set_connector_groups(
    slug: str, wanted: AudienceWanted, who: ConnectorsWriter, whose: Whose, rooms: Rooms
) -> ConnectorShown:
    """For which groups of the organization's directory the connector is: others neither connect nor call it, at once.

    For owners and admins. Nobody is connected by it: each member signs in to the service themself.
    """
    await demand_may_add(rooms, who, whose)
    connector = await rooms.connectors.get(slug, whose)
    known = {one.id for one in await rooms.provisioning.directory.groups(connector.organization_id)}
    if wanted.groups is not None and not known.issuperset(wanted.groups):
        raise BadInput("There is no such group.", field="groups", hint="`valetkey org provisioning groups` lists them.")
    audience = EVERYBODY if wanted.groups is None else Audience(False, frozenset(wanted.groups))
    await rooms.access.give_to(connector, audience, by=actor_of(who))
    return ConnectorShown.of(await rooms.connectors.get(slug, whose))
