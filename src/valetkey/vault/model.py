"""What a sealed value is bound to, and how opening one can fail."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from valetkey.kernel.errors import VaultFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Everything a sealed value belongs to (security.md 2.2). Changing any of it makes the value undecryptable.

    `subject` is the connection (or attempt, or issuer's client) the value belongs to; `purpose` is one of
    `access_token`, `refresh_token`, `header:<name>`, `client_secret`, `registration_access_token`, `pkce_verifier`.
    `origin` is the only place a ticket made from it may go.
    """

    tenant: str
    person: str
    subject: str
    purpose: str
    origin: str
    issuer: str = ""
    connector: str = ""
    connector_version: int = 0

    def associated_data(self, generation: int) -> bytes:
        """Injective encoding: each field with its length (4 bytes, big-endian) before it."""
        parts = (
            "sec",
            self.tenant,
            self.person,
            self.subject,
            self.purpose,
            str(generation),
            self.origin,
            self.issuer,
            self.connector,
            str(self.connector_version),
        )
        return b"".join(struct.pack(">I", len(encoded)) + encoded for encoded in (part.encode() for part in parts))


class NothingSealed(VaultFailed):
    """There is no such value: never sealed, or shredded."""

    code = "nothing_sealed"


class WrongKey(VaultFailed):
    """The key named by the ciphertext is not this one."""

    code = "wrong_key"


class Tampered(VaultFailed):
    """The ciphertext, or what it is bound to, was changed or moved."""

    code = "tampered"


class RolledBack(VaultFailed):
    """The two stores disagree about the generation: one of them is older."""

    code = "rolled_back"


class TicketSpent(VaultFailed):
    """The ticket was used before, has expired, or was cancelled."""

    code = "ticket_spent"
