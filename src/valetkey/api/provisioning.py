"""What an organization's owner sets of its directory: the tokens it shows, and which role each of its groups gives."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from valetkey.api.asking import Needs, Rooms, Scope, actor_of
from valetkey.api.paging import At, Page, by_age
from valetkey.api.shown_once import SHOWN_ONCE
from valetkey.api.sign_in import OrganizationId, demand_owner
from valetkey.identity.model import Principal, Role
from valetkey.identity.provisioning.model import Group, ProvisioningToken

router = APIRouter(prefix="/organizations/{organization}", tags=["provisioning"])

Reader = Annotated[Principal, Depends(Needs(Scope.ORGANIZATIONS_READ, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.ORGANIZATIONS_WRITE, operator=True))]
TokenId = Annotated[str, Path(max_length=40)]
GroupId = Annotated[str, Path(max_length=40)]


class ProvisioningTokenShown(BaseModel):
    id: str
    name: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, token: ProvisioningToken) -> ProvisioningTokenShown:
        return cls(
            id=token.id,
            name=token.name,
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
        )


class NewProvisioningToken(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=100)
    days: int = Field(default=365, ge=1, le=365)


class ProvisioningTokenMade(ProvisioningTokenShown):
    token: str = Field(description="Shown this once. It speaks for the organization's directory at /scim/v2 alone.")


class GroupShown(BaseModel):
    id: str
    name: str
    role: Role | None = Field(description="What its members have here; null: it says nothing of it.")
    members: int
    changed_at: datetime

    @classmethod
    def of(cls, group: Group) -> GroupShown:
        return cls(
            id=group.id, name=group.name, role=group.role, members=len(group.members), changed_at=group.changed_at
        )


class GroupRole(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["admin", "auditor", "member"] | None = Field(
        description="No group makes owners. A member of several has the strongest; ceilings are set by role."
    )


@router.get("/provisioning-tokens", operation_id="list_provisioning_tokens")
async def list_provisioning_tokens(
    organization: OrganizationId, who: Reader, rooms: Rooms, at: At
) -> Page[ProvisioningTokenShown]:
    """Oldest first; never the tokens themselves."""
    await demand_owner(who, organization, rooms, fresh=False)
    found = await rooms.provisioning.tokens.list(organization)
    return at.page(found, by=by_age, show=ProvisioningTokenShown.of)


@router.post(
    "/provisioning-tokens", operation_id="create_provisioning_token", status_code=201, openapi_extra=SHOWN_ONCE
)
async def create_provisioning_token(
    organization: OrganizationId, new: NewProvisioningToken, who: Writer, rooms: Rooms
) -> ProvisioningTokenMade:
    """A token for the organization's directory. An owner, with a token of their own made within the hour."""
    await demand_owner(who, organization, rooms)
    token, made = await rooms.provisioning.tokens.create(
        organization, new.name, timedelta(days=new.days), by=actor_of(who)
    )
    # Revealed because this answer is the one time that it is seen.
    return ProvisioningTokenMade(**ProvisioningTokenShown.of(made).model_dump(), token=token.reveal().decode())


@router.delete("/provisioning-tokens/{token_id}", operation_id="revoke_provisioning_token", status_code=204)
async def revoke_provisioning_token(organization: OrganizationId, token_id: TokenId, who: Writer, rooms: Rooms) -> None:
    """It speaks for nobody any more, at once."""
    await demand_owner(who, organization, rooms)
    await rooms.provisioning.tokens.revoke(organization, token_id, by=actor_of(who))


@router.get("/groups", operation_id="list_groups")
async def list_groups(organization: OrganizationId, who: Reader, rooms: Rooms, at: At) -> Page[GroupShown]:
    """The groups that the organization's directory has told of."""
    await demand_owner(who, organization, rooms, fresh=False)
    found = await rooms.provisioning.directory.groups(organization)
    return at.page(found, by=lambda one: (one.id,), show=GroupShown.of)


@router.put("/groups/{group_id}/role", operation_id="set_group_role")
async def set_group_role(
    organization: OrganizationId, group_id: GroupId, wanted: GroupRole, who: Writer, rooms: Rooms
) -> GroupShown:
    """Which role the group's members have here, from now on and at once."""
    await demand_owner(who, organization, rooms)
    role = Role(wanted.role) if wanted.role else None
    return GroupShown.of(await rooms.provisioning.directory.give_role(organization, group_id, role, by=actor_of(who)))
