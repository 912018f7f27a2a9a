"""Personal tokens: created and shown once, listed, revoked.

A token makes no token that can do more than itself. The operator makes tokens for assistants without a browser
(`/mcp` and below), and for `/api/v1` only such as open nothing of the person's own; the trail says who made them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from valetkey.api.asking import AUDIENCE, OWN_CONTENT, Needs, Rooms, Scope, Whose, actor_of
from valetkey.api.paging import At, Page, by_age
from valetkey.api.problems import ScopeMissing
from valetkey.api.shown_once import SHOWN_ONCE
from valetkey.identity.model import Principal, TokenInfo
from valetkey.kernel.errors import Forbidden

router = APIRouter(prefix="/tokens", tags=["tokens"])

Reader = Annotated[Principal, Depends(Needs(Scope.TOKENS_READ, operator=True))]
Writer = Annotated[Principal, Depends(Needs(Scope.TOKENS_WRITE, operator=True))]


class TokenShown(BaseModel):
    id: str
    name: str
    resource: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, info: TokenInfo) -> TokenShown:
        return cls(
            id=info.id,
            name=info.name,
            resource=info.audience,
            scopes=info.scope.split(),
            created_at=info.created_at,
            expires_at=info.expires_at,
            last_used_at=info.last_used_at,
        )


class CreatedToken(BaseModel):
    """The only time that the token itself is shown."""

    token: str
    info: TokenShown


class NewToken(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=100)
    resource: str = Field(
        max_length=100, description="/mcp, /c/<connector>/mcp, /c/<connector>/<label>/mcp, /p/<profile>/mcp or /api/v1."
    )
    scopes: list[str] = Field(default_factory=list, max_length=30, description="For /api/v1.")
    ttl_seconds: int = Field(default=30 * 86400, ge=60, le=90 * 86400)


@router.get("", operation_id="list_tokens")
async def list_tokens(_who: Reader, whose: Whose, rooms: Rooms, at: At) -> Page[TokenShown]:
    """The person's personal tokens, never the tokens themselves."""
    found = await rooms.tokens.list(whose.id)
    return at.page(found, by=by_age, newest_first=True, show=TokenShown.of)


@router.post("", operation_id="create_token", status_code=201, openapi_extra=SHOWN_ONCE)
async def create_token(new: NewToken, who: Writer, whose: Whose, rooms: Rooms) -> CreatedToken:
    """A new token, shown this once."""
    _demand_no_more(who, new)
    token, info = await rooms.tokens.create_personal(
        whose, new.name, new.resource, new.scopes, new.ttl_seconds, by=actor_of(who)
    )
    # Shown once, to whoever made it: the one moment at which it leaves us.
    return CreatedToken(token=token.reveal().decode(), info=TokenShown.of(info))


@router.delete("/{token_id}", operation_id="revoke_token", status_code=204)
async def revoke_token(token_id: str, who: Writer, whose: Whose, rooms: Rooms) -> None:
    """Ends the token, at once everywhere."""
    await rooms.tokens.revoke(whose.id, token_id, by=actor_of(who))


def _demand_no_more(who: Principal, new: NewToken) -> None:
    if who.kind == "operator":
        if own := sorted(OWN_CONTENT & set(new.scopes)):
            raise Forbidden(
                f"The scope {own[0]} is for the person alone to give.",
                hint="They create such a token in their own settings page.",
            )
        return
    if new.resource != AUDIENCE:
        if Scope.CALLS_RUN not in who.scopes:  # a token for an MCP path runs tools
            raise ScopeMissing(Scope.CALLS_RUN)
        return
    for scope in new.scopes:
        if scope not in who.scopes:
            raise ScopeMissing(scope if scope in set(Scope) else "that is asked for")
