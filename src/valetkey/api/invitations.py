"""Invitations of people with an account of their own; joining is their own act, and moves nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of, demand_act
from valetkey.api.keys import demand_fresh
from valetkey.api.paging import At, Page, by_age
from valetkey.api.people import LeftShown, MovedShown, PersonShown
from valetkey.api.sign_in import OrganizationId, demand_own
from valetkey.identity.model import Invitation, Principal, Role
from valetkey.identity.roles import Act
from valetkey.kernel.errors import NotFound

router = APIRouter(tags=["people"])

Reader = Annotated[Principal, Depends(Needs(Scope.PEOPLE_READ, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.PEOPLE_WRITE, operator=True))]
OwnReader = Annotated[Principal, Depends(Needs(Scope.PEOPLE_READ))]
OwnWriter = Annotated[Principal, Depends(Needs(Scope.PEOPLE_WRITE))]
InvitationId = Annotated[str, Path(max_length=40)]


class InvitationShown(BaseModel):
    id: str
    organization_id: str
    person_id: str
    role: Role
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, one: Invitation) -> InvitationShown:
        return cls(
            id=one.id, organization_id=one.organization_id, person_id=one.person_id, role=one.role,
            created_at=one.created_at, expires_at=one.expires_at,
        )  # fmt: skip


class InvitationToMe(InvitationShown):
    organization: str = Field(description="Its name.")
    connections: int = Field(description="How many connections joining would revoke and destroy.")
    allows_training: bool = Field(description="Whether a yes to training would be taken back.")


class NewInvitation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    login: str = Field(max_length=254)
    role: Literal["admin", "auditor", "member"] = "member"


@router.get("/organizations/{organization}/invitations", operation_id="list_invitations")
async def list_invitations(organization: OrganizationId, who: Reader, rooms: Rooms, at: At) -> Page[InvitationShown]:
    """Those that are open, oldest first."""
    demand_own(who, organization)
    demand_act(who, Act.SEE_PEOPLE)
    await rooms.organizations.get(organization)
    found = await rooms.invitations.of_organization(organization)
    return at.page(found, by=by_age, show=InvitationShown.of)


@router.post("/organizations/{organization}/invitations", operation_id="invite_member", status_code=201)
async def invite_member(organization: OrganizationId, new: NewInvitation, who: Writer, rooms: Rooms) -> InvitationShown:
    """Asks somebody who has an account of their own here. They see it in their settings, and decide."""
    demand_own(who, organization)
    demand_act(who, Act.MANAGE_PEOPLE)
    return InvitationShown.of(await rooms.invitations.invite(organization, new.login, Role(new.role), by=actor_of(who)))


@router.delete(
    "/organizations/{organization}/invitations/{invitation}", operation_id="withdraw_invitation", status_code=204
)
async def withdraw_invitation(
    organization: OrganizationId, invitation: InvitationId, who: Writer, rooms: Rooms
) -> None:
    """Takes it back."""
    demand_own(who, organization)
    demand_act(who, Act.MANAGE_PEOPLE)
    await rooms.invitations.withdraw(organization, invitation, by=actor_of(who))


@router.get("/invitations", operation_id="list_my_invitations")
async def list_my_invitations(_who: OwnReader, whose: Whose, rooms: Rooms, at: At) -> Page[InvitationToMe]:
    """Those to the asker, with what joining would end."""
    ahead = await rooms.joining.ahead(whose.id)
    cut = at.cut(await rooms.invitations.to(whose.id), by=by_age)
    return Page(
        items=[
            InvitationToMe(
                **InvitationShown.of(one).model_dump(),
                organization=(await rooms.organizations.get(one.organization_id)).name,
                connections=ahead.connections,
                allows_training=ahead.allows_training,
            )
            for one in cut.rows
        ],
        next=cut.next,
    )


@router.post("/invitations/{invitation}/join", operation_id="join_organization")
async def join_organization(invitation: InvitationId, who: OwnWriter, whose: Whose, rooms: Rooms) -> MovedShown:
    """The person becomes a member. Nothing moves: what they connected is revoked and destroyed, tokens end, contents of

    their calls are erased, a yes to training is taken back. With a token made within the hour, which ends with it.
    """
    if who.person_id != whose.id:
        raise NotFound("There is no such invitation.")
    await demand_fresh(who, rooms)
    moved = await rooms.joining.join(whose.id, invitation, by=actor_of(who))
    return MovedShown(**LeftShown.of(moved.left).model_dump(), person=PersonShown.of(moved.person))


@router.delete("/invitations/{invitation}", operation_id="decline_invitation", status_code=204)
async def decline_invitation(invitation: InvitationId, who: OwnWriter, whose: Whose, rooms: Rooms) -> None:
    """The person does not want to."""
    await rooms.invitations.decline(whose.id, invitation, by=actor_of(who))
