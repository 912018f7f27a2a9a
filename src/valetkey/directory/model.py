"""The values of the directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal


class ReviewState(StrEnum):
    """Computed by the server, never taken from outside (S-05)."""

    VERIFIED = "verified"
    COMMUNITY = "community"
    CUSTOM = "custom"

    @property
    def label(self) -> str:
        return {"verified": "Verified", "community": "Community", "custom": "Custom – unverified"}[self.value]


AuthKind = Literal["oauth", "header", "none"]


@dataclass(frozen=True, slots=True)
class Connector:
    """Something that can be connected. `url` is text exactly as entered; `origin` is where tickets may go.

    `auth` holds facts for the method, never secrets: `client_id` (typed or operator-held), `scope` (a pin),
    `headers` (names of request headers a connection must give), `no_scope_fallback`.
    """

    id: str
    slug: str
    organization_id: str
    added_by: str
    name: str
    url: str
    origin: str
    review_state: ReviewState
    auth_kind: AuthKind
    auth: Mapping[str, Any]
    state: Literal["enabled", "blocked", "delisted"]
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool as its server describes it. `raw` is that JSON object, byte for byte; the rest is read from it.

    `fingerprint` is SHA-256 (hex) over everything a model or a schema can see. `says_read_only` is the server's own
    claim, which by itself runs nothing (S-26).
    """

    name: str
    title: str
    description: str
    raw: bytes = field(repr=False)
    fingerprint: str
    says_read_only: bool
    says_destructive: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The tools of one connection as last seen. `server` is JSON: serverInfo, instructions, capabilities."""

    connection_id: str
    tools: tuple[Tool, ...]
    server: bytes = field(repr=False)
    fetched_at: datetime
    fresh_until: datetime

    def tool(self, name: str) -> Tool | None:
        return next((tool for tool in self.tools if tool.name == name), None)
