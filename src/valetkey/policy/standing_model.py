"""The values of standing approvals."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

PREFIX: Final = "standing"


class Standing(StrEnum):
    """What became of one. `USED_UP`, `RAN_OUT` and `ENDED` are final."""

    STANDS = "stands"
    USED_UP = "used_up"
    RAN_OUT = "ran_out"
    ENDED = "ended"


class Ended(StrEnum):
    """Why one was ended before its time."""

    REVOKED = "revoked"
    CHANGED = "tool_changed"
    DISCONNECTED = "disconnected"
    PUT_OUT = "assistant_put_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingApproval:
    """A person's yes to a number of calls until a date. `scope` is sealed under the person's key of `day`."""

    id: str
    person_id: str
    organization_id: str
    client_id: str
    client_name: str
    connection_id: str
    connector: str
    connector_version: int
    origin: str
    label: str
    tool: str
    fingerprint: str
    counts_as: str
    rules: str
    scope: bytes = field(repr=False)
    day: str
    calls: int
    uses_left: int
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None
    ended_at: datetime | None = None
    ended_because: str = ""
    approval_id: str
    given_in: str
    proof: bytes | None = field(default=None, repr=False)

    def state_at(self, now: datetime) -> Standing:
        if self.ended_at is not None:
            return Standing.ENDED
        if self.uses_left <= 0:
            return Standing.USED_UP
        return Standing.RAN_OUT if self.expires_at <= now else Standing.STANDS


def is_standing(approval_id: str) -> bool:
    """Whether what was used up for a call is a standing approval; other approvals are for one call."""
    return approval_id.startswith(f"{PREFIX}_")
