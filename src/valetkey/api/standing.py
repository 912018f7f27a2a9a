"""Approvals that stand for a number of calls: listed and revoked. They are given on a page, and nowhere else."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of
from valetkey.api.paging import At, Page
from valetkey.identity.model import Principal
from valetkey.policy.standing_model import StandingApproval

router = APIRouter(prefix="/approvals/standing", tags=["policy"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_READ))]
Setter = Annotated[Principal, Depends(Needs(Scope.PERMISSIONS_WRITE))]


class StandingShown(BaseModel):
    """Without the arguments: those are on the page, for its person.

    `state` is one of stands, used_up, ran_out, ended; the last says why in `ended_because`.
    """

    id: str
    state: str
    tool: str
    connection_id: str
    client_id: str
    client_name: str
    counts_as: str
    how: str
    calls: int
    uses_left: int
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    ended_because: str

    @classmethod
    def of(cls, one: StandingApproval, now: datetime) -> StandingShown:
        return cls(
            id=one.id, state=one.state_at(now), tool=one.tool, connection_id=one.connection_id,
            client_id=one.client_id, client_name=one.client_name, counts_as=one.counts_as,
            how="passkey" if one.proof else "click", calls=one.calls, uses_left=one.uses_left,
            created_at=one.created_at, expires_at=one.expires_at, last_used_at=one.last_used_at,
            ended_because=one.ended_because,
        )  # fmt: skip


@router.get("", operation_id="list_standing_approvals")
async def list_standing(_who: Reader, whose: Whose, rooms: Rooms, at: At) -> Page[StandingShown]:
    """What assistants may do without asking each time, and what became of what they could."""
    now = rooms.clock.now()
    found = await rooms.policy.standing.page(whose.id, before=at.text, limit=at.one_more)
    return at.page(found, by=lambda one: (one.id,), newest_first=True, show=lambda one: StandingShown.of(one, now))


@router.delete("/{standing_id}", operation_id="revoke_standing_approval", status_code=204)
async def revoke_standing(standing_id: str, who: Setter, whose: Whose, rooms: Rooms) -> None:
    """Ends it at once, everywhere: the assistant has to ask again."""
    await rooms.policy.standing.revoke(whose.id, standing_id, actor=actor_of(who))
