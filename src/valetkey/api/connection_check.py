"""Whether a connected account works, asked by its person (VLT-07)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from valetkey.api.asking import Needs, Rooms, Scope, Whose, actor_of
from valetkey.connections.checking import Checked, Renewal, Status, Step
from valetkey.identity.model import Principal

router = APIRouter(prefix="/connections", tags=["connections"])

Writer = Annotated[Principal, Depends(Needs(Scope.CONNECTIONS_WRITE))]


class CheckShown(BaseModel):
    """`status` is unknown where somebody did not answer, or spoke of something else than the credential. `probe_said`

    and `refresh_said` are others' words: bounded, and without what looks like a token.
    """

    status: Status
    has_refresh_token: bool
    failed_at: Step = Field(description="Empty: the list of tools came.")
    probe_status: int | None
    probe_said: str
    refresh: Renewal
    refresh_status: int | None
    refresh_said: str

    @classmethod
    def of(cls, checked: Checked) -> CheckShown:
        return cls(
            status=checked.status,
            has_refresh_token=checked.has_refresh_token,
            failed_at=checked.failed_at,
            probe_status=checked.probe_status,
            probe_said=checked.probe_said,
            refresh=checked.renewal,
            refresh_status=checked.renewal_status,
            refresh_said=checked.renewal_said,
        )


@router.post("/{connection_id}/check", operation_id="check_connection")
async def check_connection(connection_id: str, who: Writer, whose: Whose, rooms: Rooms) -> CheckShown:
    """Asks the service for its tools, with the account's credential, renewed if need be: whether it works."""
    return CheckShown.of(await rooms.checking.check(whose.id, connection_id, by=actor_of(who)))
