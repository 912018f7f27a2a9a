"""The values of approvals."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from valetkey.policy.binding import call_hash


class State(StrEnum):
    """pending → approved | denied | expired; approved → consumed | expired; consumed → uncertain.

    *Uncertain*: used for a call that left and whose outcome nobody knows. It is never used again by itself.
    """

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CONSUMED = "consumed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One request for a person's yes, and what became of it. `call` is sealed under the person's key of `day`."""

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
    tool_class: str
    counts_as: str
    because: str
    rule: str
    reason: str
    how: str
    may_remember: bool
    may_stand: bool
    for_tool: bool
    request_digest: str
    nonce: bytes = field(repr=False)
    policy_version: str
    day: str
    call: bytes = field(repr=False)
    state: State
    times: int
    uses_left: int
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    decided_in: str = ""
    words: str = ""
    proof: bytes | None = field(default=None, repr=False)
    consumed_at: datetime | None = None

    @property
    def path(self) -> str:
        """Its page. Carries nothing secret, and opens nothing by itself."""
        return f"/approvals/{self.id}"

    def is_waiting(self, now: datetime) -> bool:
        return self.state is State.PENDING and self.expires_at > now

    def state_at(self, now: datetime) -> State:
        """The state as people see it: nobody has to write down that a time has passed."""
        if self.state in (State.PENDING, State.APPROVED) and self.expires_at <= now:
            return State.EXPIRED
        return self.state

    def call_hash(self, terms: str = "") -> bytes:
        """What a passkey signs to approve it; with `terms`, a standing approval along with it."""
        return call_hash(self.request_digest, self.nonce, self.policy_version, terms)


@dataclass(frozen=True, slots=True)
class Use:
    """That an approval was used up, and for which call. The vault looks for it before a credential leaves."""

    call_id: str
    approval_id: str
    connection_id: str
    tool: str
    request_digest: str
    at: datetime
