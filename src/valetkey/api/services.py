"""The rooms behind the routes; `app` hands them in. What another room offers is written here as far as it is used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from valetkey.api.kept_answers import KeptAnswers
from valetkey.api.pages import Pages
from valetkey.audit.alerts import Alerts
from valetkey.audit.checkpoints import Checkpoints
from valetkey.audit.feed.feeds import Feeds
from valetkey.audit.note import Note, VerifierKey
from valetkey.audit.proofs import Proofs
from valetkey.audit.report import Report
from valetkey.audit.repository import CallRecords
from valetkey.audit.trail import Trail
from valetkey.audit.uses import Uses
from valetkey.connections.accounts import Connections
from valetkey.connections.checking import Checking
from valetkey.connections.held import Held
from valetkey.connections.labels import Label
from valetkey.connections.model import Connection, Receipt
from valetkey.connections.quarantine import Quarantine
from valetkey.connections.reconsent import Editing
from valetkey.connections.reporting import Reporting
from valetkey.connections.revoke_all import RevokingAll
from valetkey.connections.ruling import Ruling
from valetkey.connections.trace import Trace
from valetkey.directory.access.saying import Access
from valetkey.directory.connectors import Connectors
from valetkey.directory.model import Connector
from valetkey.directory.profiles import Profiles
from valetkey.directory.registry_sync import RegistrySync
from valetkey.directory.requests.asking import Requests
from valetkey.directory.snapshots import Snapshots
from valetkey.identity.families import Families
from valetkey.identity.invitations import Invitations
from valetkey.identity.model import Person, Principal
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.identity.provisioning.memberships import Memberships
from valetkey.identity.provisioning.room import Provisioning
from valetkey.identity.signin.link import SignInLinks
from valetkey.identity.signin.openid.room import OpenId
from valetkey.identity.tokens import Tokens
from valetkey.kernel.clock import Clock
from valetkey.kernel.secret import Secret
from valetkey.policy.accepting import Acceptances
from valetkey.policy.room import Policy
from valetkey.privacy.erase import Erasing
from valetkey.privacy.export import Exporting
from valetkey.privacy.join import Joining
from valetkey.privacy.leave import Leaving
from valetkey.privacy.offboard import Offboarding
from valetkey.privacy.room import Privacy
from valetkey.privacy.usage import Counting
from valetkey.submissions.room import Submissions
from valetkey.vault.day_keys import FindsDayKeys
from valetkey.vault.verbs import AdoptsKits, TurnsKeys


class Connecting(Protocol):
    async def set_header(
        self,
        person: Person,
        connector: Connector,
        *,
        label: str,
        display_name: str,
        values: Mapping[str, Secret],
        acknowledged: str,
    ) -> Connection: ...


class SignsLabels(Protocol):
    """`connections.labels.Labels`: what a connector is labeled today, signed."""

    async def of(self, connector: Connector, *, policy: str) -> Label: ...


class Disconnecting(Protocol):
    async def disconnect(self, person_id: str, connection_id: str, *, by: str) -> Receipt: ...
    async def disconnect_all(self, person_id: str, *, by: str) -> Sequence[Receipt]: ...
    async def receipts(self, person_id: str, *, before: str = "", limit: int) -> Sequence[Receipt]: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What one tool call came to: the result as JSON, and the id of its record."""

    call_id: str
    result: bytes


class CallTool(Protocol):
    """The gateway, for one call: the same rules, the same record as a call of an assistant."""

    async def __call__(
        self, principal: Principal, *, connector: str, label: str, tool: str, arguments: bytes
    ) -> Answer: ...


class VerifyTrail(Protocol):
    """Verifying the log against the hub's key (and older ones), a checkpoint kept elsewhere, and the watch key."""

    async def __call__(
        self, since: Note | None, watch: tuple[str, bytes] | None, older_keys: tuple[VerifierKey, ...]
    ) -> Report: ...


class BeginWatch(Protocol):
    """A new watch key; its first value."""

    async def __call__(self) -> Secret: ...


class FlushCalls(Protocol):
    """Returns when every call finished so far is in the log."""

    async def __call__(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailLog:
    """The trail as a log that can be checked."""

    checkpoints: Checkpoints
    proofs: Proofs
    verify: VerifyTrail
    begin_watch: BeginWatch
    flush: FlushCalls


class SealVault(Protocol):
    """No credential leaves the vault until the hub is started anew."""

    async def __call__(self) -> None: ...


MoveRoot = Callable[[str, Secret], Awaitable[int]]
"""Moves to the root key that a setting names, proving it; its version. The secret is the passphrase if it has one.
Raises `StartRefused` for one that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a route may ask for."""

    people: People
    organizations: Organizations
    links: SignInLinks
    feeds: Feeds
    openid: OpenId
    provisioning: Provisioning
    tokens: Tokens
    families: Families
    connectors: Connectors
    access: Access
    groups: Memberships
    requests: Requests
    registry: RegistrySync
    snapshots: Snapshots
    acceptances: Acceptances
    profiles: Profiles
    policy: Policy
    connections: Connections
    connecting: Connecting
    labels: SignsLabels
    disconnecting: Disconnecting
    revoking: RevokingAll
    quarantine: Quarantine
    editing: Editing
    ruling: Ruling
    held: Held
    offboarding: Offboarding
    leaving: Leaving
    invitations: Invitations
    joining: Joining
    exporting: Exporting
    erasing: Erasing
    privacy: Privacy
    submissions: Submissions
    reporting: Reporting
    checking: Checking
    trace: Trace
    calls: CallRecords
    uses: Uses
    day_keys: FindsDayKeys
    alerts: Alerts
    counting: Counting
    rotation: TurnsKeys
    recovery: AdoptsKits
    seal_vault: SealVault
    move_root: MoveRoot
    trail: Trail
    trail_log: TrailLog
    call_tool: CallTool
    kept_answers: KeptAnswers
    pages: Pages
    clock: Clock
