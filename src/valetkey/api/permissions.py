"""What a person says about the tools of a connection: allow, ask or block each, or a level for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of
from valetkey.api.services import Services
from valetkey.directory.model import Snapshot
from valetkey.identity.model import Person, Principal
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.policy.choices import Choice, Level, level_of, why_not
from valetkey.policy.gate import Subject
from valetkey.policy.model import Setting
from valetkey.policy.seen import exactly, seen_of

router = APIRouter(prefix="/connections/{connection_id}/permissions", tags=["connections"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_READ))]
Setter = Annotated[Principal, Depends(Needs(Scope.PERMISSIONS_WRITE))]

AS_ITS_CLASS = "class"
"""What is said when nothing is: the tool's class decides."""


class PermissionShown(BaseModel):
    """`setting` is what the person said: allow, ask, block, or class. `effect`, `rule` and `reason` are what holds now.

    `lapsed`: they allowed it once, in another definition or a lower class. `never` says why it cannot be always
    allowed; empty where it can.
    """

    name: str
    title: str
    fingerprint: str
    tool_class: str
    counts_as: str
    because: str
    setting: str
    lapsed: bool
    effect: Literal["allow", "ask", "deny"]
    rule: str
    reason: str
    never: str

    @classmethod
    def of(cls, one: Choice) -> PermissionShown:
        return cls(
            name=one.tool.name, title=one.tool.title, fingerprint=one.tool.fingerprint,
            tool_class=one.classified.tool_class, counts_as=one.classified.counts_as, because=one.classified.because,
            setting=one.said.value if one.said is not None else AS_ITS_CLASS, lapsed=one.has_lapsed,
            effect=one.decision.effect.value, rule=one.decision.rule, reason=one.decision.reason, never=one.never,
        )  # fmt: skip


class LevelShown(BaseModel):
    """A level, how many of the tools it would allow, and why it cannot be had here; empty where it can."""

    level: Level
    allows: int
    never: str


class Permissions(BaseModel):
    """`level` is the one that says what was said of each tool; none where the person chose otherwise.

    `seen` is what to send back to set a level for exactly these tools.
    """

    level: Level | None
    levels: list[LevelShown]
    seen: str
    items: list[PermissionShown]

    @classmethod
    def of(cls, choices: Sequence[Choice]) -> Permissions:
        return cls(
            level=level_of(choices),
            levels=[
                LevelShown(
                    level=each,
                    allows=sum(one.at(each) is Setting.ALLOW for one in choices),
                    never=why_not(each, choices),
                )
                for each in Level
            ],
            seen=seen_of([one.tool for one in choices]),
            items=[PermissionShown.of(one) for one in choices],
        )


class SaidOfTool(BaseModel):
    """`fingerprint` is that of the definition that was looked at; an *allow* is for that one alone."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=255)
    fingerprint: str = Field(max_length=64)
    setting: Literal["allow", "ask", "block", "class"]


class Saying(BaseModel):
    model_config = ConfigDict(extra="forbid")

    say: list[SaidOfTool] = Field(max_length=5000)


class LevelSet(BaseModel):
    model_config = ConfigDict(extra="forbid")

    level: Level
    seen: str = Field(max_length=64)


@router.get("", operation_id="list_permissions")
async def list_permissions(connection_id: str, who: Reader, whose: Whose, rooms: Rooms) -> Permissions:
    """What the person said about each tool, and what holds now."""
    place, snapshot = await _place(rooms, whose, connection_id)
    return Permissions.of(await rooms.policy.choices.read(who, place, snapshot.tools))


@router.post("", operation_id="set_permissions")
async def set_permissions(connection_id: str, saying: Saying, who: Setter, whose: Whose, rooms: Rooms) -> Permissions:
    """Sets what is said of some tools, all of it or nothing."""
    place, snapshot = await _place(rooms, whose, connection_id)
    if len({one.name for one in saying.say}) < len(saying.say):
        raise BadInput("A tool is named twice.", field="say")
    meant = [(exactly(snapshot, one.name, one.fingerprint), one.setting) for one in saying.say]
    said = [(tool, Setting(setting)) for tool, setting in meant if setting != AS_ITS_CLASS]
    taken_back = [tool.name for tool, setting in meant if setting == AS_ITS_CLASS]
    await rooms.policy.choices.say(who, place, said, taken_back, actor=actor_of(who))
    return Permissions.of(await rooms.policy.choices.read(who, place, snapshot.tools))


@router.post("/level", operation_id="set_permission_level")
async def set_level(connection_id: str, wanted: LevelSet, who: Setter, whose: Whose, rooms: Rooms) -> Permissions:
    """Says of every tool what a level says; what the person blocked stays blocked."""
    place, snapshot = await _place(rooms, whose, connection_id)
    if wanted.seen != seen_of(snapshot.tools):
        raise Conflict("The tools are not what they were when you looked at them.", hint="List them again.")
    await rooms.policy.choices.set_level(who, place, snapshot.tools, wanted.level, actor=actor_of(who))
    return Permissions.of(await rooms.policy.choices.read(who, place, snapshot.tools))


async def _place(rooms: Services, whose: Person, connection_id: str) -> tuple[Subject, Snapshot]:
    found = await rooms.connections.get(whose.id, connection_id)
    connector = await rooms.connectors.by_id(found.connector_id)
    snapshot = await rooms.snapshots.get(connection_id)
    if snapshot is None:
        raise NotFound("The tools of this connection have not been listed yet.", hint="Connect it first.")
    return Subject(found.id, found.label, connector, None, f"/connections/{found.id}", ""), snapshot
