"""The vault as a whole: everything in it revoked at the services and destroyed. Never a secret."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from valetkey.api.asking import Needs, OnlyOperator, Rooms, Scope, actor_of, demand_act
from valetkey.api.keys import OrganizationQuery, demand_fresh
from valetkey.api.services import Services
from valetkey.api.times import Moment
from valetkey.connections.model import Everyones, OfHub, OfOrganization
from valetkey.connections.revoke_all import Progress
from valetkey.identity.model import Principal
from valetkey.identity.roles import Act
from valetkey.kernel.errors import NotFound

router = APIRouter(prefix="/vault", tags=["vault"])

Operator = Annotated[Principal, Depends(OnlyOperator())]
Writer = Annotated[Principal, Depends(Needs(Scope.KEYS_WRITE, operator=True))]

_SECONDS = 5.0  # of ending connections for one request: then the asker hears how far it came, and asks again


class RevokeAll(BaseModel):
    model_config = ConfigDict(extra="forbid")

    began_at: Moment | None = Field(
        default=None, description="From the answer before, to go on: what was connected since then stays."
    )


class RevokedShown(BaseModel):
    began_at: datetime
    ended: int = Field(description="By this request.")
    unconfirmed: int = Field(description="Of those: where the service did not say that it has forgotten the access.")
    left: int = Field(description="Nobody can use them any more; their services are still to be told.")
    done: bool = Field(description="False when there is more: ask again, with `began_at`.")

    @classmethod
    def of(cls, done: Progress) -> RevokedShown:
        return cls(
            began_at=done.began_at,
            ended=done.ended,
            unconfirmed=done.unconfirmed,
            left=done.left,
            done=done.is_done,
        )


async def _among(who: Principal, rooms: Services, organization: str) -> Everyones:
    if who.kind == "operator":
        return OfOrganization((await rooms.organizations.get(organization)).id) if organization else OfHub()
    if organization not in ("", who.organization_id):
        raise NotFound("There is no such organization.")
    return OfOrganization(who.organization_id)


class Seal(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SealedShown(BaseModel):
    sealed: bool


@router.post("/seal", operation_id="seal_vault")
async def seal_vault(_asked: Seal, who: Operator, rooms: Rooms) -> SealedShown:
    """No credential leaves until the hub is started anew; what ends access (disconnecting, revoking) goes on."""
    await rooms.trail.write("vault.seal", actor=actor_of(who))
    await rooms.seal_vault()
    return SealedShown(sealed=True)


@router.post("/revoke-all", operation_id="revoke_everything")
async def revoke_everything(
    asked: RevokeAll, who: Writer, rooms: Rooms, organization: OrganizationQuery = ""
) -> RevokedShown:
    """Revokes every connection of the hub, or of one organization, at its service and destroys it here.

    Nobody gets a credential from the first request on. Goes on for some seconds; ask again until `done`.
    """
    demand_act(who, Act.MANAGE_KEYS)
    await demand_fresh(who, rooms)
    among = await _among(who, rooms, organization)
    began_at = asked.began_at or rooms.revoking.begin()
    if asked.began_at is None:
        await rooms.trail.write(
            "vault.revoke_all",
            actor=actor_of(who),
            organization_id=among.organization_id if isinstance(among, OfOrganization) else "",
        )
    done = await rooms.revoking.run(
        among, began_at=min(began_at, rooms.revoking.begin()), by=actor_of(who), seconds=_SECONDS
    )
    return RevokedShown.of(done)
