"""Assistants that a person let in: which there are, and ending what one may do. Letting one in takes a browser."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of
from valetkey.api.paging import At, Page, by_age
from valetkey.identity.model import Grant, Principal

router = APIRouter(prefix="/assistants", tags=["tokens"])

Reader = Annotated[Principal, Depends(Needs(Scope.TOKENS_READ, operator=True))]
Ender = Annotated[Principal, Depends(Needs(Scope.TOKENS_WRITE, operator=True))]


class AssistantShown(BaseModel):
    """One grant: what an assistant calls itself is its own claim."""

    id: str
    client_id: str
    client_name: str
    client_kind: str
    resource: str
    scope: str
    created_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, one: Grant) -> AssistantShown:
        return cls(
            id=one.id, client_id=one.client_id, client_name=one.client_name, client_kind=one.client_kind,
            resource=one.resource, scope=one.scope, created_at=one.created_at, last_used_at=one.last_used_at,
        )  # fmt: skip


@router.get("", operation_id="list_assistants")
async def list_assistants(_who: Reader, whose: Whose, rooms: Rooms, at: At) -> Page[AssistantShown]:
    """Those that may act for the person, the newest first."""
    return at.page(await rooms.families.list(whose.id), by=by_age, newest_first=True, show=AssistantShown.of)


@router.delete("/{grant_id}", operation_id="end_assistant", status_code=204)
async def end_assistant(grant_id: Annotated[str, Path(max_length=40)], who: Ender, whose: Whose, rooms: Rooms) -> None:
    """All its tokens stop working at once, and what stood approved for it is void."""
    clients = {one.id: one.client_id for one in await rooms.families.list(whose.id)}
    await rooms.families.end(whose.id, grant_id, by=actor_of(who))
    if grant_id in clients:
        await rooms.policy.standing.put_out(whose.id, clients[grant_id])
