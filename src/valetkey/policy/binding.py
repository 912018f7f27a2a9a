"""What an approval is bound to: the hash of one call, for one person, client, account and tool (security.md 6.2).

`request_digest` finds the approval when the same call comes again; `call_hash` adds a nonce and the version of the
organization's rules, and is what a passkey signs. Fields are hashed with their lengths: no two lists of fields share a
text. The arguments count byte for byte, as they will be sent.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from valetkey.policy.model import Decision

_REQUEST, _CALL = "request-v1", "confirm-v1"


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that a person is to confirm. `call` is `{name, arguments}` exactly as it will be sent."""

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
    call: bytes = field(repr=False)
    decision: Decision
    policy_version: str

    @property
    def counts_as(self) -> str:
        return self.decision.classified.counts_as if self.decision.classified is not None else ""

    @property
    def digest(self) -> str:
        """Hex. A yes that is for the tool leaves the arguments out."""
        call = "" if self.decision.for_tool else hashlib.sha256(self.call).hexdigest()
        return with_lengths(
            _REQUEST, self.organization_id, self.person_id, self.client_id, self.connection_id, self.label,
            self.connector, str(self.connector_version), self.origin, self.tool, self.fingerprint, self.counts_as, call,
        ).hex()  # fmt: skip


def call_hash(request_digest: str, nonce: bytes, policy_version: str, terms: str = "") -> bytes:
    """What a passkey signs. `terms` are those of a standing approval, when one is given with it."""
    return with_lengths(_CALL, request_digest, nonce.hex(), policy_version, terms)


def with_lengths(*fields: str) -> bytes:
    """SHA-256 over the fields, each after its length."""
    hashed = hashlib.sha256()
    for one in fields:
        raw = one.encode("utf-8", "surrogatepass")
        hashed.update(len(raw).to_bytes(8, "big") + raw)
    return hashed.digest()
