"""Profiles: a person's named choices of connections and tools, each with an MCP endpoint of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of
from valetkey.api.paging import At, Page
from valetkey.api.services import Services
from valetkey.directory.model import Choice, Profile, ToolAccess
from valetkey.identity.model import Person, Principal

router = APIRouter(prefix="/profiles", tags=["profiles"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_READ, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.PERMISSIONS_WRITE))]


class ChoiceGiven(BaseModel):
    """What of one connection is in the profile: the tools named, or all of them, later ones included."""

    model_config = ConfigDict(extra="forbid")

    connection_id: str = Field(max_length=40)
    whole: StrictBool = False
    tools: list[Annotated[str, Field(max_length=255)]] = Field(default_factory=list, max_length=5000)


class ChoiceShown(ChoiceGiven):
    connector: str
    label: str


class ProfileShown(BaseModel):
    """`path` is its endpoint below the hub's public URL. A profile switches nothing on."""

    name: str
    title: str
    access: ToolAccess
    path: str
    connections: list[ChoiceShown]
    created_at: datetime
    changed_at: datetime


class ProfileGiven(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(default="", max_length=100)
    access: str = Field(default="auto", max_length=10, description="How many tools are offered: auto, all or search.")
    connections: list[ChoiceGiven] = Field(default_factory=list, max_length=1000)


class NewProfile(ProfileGiven):
    name: str = Field(max_length=24, description="Part of its address; it stays.")


@router.get("", operation_id="list_profiles")
async def list_profiles(_who: Reader, whose: Whose, rooms: Rooms, at: At) -> Page[ProfileShown]:
    """The person's profiles, by name."""
    cut = at.cut(await rooms.profiles.list(whose.id), by=lambda one: (one.name,))
    return Page(items=[await _shown(rooms, whose, each) for each in cut.rows], next=cut.next)


@router.post("", operation_id="add_profile", status_code=201)
async def add_profile(new: NewProfile, who: Writer, whose: Whose, rooms: Rooms) -> ProfileShown:
    """A new profile."""
    made = await rooms.profiles.add(
        whose, new.name, title=new.title, access=new.access, choices=_choices(new), by=actor_of(who)
    )
    return await _shown(rooms, whose, made)


@router.get("/{name}", operation_id="show_profile")
async def show_profile(name: str, _who: Reader, whose: Whose, rooms: Rooms) -> ProfileShown:
    return await _shown(rooms, whose, await rooms.profiles.get(whose.id, name))


@router.post("/{name}", operation_id="set_profile")
async def set_profile(name: str, given: ProfileGiven, who: Writer, whose: Whose, rooms: Rooms) -> ProfileShown:
    """Replaces what the profile says, all of it."""
    changed = await rooms.profiles.set(
        whose, name, title=given.title, access=given.access, choices=_choices(given), by=actor_of(who)
    )
    return await _shown(rooms, whose, changed)


@router.delete("/{name}", operation_id="remove_profile", status_code=204)
async def remove_profile(name: str, who: Writer, whose: Whose, rooms: Rooms) -> None:
    """Its endpoint leads nowhere from now on."""
    await rooms.profiles.remove(whose, name, by=actor_of(who))


def _choices(given: ProfileGiven) -> Sequence[Choice]:
    return [Choice(one.connection_id, one.whole, frozenset(one.tools)) for one in given.connections]


async def _shown(rooms: Services, whose: Person, profile: Profile) -> ProfileShown:
    shown = []
    for connection in await rooms.connections.list(whose.id):
        if (choice := profile.choices.get(connection.id)) is not None:
            connector = await rooms.connectors.by_id(connection.connector_id)
            shown.append(
                ChoiceShown(
                    connection_id=connection.id, whole=choice.whole, tools=sorted(choice.tools),
                    connector=connector.slug, label=connection.label,
                )
            )  # fmt: skip
    return ProfileShown(
        name=profile.name,
        title=profile.title,
        access=profile.access,
        path=profile.path,
        connections=shown,
        created_at=profile.created_at,
        changed_at=profile.changed_at,
    )
