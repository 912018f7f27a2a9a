"""The values of identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal, Protocol

from valetkey.kernel.errors import BadInput
from valetkey.kernel.secret import Secret


class Role(StrEnum):
    """What a member may do in an organization. No role opens another person's connections or content."""

    OWNER = "owner"
    ADMIN = "admin"
    AUDITOR = "auditor"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Organization:
    id: str
    name: str
    kind: Literal["personal", "organization"]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """A person with their membership: one organization each, today."""

    id: str
    login: str
    display_name: str
    state: Literal["active", "disabled"]
    organization_id: str
    role: Role
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Invitation:
    """An organization asks somebody with an account of their own to become a member. They decide."""

    id: str
    organization_id: str
    person_id: str
    role: Role
    invited_by: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated person and what acts for them. Every call into a room below carries one.

    `kind` says how they were authenticated: an assistant's `vka_` token (`mcp`), a `vkt_` personal token (`personal`),
    a browser session (`session`), or the control socket on the host (`operator`, which is nobody's person: `person_id`
    is empty). `audience` is the resource the token is for, as a path of this hub (`/mcp`, `/c/github/mcp`, `/api/v1`).
    """

    kind: Literal["mcp", "personal", "session", "operator"]
    person_id: str
    organization_id: str
    role: Role
    client_id: str
    client_name: str
    audience: str
    scopes: frozenset[str]
    credential_id: str
    """The token's or session's public id, for the record."""


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A signed-in browser. `method` tells how: a session begun by a link approves nothing.

    `powers_seen_at` is when it was last used while its administrative powers lasted, and stands still from then on.
    """

    id: str
    person: Person
    method: SignInMethod
    csrf: str
    user_agent: str
    created_at: datetime
    authenticated_at: datetime
    last_seen_at: datetime
    powers_seen_at: datetime
    expires_at: datetime
    has_passkey: bool
    """Whether the person has one, on whatever device: then nothing less proves that they are there."""


@dataclass(frozen=True, slots=True)
class Passkey:
    id: str
    person_id: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client of ours (an assistant). `id` is a URL for `cimd` and `pinned`, our own id for `dcr`."""

    id: str
    kind: Literal["cimd", "dcr", "pinned"]
    name: str
    redirect_uris: tuple[str, ...]
    auth_method: Literal["none", "client_secret_basic", "client_secret_post"]
    secret_hash: str | None
    document_hash: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A personal token as its owner sees it; never the token."""

    id: str
    name: str
    audience: str
    scope: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


LinkPurpose = Literal["first", "invite", "recovery"]
SignInMethod = Literal["link", "password", "passkey", "openid"]
"""The last: at the organization's own identity provider."""


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A sign-in link used up: whose it was, and what for. The page shows a `recovery` to the person."""

    person: Person
    purpose: LinkPurpose


@dataclass(frozen=True, slots=True)
class Issued:
    """What the token endpoint hands out. `expires_in` is in seconds, of the access token."""

    access: Secret = field(repr=False)
    refresh: Secret = field(repr=False)
    expires_in: int
    scope: str


@dataclass(frozen=True, slots=True)
class Grant:
    """An assistant that a person let in: a token family, as its owner sees it."""

    id: str
    client_id: str
    client_name: str
    client_kind: str
    resource: str
    scope: str
    created_at: datetime
    last_used_at: datetime


class GrantRefused(BadInput):
    """A code or refresh token that is not honored: RFC 6749 `invalid_grant`, or RFC 8707 `invalid_target`."""

    code: ClassVar[str] = "invalid_grant"

    def __init__(self, message: str, *, error: Literal["invalid_grant", "invalid_target"] = "invalid_grant") -> None:
        super().__init__(message, field="grant")
        self.error = error


class ClientRefused(BadInput):
    """A client that cannot be let in: unknown, or its document or registration is not acceptable.

    `error` is the word of RFC 7591 3.2.2 or RFC 6749 for it.
    """

    code: ClassVar[str] = "invalid_client"

    def __init__(self, message: str, *, error: str = "invalid_client", hint: str = "") -> None:
        super().__init__(message, field="client_id", hint=hint)
        self.error = error


class TrailWriter(Protocol):
    """What identity needs of `audit.trail.Trail`: the event is committed when this returns."""

    async def write(
        self,
        event: str,
        *,
        actor: str,
        organization_id: str = "",
        person_id: str = "",
        object: str = "",
        detail: Mapping[str, object] = {},
    ) -> object: ...
