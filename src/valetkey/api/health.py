"""Whether the hub answers; and who it takes the asker for."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from valetkey import __version__
from valetkey.api.asking import Rooms, principal_of

router = APIRouter(tags=["hub"])


class Health(BaseModel):
    status: str
    version: str
    trail: str = Field(description="`signed`; `sink_failing` when a checkpoint cannot be delivered; `broken`.")


class Me(BaseModel):
    """The asker, as the hub sees them."""

    kind: str
    person_id: str
    organization_id: str
    role: str
    scopes: list[str]
    token_id: str


@router.get("/health", operation_id="health")
async def health(rooms: Rooms) -> Health:
    """Answers without a token."""
    return Health(status="ok", version=__version__, trail=rooms.trail_log.checkpoints.state)


@router.get("/me", operation_id="me")
async def me(request: Request) -> Me:
    """Who the token, or the control socket, speaks for."""
    who = principal_of(request)
    return Me(
        kind=who.kind,
        person_id=who.person_id,
        organization_id=who.organization_id,
        role=who.role if who.kind != "operator" else "",
        scopes=sorted(who.scopes),
        token_id=who.credential_id,
    )
