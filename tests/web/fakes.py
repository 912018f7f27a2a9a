"""The two rooms that talk to services, played in memory: they change the real database, and ask nobody."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import update

from tests.conftest import FakeClock
from valetkey.connections.accounts import Connections
from valetkey.connections.model import Attempt, ConnectFacts, Connection, Receipt, ScopeOrigin, State
from valetkey.directory.connectors import Connectors
from valetkey.directory.model import Connector
from valetkey.identity.model import BrowserSession, Person
from valetkey.kernel.errors import Conflict, NotFound
from valetkey.kernel.ids import new_id
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.schema import connection as connection_table

FACTS = ConnectFacts(
    connector_url="https://mcp.example.com/mcp",
    connector_host="mcp.example.com",
    issuer="https://auth.example.net",
    issuer_host="auth.example.net",
    token_host="auth.example.net",
    scopes=("notes:read", "notes:write", "offline_access"),
    scope_origin=ScopeOrigin.CONNECTOR,
    client_source="dcr",
    tools=(),
    warnings=(),
    hash="f" * 64,
)


@dataclass
class FakeConnecting:
    """`facts` is what is found out next; `accepted` and `headers` are what pages sent."""

    database: Database
    notifications: Notifications
    clock: FakeClock
    connections: Connections | None = None
    facts: ConnectFacts = FACTS
    kind: str = "oauth"
    attempts: dict[str, Attempt] = field(default_factory=dict)
    accepted: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    headers: dict[str, bytes] = field(default_factory=dict)

    async def detect(self, url: str) -> str:
        return self.kind

    async def begin(
        self, session: BrowserSession, connector: Connector, *, label: str, display_name: str
    ) -> Attempt:
        assert self.connections
        connection = await self.connections.add(session.person, connector, label=label, display_name=display_name)
        attempt = Attempt(
            new_id("att"), connection.id, session.person.id, session.id, self.facts, self.clock.now() + timedelta(minutes=10)
        )
        self.attempts[attempt.id] = attempt
        return attempt

    async def attempt(self, attempt_id: str, session: BrowserSession) -> Attempt:
        found = self.attempts.get(attempt_id)
        if found is None or found.session_id != session.id:
            raise NotFound("There is no such attempt.")
        return found

    async def accept(
        self, attempt_id: str, session: BrowserSession, facts_hash: str, scopes: Sequence[str]
    ) -> str:
        attempt = await self.attempt(attempt_id, session)
        if facts_hash != attempt.facts.hash:
            raise Conflict("What was found out has changed.", hint="Look again.")
        self.accepted.append((attempt_id, tuple(scopes)))
        return f"https://{attempt.facts.issuer_host}/authorize?state=abc&client_id=x"

    async def finish(
        self, params: Sequence[tuple[str, str]], session: BrowserSession, *, issuer: str
    ) -> Connection:
        attempt = next(one for one in self.attempts.values() if one.session_id == session.id)
        return await self.set_state(
            attempt.connection_id, State.CONNECTED, person_id=session.person.id,
            requested_scope="notes:read notes:write", granted_scope="notes:read", issuer="https://auth.example.net",
            has_refresh_token=True, expires_at=self.clock.now() + timedelta(hours=1), connected_at=self.clock.now(),
        )  # fmt: skip

    async def set_header(
        self, person: Person, connector: Connector, *, label: str, display_name: str, values: Mapping[str, Secret]
    ) -> Connection:
        self.headers.update({name: value.reveal() for name, value in values.items()})
        return await self.connect_open(person, connector, label=label, display_name=display_name)

    async def connect_open(
        self, person: Person, connector: Connector, *, label: str, display_name: str
    ) -> Connection:
        assert self.connections
        added = await self.connections.add(person, connector, label=label, display_name=display_name)
        return await self.set_state(added.id, State.CONNECTED, person_id=person.id, connected_at=self.clock.now())

    async def set_state(self, connection_id: str, state: State, *, person_id: str, **values: object) -> Connection:
        assert self.connections
        async with self.database.write() as tx:
            await tx.execute(
                update(connection_table)
                .where(connection_table.c.id == connection_id)
                .values(state=state.value, **values)
            )
        await self.notifications.publish("connections", person_id)
        return await self.connections.get(person_id, connection_id)


@dataclass
class FakeDisconnecting:
    """Ends connections; `revocation` is what the service answers next."""

    clock: FakeClock
    connectors: Connectors
    connecting: FakeConnecting
    revocation: str = "confirmed"
    kept: dict[str, Receipt] = field(default_factory=dict)

    async def end(self, connection: Connection, *, actor: str) -> Receipt:
        return await self.disconnect(connection.person_id, connection.id, by=actor)

    async def disconnect(self, person_id: str, connection_id: str, *, by: str) -> Receipt:
        assert self.connecting.connections
        connection = await self.connecting.connections.get(person_id, connection_id)
        connector = await self.connectors.by_id(connection.connector_id)
        await self.connecting.set_state(connection_id, State.NOT_CONNECTED, person_id=person_id, granted_scope="")
        receipt = Receipt(
            new_id("rcpt"), person_id, self.clock.now(), connector.name, connector.origin.partition("//")[2],
            connection.label, 2, self.revocation, "", self.clock.now() + timedelta(days=7),
        )  # fmt: skip
        self.kept[receipt.id] = receipt
        return receipt

    async def disconnect_all(self, person_id: str, *, by: str) -> Sequence[Receipt]:
        assert self.connecting.connections
        mine = [one for one in await self.connecting.connections.list(person_id) if one.state is not State.NOT_CONNECTED]
        return [await self.disconnect(person_id, one.id, by=by) for one in mine]

    async def receipt(self, person_id: str, receipt_id: str) -> Receipt:
        found = self.kept.get(receipt_id)
        if found is None or found.person_id != person_id:
            raise NotFound("There is no such receipt.")
        return found

    async def receipts(self, person_id: str) -> Sequence[Receipt]:
        return [one for one in self.kept.values() if one.person_id == person_id]


def with_facts(**changes: object) -> ConnectFacts:
    return dataclasses.replace(FACTS, **changes)  # type: ignore[arg-type]
