"""The values of connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from valetkey.kernel.errors import ConnectFailed, OutboundFailed
from valetkey.oauth.model import ScopeOrigin as ScopeOrigin  # the pages find it here, with the facts it is part of


class State(StrEnum):
    """What a person sees (CON-01); `blocked` comes from the connector, not from here."""

    NOT_CONNECTED = "not_connected"
    CONNECTED = "connected"
    RECONNECT = "reconnect"
    DISCONNECTING = "disconnecting"


@dataclass(frozen=True, slots=True)
class Connection:
    """One person's account at one connector. The credential is in the vault under `id`, never here."""

    id: str
    organization_id: str
    person_id: str
    connector_id: str
    connector_version: int
    label: str
    display_name: str
    is_default: bool
    state: State
    state_reason: str
    method: str
    issuer: str
    resource: str
    requested_scope: str
    granted_scope: str
    has_refresh_token: bool
    expires_at: datetime | None
    generation: int
    created_at: datetime
    connected_at: datetime | None
    last_used_at: datetime | None
    quarantined_at: datetime | None = None
    """Since when its person lets no call through, whatever its state."""
    account_domain: str = ""
    """Of the account's verified address, where the rules of the organization asked whose it is (ORG-08)."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope that will be asked for."""

    name: str
    already_granted: bool = False


@dataclass(frozen=True, slots=True)
class ConnectFacts:
    """What was found out before anyone is sent anywhere, and what the review page shows.

    `hash` binds the person's acknowledgement to exactly these facts. `client_source` is how we will be known there:
    `preregistered`, `cimd` or `dcr`. `tools` are those listed without signing in, if the service lists them.
    """

    connector_url: str
    connector_host: str
    issuer: str
    issuer_host: str
    token_host: str
    scopes: tuple[str, ...]
    scope_origin: ScopeOrigin
    client_source: str
    tools: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...]
    hash: str
    method: str = "oauth"
    """`oauth`, or `none` when the service answers without anyone signing in."""
    resource: str = ""
    """What the token will be for, as the service names itself."""
    callback: str = ""
    """Where the service will send the person back to; for whoever registers us there by hand."""
    granted_before: tuple[str, ...] = ()
    """Those of `scopes` that the connection has already."""
    challenged: tuple[str, ...] = ()
    """Those of `scopes` that the service named when it refused a call (CON-17)."""
    tls_version: str = ""
    """How the connection to the service is protected; empty over plain http."""
    certified_for: str = ""
    certified_by: str = ""
    certified_until: str = ""
    """What its certificate says, which was checked: whose it is, who says so, and the day it ends."""
    disclosed: str = ""
    """The version of what was said of the connector (`directory.disclosure`): part of what is acknowledged (S-24)."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A connect flow between its first page and its callback."""

    id: str
    connection_id: str
    person_id: str
    session_id: str
    facts: ConnectFacts
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a disconnect did. `revocation` is `confirmed`, `unsupported`, `failed` or `not_needed`."""

    id: str
    person_id: str
    at: datetime
    connector_name: str
    connector_host: str
    label: str
    keys_destroyed: int
    revocation: str
    revocation_detail: str
    unrecoverable_after: datetime


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step of discovery, registration, authorization, exchange, refresh or revocation; secrets removed."""

    at: datetime
    stage: str
    request: str
    status: int | None
    reason: str
    id: str = ""
    """The reference that an error message gave (CON-32)."""


@dataclass(frozen=True, slots=True)
class OfHub:
    """Everybody's connections."""


@dataclass(frozen=True, slots=True)
class OfOrganization:
    """Those of an organization's members."""

    organization_id: str


@dataclass(frozen=True, slots=True)
class OfConnector:
    """Everybody's to one connector."""

    connector_id: str


Everyones = OfHub | OfOrganization | OfConnector


class StepFailed(ConnectFailed):
    """A step of connecting failed. `reference` is the id of the trace step that tells it (CON-32)."""

    def __init__(
        self, message: str, *, kind: str, stage: str, party: str = "", hint: str = "", reference: str = ""
    ) -> None:
        super().__init__(message, kind=kind, stage=stage, party=party, hint=hint)
        self.reference = reference


class TemporarilyUnavailable(OutboundFailed):
    """The credential could not be renewed just now; it is kept, and the next call tries again (CON-23)."""

    code = "temporarily_unavailable"


def issuer_hash(issuer: str) -> str:
    """The short name of an authorization server in our callback and document addresses."""
    return sha256(issuer.encode()).hexdigest()[:16]


def typed_client(connector_id: str) -> str:
    """What the secret of a connector's own client id is sealed for: it goes when the connector does."""
    return f"client:{connector_id}"
