"""The rooms behind the pages, as one value that `app` puts together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from valetkey.audit.repository import CallRecords
from valetkey.audit.trail import Trail
from valetkey.connections.accounts import Connections
from valetkey.connections.model import Attempt, Connection, Receipt
from valetkey.connections.trace import Trace
from valetkey.directory.connectors import Connectors
from valetkey.directory.model import Connector
from valetkey.directory.snapshots import Snapshots
from valetkey.identity.families import Families
from valetkey.identity.model import BrowserSession, Person
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.identity.sessions import Sessions
from valetkey.identity.signin.link import SignInLinks
from valetkey.identity.signin.passkey import Passkeys
from valetkey.identity.signin.password import Passwords
from valetkey.identity.tokens import Tokens
from valetkey.kernel.secret import Secret
from valetkey.policy.permissions import Permissions
from valetkey.vault.day_keys import DayKeys


class Connecting(Protocol):
    async def detect(self, url: str) -> str: ...
    async def begin(
        self, session: BrowserSession, connector: Connector, *, label: str, display_name: str
    ) -> Attempt: ...
    async def attempt(self, attempt_id: str, session: BrowserSession) -> Attempt: ...
    async def accept(
        self, attempt_id: str, session: BrowserSession, facts_hash: str, scopes: Sequence[str]
    ) -> str: ...
    async def finish(
        self, params: Sequence[tuple[str, str]], session: BrowserSession, *, issuer: str
    ) -> Connection: ...
    async def set_header(
        self,
        person: Person,
        connector: Connector,
        *,
        label: str,
        display_name: str,
        values: Mapping[str, Secret],
    ) -> Connection: ...
    async def connect_open(
        self, person: Person, connector: Connector, *, label: str, display_name: str
    ) -> Connection: ...


class Disconnecting(Protocol):
    async def disconnect(self, person_id: str, connection_id: str, *, by: str) -> Receipt: ...
    async def disconnect_all(self, person_id: str, *, by: str) -> Sequence[Receipt]: ...
    async def receipt(self, person_id: str, receipt_id: str) -> Receipt: ...
    async def receipts(self, person_id: str) -> Sequence[Receipt]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the pages ask. `calls` reads the call log, `day_keys` opens its payloads for their own person."""

    people: People
    organizations: Organizations
    links: SignInLinks
    passwords: Passwords
    passkeys: Passkeys
    sessions: Sessions
    tokens: Tokens
    families: Families
    connectors: Connectors
    snapshots: Snapshots
    permissions: Permissions
    connections: Connections
    connecting: Connecting
    disconnecting: Disconnecting
    trace: Trace
    calls: CallRecords
    day_keys: DayKeys
    trail: Trail
