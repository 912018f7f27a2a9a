"""People: listing, adding, inviting, disabling and removing them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from valetkey.api.asking import Needs, Rooms, Scope, actor_of, demand_act, find_person
from valetkey.api.keys import demand_fresh
from valetkey.api.paging import At, Page
from valetkey.api.services import Services
from valetkey.api.shown_once import SHOWN_ONCE
from valetkey.identity.model import Person, Principal, Role
from valetkey.identity.organizations import tell_made
from valetkey.identity.roles import Act
from valetkey.kernel.errors import Forbidden, NotFound
from valetkey.privacy.offboard import Left

router = APIRouter(prefix="/people", tags=["people"])

Reader = Annotated[Principal, Depends(Needs(Scope.PEOPLE_READ, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.PEOPLE_WRITE, operator=True))]


class PersonShown(BaseModel):
    id: str
    login: str
    display_name: str
    state: str
    organization_id: str
    role: Role
    created_at: datetime

    @classmethod
    def of(cls, person: Person) -> PersonShown:
        return cls(
            id=person.id,
            login=person.login,
            display_name=person.display_name,
            state=person.state,
            organization_id=person.organization_id,
            role=person.role,
            created_at=person.created_at,
        )


class NewPerson(BaseModel):
    model_config = ConfigDict(extra="forbid")

    login: str = Field(max_length=254)
    display_name: str = Field(default="", max_length=100, description="Default: the login.")
    organization_id: str = Field(
        default="", max_length=40, description="Default: the asker's; for the operator, a personal one of their own."
    )
    role: Role | None = Field(
        default=None, description="Default: member; the owner of a personal organization of their own."
    )


class LeftShown(BaseModel):
    connections: int = Field(description="Ended at their services and destroyed here.")
    unconfirmed: int = Field(description="Of those: where the service did not say that it has forgotten the access.")
    days: int = Field(description="Of calls whose contents can be opened no more.")

    @classmethod
    def of(cls, left: Left) -> LeftShown:
        return cls(connections=left.connections, unconfirmed=left.unconfirmed, days=left.days)


class MovedShown(LeftShown):
    person: PersonShown = Field(description="As they are now, in an organization of their own.")


class Invitation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    recovery: StrictBool = Field(
        default=False,
        description="Also for a person who has a password or passkey. Operator only; the person is shown it.",
    )


class Link(BaseModel):
    """A one-time sign-in link, good for 15 minutes."""

    person: PersonShown
    url: str


@router.get("", operation_id="list_people")
async def list_people(
    who: Reader, rooms: Rooms, at: At, organization: Annotated[str, Query(max_length=40)] = ""
) -> Page[PersonShown]:
    """Members of the asker's organization; the operator sees those of all, or of one."""
    demand_act(who, Act.SEE_PEOPLE)
    if who.kind == "operator":
        chosen = [await rooms.organizations.get(organization)] if organization else await rooms.organizations.list()
        found = [person for each in chosen for person in await rooms.people.list(each.id)]
    else:
        _demand_own(who, organization)
        found = await rooms.people.list(who.organization_id)
    return at.page(found, by=lambda one: (one.organization_id, one.login, one.id), show=PersonShown.of)


@router.post("", operation_id="add_person", status_code=201)
async def add_person(new: NewPerson, who: Writer, rooms: Rooms) -> PersonShown:
    """A new person, without a credential: invite them so that they can sign in."""
    demand_act(who, Act.MANAGE_PEOPLE)
    if who.kind != "operator":
        _demand_own(who, new.organization_id)
        role = new.role or Role.MEMBER
        _demand_may_manage(who, role)
        return PersonShown.of(await _create(rooms, new, who, who.organization_id, role))
    if new.organization_id:
        return PersonShown.of(await _create(rooms, new, who, new.organization_id, new.role or Role.MEMBER))
    own = await rooms.organizations.create(new.display_name or new.login, "personal")
    await tell_made(rooms.trail, own, by=actor_of(who))
    return PersonShown.of(await _create(rooms, new, who, own.id, new.role or Role.OWNER))


@router.post("/{person}/invite", operation_id="invite_person", status_code=201, openapi_extra=SHOWN_ONCE)
async def invite_person(person: str, invitation: Invitation, who: Writer, rooms: Rooms) -> Link:
    """A one-time sign-in link to hand to the person. It works while they have no password or passkey."""
    demand_act(who, Act.MANAGE_PEOPLE)
    found = await _member(who, rooms, person)
    if invitation.recovery and who.kind != "operator":
        # A link beside a credential opens the person's account: no role does (admin is not access to content).
        raise Forbidden("Only the operator, on the hub's host, can issue a recovery link.")
    purpose = "recovery" if invitation.recovery else "invite"
    # One of the two literals that `issue` takes, though mypy sees a str.
    token = await rooms.links.issue(found.id, purpose=purpose, by=actor_of(who))  # type: ignore[arg-type]
    return Link(person=PersonShown.of(found), url=rooms.pages.sign_in(token))


@router.post("/{person}/disable", operation_id="disable_person")
async def disable_person(person: str, who: Writer, rooms: Rooms) -> PersonShown:
    """Ends the person's sessions and tokens at once, and lets them sign in no more."""
    demand_act(who, Act.MANAGE_PEOPLE)
    found = await _member(who, rooms, person)
    await rooms.people.disable(found.id, by=actor_of(who))
    return PersonShown.of(await rooms.people.get(found.id))


@router.delete("/{person}", operation_id="remove_person")
async def remove_person(person: str, who: Writer, rooms: Rooms) -> LeftShown:
    """The person leaves: out at once, every connection revoked and destroyed, contents of calls erased, name forgotten.

    An owner or admin for their members; everybody for themselves, with a token made within the hour.
    """
    found = await find_person(rooms, person)
    if found.id == who.person_id:
        await demand_fresh(who, rooms)
    else:
        demand_act(who, Act.MANAGE_PEOPLE)
        found = await _member(who, rooms, person)
    return LeftShown.of(await rooms.offboarding.remove(found.id, by=actor_of(who)))


@router.post("/{person}/leave", operation_id="leave_organization")
async def leave_organization(person: str, who: Writer, rooms: Rooms) -> MovedShown:
    """The person leaves their organization and keeps their account, in an organization of their own.

    Their connections are revoked and destroyed, tokens ended, contents of calls erased. An owner or admin for their
    members; everybody for themselves, with a token made within the hour.
    """
    found = await find_person(rooms, person)
    if found.id == who.person_id:
        await demand_fresh(who, rooms)
    else:
        demand_act(who, Act.MANAGE_PEOPLE)
        found = await _member(who, rooms, person)
    moved = await rooms.leaving.leave(found.id, by=actor_of(who))
    return MovedShown(**LeftShown.of(moved.left).model_dump(), person=PersonShown.of(moved.person))


async def _create(rooms: Services, new: NewPerson, who: Principal, organization_id: str, role: Role) -> Person:
    return await rooms.people.create(
        login=new.login, display_name=new.display_name, organization_id=organization_id, role=role, by=actor_of(who)
    )


async def _member(who: Principal, rooms: Services, name: str) -> Person:
    found = await find_person(rooms, name)
    if who.kind != "operator":
        if found.organization_id != who.organization_id:
            raise NotFound("There is no such person.")
        _demand_may_manage(who, found.role)
    return found


def _demand_own(who: Principal, organization_id: str) -> None:
    if organization_id and organization_id != who.organization_id:
        raise NotFound("There is no such organization.")


def _demand_may_manage(who: Principal, role: Role) -> None:
    if role is Role.OWNER:
        demand_act(who, Act.MANAGE_OWNERS)
