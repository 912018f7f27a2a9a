"""The tools of a connection as last seen, and which of them the person has switched on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of
from valetkey.api.services import Services
from valetkey.directory.model import Snapshot, Tool
from valetkey.identity.model import Person, Principal
from valetkey.kernel.errors import BadInput, Conflict, NotFound, printable
from valetkey.policy.model import Permission, Setting

_NAMES_IN_TRAIL = 20

router = APIRouter(prefix="/connections/{connection_id}/tools", tags=["connections"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_READ))]
Switcher = Annotated[Principal, Depends(Needs(Scope.PERMISSIONS_WRITE))]


class ToolShown(BaseModel):
    """`says_…` is the service's own claim. `changed_since` means: switched on once, in another definition."""

    name: str
    title: str
    description: str
    fingerprint: str
    says_read_only: bool
    says_destructive: bool
    switched_on: bool
    changed_since: bool
    definition: dict[str, Any]

    @classmethod
    def of(cls, tool: Tool, permission: Permission | None) -> ToolShown:
        said = permission is not None and permission.setting is Setting.ALLOW
        same = permission is not None and said and permission.fingerprint == tool.fingerprint
        return cls(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            fingerprint=tool.fingerprint,
            says_read_only=tool.says_read_only,
            says_destructive=tool.says_destructive,
            switched_on=same,
            changed_since=said and not same,
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
    """Switches tools on, each in the definition with its fingerprint, and off; nothing if one is unknown."""
    snapshot = await _seen(rooms, whose, connection_id)
    chosen = [_chosen(snapshot, exactly) for exactly in switches.on]
    if both := {tool.name for tool in chosen} & set(switches.off):
        raise BadInput("A tool cannot be switched on and off at once.", field="off", hint=f"{len(both)} are in both.")
    await rooms.policy.permissions.withdraw(connection_id, switches.off)
    await rooms.policy.permissions.allow(connection_id, chosen)
    await rooms.trail.write(
        "tools.switched",
        actor=actor_of(who),
        organization_id=whose.organization_id,
        person_id=whose.id,
        object=connection_id,
        detail={"on": _names([tool.name for tool in chosen]), "off": _names(switches.off)},
    )
    return await _tools(rooms, snapshot)


def _names(tools: Sequence[str]) -> list[str]:
    """For the trail, whose events are small."""
    more = len(tools) - _NAMES_IN_TRAIL
    return [
        *(printable(tool, limit=60) for tool in tools[:_NAMES_IN_TRAIL]),
        *([f"and {more} more"] if more > 0 else []),
    ]


async def _seen(rooms: Services, whose: Person, connection_id: str) -> Snapshot:
    await rooms.connections.get(whose.id, connection_id)
    snapshot = await rooms.snapshots.get(connection_id)
    if snapshot is None:
        raise NotFound("The tools of this connection have not been listed yet.", hint="Connect it first.")
    return snapshot


def _chosen(snapshot: Snapshot, exactly: Exactly) -> Tool:
    tool = snapshot.tool(exactly.name)
    if tool is None:
        raise NotFound("There is no such tool on this connection.")
    if tool.fingerprint != exactly.fingerprint:
        raise Conflict("A tool is not what it was when you looked at it.", hint="List the tools again.")
    return tool


async def _tools(rooms: Services, snapshot: Snapshot) -> Tools:
    on = await rooms.policy.permissions.given(snapshot.connection_id)
    return Tools(
        items=[ToolShown.of(tool, on.get(tool.name)) for tool in snapshot.tools], fetched_at=snapshot.fetched_at
    )
