"""What members of an organization may do by themselves, as its owner says (ORG-06, 08, 09, 11, 16, 21)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from valetkey.api.asking import Needs, Rooms, Scope, actor_of
from valetkey.api.sign_in import OrganizationId, demand_own, demand_owner
from valetkey.directory.access.model import NamedTool, Ruled, Rules, ScopeRule
from valetkey.identity.model import Principal

router = APIRouter(tags=["access"])

Reader = Annotated[Principal, Depends(Needs(Scope.ORGANIZATIONS_READ, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.ORGANIZATIONS_WRITE, operator=True))]
Name = Annotated[str, Field(min_length=1, max_length=40)]


class ScopesGranted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    connector: Name = Field(description="Its slug, or * for every one.")
    role: Name = Field(description="owner, admin, auditor, member, or * for every one.")
    scopes: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        max_length=100, description="All that accounts of this role may be granted there."
    )


class ToolNamed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    connector: Name = Field(description="Its slug, or * for every one.")
    tool: str = Field(min_length=1, max_length=255, description="Its own name, or * for every one.")


class RulesWanted(BaseModel):
    """In the place of what was said before; what is not given is as where nothing was ever said."""

    model_config = ConfigDict(extra="forbid")

    own_connectors: StrictBool = Field(default=False, description="Members add custom connectors, each for themself.")
    own_clients: StrictBool = Field(default=False, description="With a client id that they registered themself.")
    local_servers: StrictBool = Field(default=True, description="Members connect programs on the hub's host.")
    managed: list[Name] | None = Field(
        default=None, max_length=500, description="Only these connectors, by slug; null: no such set."
    )
    only_domains: StrictBool = Field(
        default=False, description="Accounts on the organization's verified domains only, as the service says."
    )
    scopes: list[ScopesGranted] = Field(default=[], max_length=200)
    owners_accept: StrictBool = Field(
        default=False, description="What services add or change waits for an owner or admin, not for each member."
    )
    text_only: list[ToolNamed] = Field(
        default=[], max_length=500, description="Tools without their interactive pages: they answer with text."
    )

    def rules(self) -> Rules:
        return Rules(
            own_connectors=self.own_connectors, own_clients=self.own_clients, local_servers=self.local_servers,
            is_exclusive=self.managed is not None, managed=frozenset(self.managed or ()),
            only_domains=self.only_domains,
            scopes=tuple(ScopeRule(one.connector, one.role, frozenset(one.scopes)) for one in self.scopes),
            owners_accept=self.owners_accept,
            text_only=frozenset(NamedTool(one.connector, one.tool) for one in self.text_only),
        )  # fmt: skip


class RulesSet(RulesWanted):
    purge: bool = Field(
        default=False,
        description="End what has no room any more, for good; else it is frozen. Both come back by connecting anew.",
    )


class RulesShown(RulesWanted):
    set_by: str
    set_at: datetime | None

    @classmethod
    def of(cls, said: Ruled) -> RulesShown:
        rules = said.rules
        return cls(
            own_connectors=rules.own_connectors, own_clients=rules.own_clients, local_servers=rules.local_servers,
            managed=sorted(rules.managed) if rules.is_exclusive else None, only_domains=rules.only_domains,
            scopes=[
                ScopesGranted(connector=one.connector, role=one.role, scopes=sorted(one.scopes))
                for one in rules.scopes
            ],
            owners_accept=rules.owners_accept,
            text_only=[ToolNamed(connector=one.connector, tool=one.tool) for one in sorted(rules.text_only)],
            set_by=said.set_by, set_at=said.set_at,
        )  # fmt: skip


@router.get("/organizations/{organization}/rules", operation_id="show_rules")
async def show_rules(organization: OrganizationId, who: Reader, rooms: Rooms) -> RulesShown:
    """What members may do by themselves; every member may know."""
    demand_own(who, organization)
    await rooms.organizations.get(organization)
    return RulesShown.of(await rooms.access.rules(organization))


@router.put("/organizations/{organization}/rules", operation_id="set_rules")
async def set_rules(organization: OrganizationId, wanted: RulesSet, who: Writer, rooms: Rooms) -> RulesShown:
    """Sets them, at once and everywhere. What they leave no room for is not called any more, and is connected anew by

    its person once there is room again. An owner, with a token of their own made within the hour.
    """
    await demand_owner(who, organization, rooms)
    return RulesShown.of(await rooms.ruling.set(organization, wanted.rules(), purge=wanted.purge, by=actor_of(who)))
