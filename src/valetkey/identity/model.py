"""The values of identity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


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
    """A signed-in browser. `method` tells how: a session begun by a link approves nothing."""

    id: str
    person: Person
    method: Literal["link", "password", "passkey"]
    csrf: str
    user_agent: str
    created_at: datetime
    authenticated_at: datetime
    last_seen_at: datetime
    expires_at: datetime


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
