"""The tools of a connection as last seen, and which of them the person has switched on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of, demand_act
from valetkey.api.services import Services
from valetkey.directory.model import Drift, Snapshot, Tool
from valetkey.identity.model import Person, Principal
from valetkey.identity.roles import Act
from valetkey.kernel.errors import BadInput, NotFound
from valetkey.policy.gate import Subject
from valetkey.policy.model import Permission, Setting
from valetkey.policy.seen import exactly

router = APIRouter(prefix="/connections/{connection_id}/tools", tags=["connections"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_READ))]
Switcher = Annotated[Principal, Depends(Needs(Scope.PERMISSIONS_WRITE))]


class ToolShown(BaseModel):
    """`says_…` is the service's own claim. `changed_since` means: switched on once, in another definition.

    `held` says in a word why a tool can be neither listed nor called: it is `new`, `changed` or `renamed`, and nobody
    has accepted that yet. Empty for all others.
    """

    name: str
    title: str
    description: str
    fingerprint: str
    says_read_only: bool
    says_destructive: bool
    switched_on: bool
    changed_since: bool
    held: str = ""
    definition: dict[str, Any]

    @classmethod
    def of(cls, tool: Tool, permission: Permission | None, *, held: str = "") -> ToolShown:
        said = permission is not None and permission.setting is Setting.ALLOW
        same = not held and permission is not None and said and permission.fingerprint == tool.fingerprint
        return cls(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            fingerprint=tool.fingerprint,
            says_read_only=tool.says_read_only,
            says_destructive=tool.says_destructive,
            switched_on=same,
            changed_since=said and not same,
            held=held,
            definition=msgspec.json.decode(tool.raw, type=dict[str, Any]),
        )


class Tools(BaseModel):
    items: list[ToolShown]
    fetched_at: datetime


class Exactly(BaseModel):
    """A tool in the definition that was looked at."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=255)
    fingerprint: str = Field(max_length=64)


class Switches(BaseModel):
    model_config = ConfigDict(extra="forbid")

    on: list[Exactly] = Field(default_factory=list, max_length=5000)
    off: list[Annotated[str, Field(max_length=255)]] = Field(default_factory=list, max_length=5000)


@router.get("", operation_id="list_tools")
async def list_tools(connection_id: str, _who: Reader, whose: Whose, rooms: Rooms) -> Tools:
    """What the service listed last for this account."""
    return await _tools(rooms, await _seen(rooms, whose, connection_id))


@router.post("", operation_id="switch_tools")
async def switch_tools(connection_id: str, switches: Switches, who: Switcher, whose: Whose, rooms: Rooms) -> Tools:
    """Always allows tools, each in the definition with its fingerprint, or stops that; nothing if one is unknown.

    Off is what was on: that a tool is blocked, or asked for each time, is said at `/permissions`.
    """
    snapshot = await _seen(rooms, whose, connection_id)
    chosen = [exactly(snapshot, one.name, one.fingerprint) for one in switches.on]
    if both := {tool.name for tool in chosen} & set(switches.off):
        raise BadInput("A tool cannot be switched on and off at once.", field="off", hint=f"{len(both)} are in both.")
    given = await rooms.policy.permissions.given(connection_id)
    off = [name for name in switches.off if name in given and given[name].setting is Setting.ALLOW]
    found = await rooms.connections.get(whose.id, connection_id)
    connector = await rooms.connectors.by_id(found.connector_id)
    place = Subject(found.id, found.label, connector, None, f"/connections/{found.id}", "")
    await rooms.policy.choices.say(who, place, [(tool, Setting.ALLOW) for tool in chosen], off, actor=actor_of(who))
    return await _tools(rooms, snapshot)


class DifferenceShown(BaseModel):
    where: str
    old: str
    new: str


class DriftShown(BaseModel):
    """What is held, and how it differs from what was accepted. `tool` is empty for the service itself.

    `seen` is what to send back to accept exactly this.
    """

    kind: str
    tool: str
    renamed_from: str
    seen: str
    differences: list[DifferenceShown]

    @classmethod
    def of(cls, drift: Drift) -> DriftShown:
        return cls(
            kind=drift.kind,
            tool=drift.tool,
            renamed_from=drift.old.name if drift.kind == "renamed" and drift.old is not None else "",
            seen=drift.seen,
            differences=[DifferenceShown(where=one.where, old=one.old, new=one.new) for one in drift.differences],
        )


class Drifts(BaseModel):
    items: list[DriftShown]


class LookedAt(BaseModel):
    """A tool that is held, as it was looked at; or a prompt or template, as `tool` of the change names it."""

    model_config = ConfigDict(extra="forbid")

    tool: str = Field(max_length=2100)
    seen: str = Field(max_length=64)


class Accepting(BaseModel):
    """`for_everybody` accepts for every account of the organization at this connector, also where the same comes later:
    it takes a role that manages connectors.
    """

    model_config = ConfigDict(extra="forbid")

    accept: list[LookedAt] = Field(max_length=5000)
    for_everybody: StrictBool = False


@router.get("/changes", operation_id="list_changes")
async def list_changes(connection_id: str, _who: Reader, whose: Whose, rooms: Rooms) -> Drifts:
    """What the service changed since it was accepted, and is held until somebody accepts it."""
    await _seen(rooms, whose, connection_id)
    return Drifts(items=[DriftShown.of(one) for one in await rooms.snapshots.held(connection_id)])


@router.post("/changes", operation_id="accept_changes")
async def accept_changes(connection_id: str, accepting: Accepting, who: Switcher, whose: Whose, rooms: Rooms) -> Drifts:
    """Accepts changes exactly as they were looked at, all or none; what is held still."""
    await _seen(rooms, whose, connection_id)
    connection = await rooms.connections.get(whose.id, connection_id)
    looked_at = {one.tool: one.seen for one in accepting.accept}
    if accepting.for_everybody:
        demand_act(who, Act.MANAGE_CONNECTORS)
        await rooms.acceptances.accept_for_all(connection, looked_at, actor=actor_of(who))
    else:
        await rooms.acceptances.accept(connection, looked_at, actor=actor_of(who))
    return Drifts(items=[DriftShown.of(one) for one in await rooms.snapshots.held(connection_id)])


async def _seen(rooms: Services, whose: Person, connection_id: str) -> Snapshot:
    await rooms.connections.get(whose.id, connection_id)
    snapshot = await rooms.snapshots.get(connection_id)
    if snapshot is None:
        raise NotFound("The tools of this connection have not been listed yet.", hint="Connect it first.")
    return snapshot


async def _tools(rooms: Services, snapshot: Snapshot) -> Tools:
    on = await rooms.policy.permissions.given(snapshot.connection_id)
    held = [ToolShown.of(one.new, on.get(one.tool), held=one.kind) for one in snapshot.held if one.new is not None]
    usable = [ToolShown.of(tool, on.get(tool.name)) for tool in snapshot.tools]
    return Tools(items=[*usable, *held], fetched_at=snapshot.fetched_at)
