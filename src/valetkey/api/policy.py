"""What organizations permit at most, why a call is decided as it is, and what waits for a person's yes.

Nothing here gives a yes: that takes the person's own browser session.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of, demand_act
from valetkey.api.connectors import ConnectorShown
from valetkey.api.paging import At, Page
from valetkey.directory.model import EVERY_TOOL
from valetkey.directory.raising import raise_class
from valetkey.identity.model import Principal
from valetkey.identity.roles import Act
from valetkey.policy.approval_model import Approval
from valetkey.policy.gate import Subject
from valetkey.policy.model import ANY, Ceiling, Decision, Setting

router = APIRouter(tags=["policy"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_READ))]
Setter = Annotated[Principal, Depends(Needs(Scope.PERMISSIONS_WRITE))]


class CeilingShown(BaseModel):
    """`*` is everywhere. `tool_class` is one of R, W, M, H, V, X; `role` one of owner, admin, auditor, member."""

    id: str
    connector: str
    tool: str
    tool_class: str
    role: str
    setting: Setting
    set_by: str
    set_at: datetime

    @classmethod
    def of(cls, one: Ceiling) -> CeilingShown:
        return cls(
            id=one.id, connector=one.connector, tool=one.tool, tool_class=one.tool_class, role=one.role,
            setting=one.setting, set_by=one.set_by, set_at=one.set_at,
        )  # fmt: skip


class NewCeiling(BaseModel):
    model_config = ConfigDict(extra="forbid")

    setting: Setting
    connector: str = Field(ANY, max_length=40)
    tool: str = Field(ANY, max_length=255)
    tool_class: str = Field(ANY, max_length=1)
    role: str = Field(ANY, max_length=10)


class VerticalSwitch(BaseModel):
    """Whether class V may be asked for on this unverified connector."""

    model_config = ConfigDict(extra="forbid")

    connector: str = Field(max_length=40)
    enabled: StrictBool


class RaisedWanted(BaseModel):
    """For `*` one of finance, legal, medical and insurance; for a tool one of W, M, H and V; empty takes it back."""

    model_config = ConfigDict(extra="forbid")

    tool: str = Field(EVERY_TOOL, max_length=255)
    to: str = Field(max_length=10)


class StepShown(BaseModel):
    level: str
    rule: str
    effect: str
    words: str


class Explained(BaseModel):
    """A decision with the chain that led to it. `how` is what a person's yes would take, where one is asked for."""

    effect: Literal["allow", "ask", "deny"]
    rule: str
    reason: str
    how: str
    tool_class: str
    counts_as: str
    because: str
    chain: list[StepShown]

    @classmethod
    def of(cls, decision: Decision) -> Explained:
        kind = decision.classified
        return cls(
            effect=decision.effect.value,
            rule=decision.rule,
            reason=decision.reason,
            how=decision.how if decision.effect == "ask" else "",
            tool_class=kind.tool_class if kind else "",
            counts_as=kind.counts_as if kind else "",
            because=kind.because if kind else "",
            chain=[StepShown(level=s.level, rule=s.rule, effect=s.effect, words=s.words) for s in decision.chain],
        )


class ApprovalShown(BaseModel):
    """Without the arguments: those are on its page, for its person."""

    id: str
    state: str
    tool: str
    connection_id: str
    client_name: str
    counts_as: str
    rule: str
    how: str
    created_at: datetime
    expires_at: datetime
    page: str

    @classmethod
    def of(cls, one: Approval, now: datetime) -> ApprovalShown:
        return cls(
            id=one.id, state=one.state_at(now), tool=one.tool, connection_id=one.connection_id,
            client_name=one.client_name, counts_as=one.counts_as, rule=one.rule, how=one.how,
            created_at=one.created_at, expires_at=one.expires_at, page=one.path,
        )  # fmt: skip


@router.get("/policy/ceilings", operation_id="list_ceilings")
async def list_ceilings(who: Reader, rooms: Rooms, at: At) -> Page[CeilingShown]:
    """What the asker's organization permits at most."""
    found = await rooms.policy.ceilings.list(who.organization_id)
    return at.page(found, by=lambda one: (one.id,), show=CeilingShown.of)


@router.post("/policy/ceilings", operation_id="set_ceiling", status_code=201)
async def set_ceiling(new: NewCeiling, who: Setter, rooms: Rooms) -> CeilingShown:
    """Sets a ceiling, in the place of one for the same. Acts at once, everywhere."""
    demand_act(who, Act.SET_CEILINGS)
    made = await rooms.policy.ceilings.set(
        who.organization_id, new.setting, actor=actor_of(who), connector=new.connector, tool=new.tool,
        tool_class=new.tool_class, role=new.role,
    )  # fmt: skip
    return CeilingShown.of(made)


@router.delete("/policy/ceilings/{ceiling_id}", operation_id="remove_ceiling", status_code=204)
async def remove_ceiling(ceiling_id: str, who: Setter, rooms: Rooms) -> None:
    """Takes a ceiling away."""
    demand_act(who, Act.SET_CEILINGS)
    await rooms.policy.ceilings.remove(who.organization_id, ceiling_id, actor=actor_of(who))


@router.post("/policy/verticals", operation_id="enable_vertical", status_code=204)
async def enable_vertical(switch: VerticalSwitch, who: Setter, rooms: Rooms) -> None:
    """Lets tools of class V of an unverified connector be asked for, or stops that."""
    demand_act(who, Act.MANAGE_ORGANIZATION)
    await rooms.policy.ceilings.enable_vertical(
        who.organization_id, switch.connector, is_on=switch.enabled, actor=actor_of(who)
    )


@router.put("/connectors/{slug}/raised", operation_id="raise_class")
async def raise_a_class(slug: str, wanted: RaisedWanted, who: Setter, whose: Whose, rooms: Rooms) -> ConnectorShown:
    """Says what the connector acts in, or of which class one of its tools is at least. It only makes things stricter.

    Acts with the next call, everywhere. For owners.
    """
    demand_act(who, Act.MANAGE_ORGANIZATION)
    connector = await rooms.connectors.get(slug, whose)
    await raise_class(
        rooms.connectors, rooms.trail, connector, tool=wanted.tool, to=wanted.to, by=actor_of(who)
    )  # fmt: skip
    return ConnectorShown.of(await rooms.connectors.get(slug, whose))


@router.get("/connections/{connection_id}/decision", operation_id="explain_decision")
async def explain(
    connection_id: str,
    who: Reader,
    whose: Whose,
    rooms: Rooms,
    tool: Annotated[str, Query(max_length=255)] = "",
) -> Explained:
    """What would be decided about a call of this tool now, and why."""
    found = await rooms.connections.get(whose.id, connection_id)
    connector = await rooms.connectors.by_id(found.connector_id)
    place = Subject(found.id, found.label, connector, None, f"/connections/{found.id}", "")
    snapshot = await rooms.snapshots.get(connection_id)
    return Explained.of(await rooms.policy.choices.explain(who, place, snapshot, tool))


@router.get("/approvals", operation_id="list_approvals")
async def list_approvals(_who: Reader, whose: Whose, rooms: Rooms, at: At) -> Page[ApprovalShown]:
    """What waits for the person's yes, and what became of what did. It is given on the page, and nowhere else."""
    now = rooms.clock.now()
    found = await rooms.policy.approvals.page(whose.id, before=at.text, limit=at.one_more)
    return at.page(found, by=lambda one: (one.id,), newest_first=True, show=lambda one: ApprovalShown.of(one, now))
