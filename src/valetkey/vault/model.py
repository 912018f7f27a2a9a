"""What a sealed value is bound to, what it may be used for, and how opening one can fail."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from valetkey.kernel.errors import BadInput, VaultFailed

_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")  # RFC 9110 5.6.2, a token
_HEADER_PREFIX = re.compile(rb"(?:[!-~]+ )?")  # "Bearer ", or nothing


def with_lengths(*parts: str | bytes | int) -> bytes:
    """Injective encoding: each part with its length (4 bytes, big-endian) before it; numbers in decimal."""
    pieces: list[bytes] = []
    for part in parts:
        encoded = part if isinstance(part, bytes) else str(part).encode()
        pieces += (len(encoded).to_bytes(4, "big"), encoded)
    return b"".join(pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Everything a sealed value belongs to (security.md 2.2). Changing any of it makes the value undecryptable.

    `tenant` is the organization's id. `subject` is the connection (or attempt, or issuer's client, or for a key that
    an organization's owner entered for everybody the connector) the value belongs to; `purpose` is one of
    `access_token`, `refresh_token`, `header:<name>`, `client_secret`, `signing_key`, `mark_key`,
    `registration_access_token`, `pkce_verifier`, `test_account`. A ticket made from it goes to `origin` only.
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
        """The binding and the generation as bytes, injectively."""
        return with_lengths(
            "sec",
            self.tenant,
            self.person,
            self.subject,
            self.purpose,
            generation,
            self.origin,
            self.issuer,
            self.connector,
            self.connector_version,
        )


@dataclass(frozen=True, slots=True)
class HeaderTemplate:
    """One header line a ticket writes: `name: ` `prefix` and the secret. Checked, since it becomes bytes unescaped."""

    name: bytes = b"authorization"
    prefix: bytes = b""
    head: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _HEADER_NAME.fullmatch(self.name):
            raise BadInput("The header's name is not one HTTP knows.", field="header name")
        if not _HEADER_PREFIX.fullmatch(self.prefix):
            raise BadInput("What stands before the secret in a header is one word and a space.", field="header prefix")
        object.__setattr__(self, "head", self.name + b": " + self.prefix)


BEARER = HeaderTemplate(b"authorization", b"Bearer ")


class Use(StrEnum):
    """What a value may leave the vault for as a `Secret`. There is no use "show" (S-15, S-16)."""

    EXCHANGE_CODE = "exchange_code"  # the PKCE verifier, to the token endpoint
    REFRESH = "refresh"  # the refresh token, to the token endpoint
    REVOKE = "revoke"  # both tokens, to the revocation endpoint (RFC 7009)
    CLIENT_AUTHENTICATION = "client_authentication"  # our client's secret, to either
    SIGN = "sign"  # our key at an issuer, to say who we are; `vault.signing` alone uses it
    MARK = "mark"  # our key towards a webhook, to show that it is us; `vault.signing` alone uses it
    MANAGE_REGISTRATION = "manage_registration"  # RFC 7592
    SIGN_CHECKPOINT = "sign_checkpoint"  # our own key, within the vault
    WATCH_TRAIL = "watch_trail"  # our own evolving key, within the vault


USES: dict[Use, frozenset[str]] = {
    Use.EXCHANGE_CODE: frozenset({"pkce_verifier"}),
    Use.REFRESH: frozenset({"refresh_token"}),
    Use.REVOKE: frozenset({"refresh_token", "access_token"}),
    Use.CLIENT_AUTHENTICATION: frozenset({"client_secret"}),
    Use.SIGN: frozenset({"signing_key"}),
    Use.MARK: frozenset({"mark_key"}),
    Use.MANAGE_REGISTRATION: frozenset({"registration_access_token"}),
    Use.SIGN_CHECKPOINT: frozenset({"checkpoint_key"}),
    Use.WATCH_TRAIL: frozenset({"watch_key"}),
}
"""Which purposes each use opens. Header values and test accounts are in none: they leave by ticket only."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What was sealed for a subject at some instant: the names of its keys. Sealing can ask that it still holds."""

    subject: str
    names: frozenset[tuple[str, bytes]]


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
    """The ticket was used before, has expired, or was cancelled. Nothing of it was written."""

    code = "ticket_spent"


class Superseded(VaultFailed):
    """A newer key of the organization wraps by now; what was wrapped under the older is wrapped anew."""

    code = "superseded"


class Overtaken(VaultFailed):
    """While this was being sealed the subject was shredded or sealed anew; what came first stands."""

    code = "overtaken"


@dataclass(frozen=True, slots=True)
class EveryTenant:
    """The keys of all organizations."""


@dataclass(frozen=True, slots=True)
class OneTenant:
    """The keys of one organization."""

    tenant: str


Tenants = EveryTenant | OneTenant
