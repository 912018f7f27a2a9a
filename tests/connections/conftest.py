"""A hub's rooms on real stores, a real vault and real sockets; only the services beyond are ours."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FakeClock, everybody_may
from tests.connections.outside import AuthServer, Service
from tests.databases import STORES, migrated_file, migrated_postgres
from tests.vault.anything import open_handed
from valetkey.audit.model import Everyone
from valetkey.audit.trail import Trail
from valetkey.connections.desk import DirectDesk
from valetkey.connections.model import Attempt, Connection
from valetkey.connections.room import Room, open_room
from valetkey.directory.connectors import Connectors
from valetkey.directory.model import Connector
from valetkey.identity.model import BrowserSession, Person, Role
from valetkey.kernel.ids import new_id
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.outbound import Outbound, open_outbound
from valetkey.net.url import parse_url
from valetkey.store.database import Database
from valetkey.store.leases import Leases
from valetkey.store.notify import Notifications
from valetkey.store.schema import organization, person
from valetkey.upstream.client import Upstreams
from valetkey.vault.broker import Vault
from valetkey.vault.root_keys.file import FileRootKey, open_or_create
from valetkey.vault.spool import Spool

PUBLIC_URL = "https://hub.example.com"
PARSE = functools.partial(parse_url, private_names=True)


@dataclass
class Hub:
    """One process's worth of objects on the stores it is given."""

    main: Database
    keyring: Database
    root: FileRootKey
    clock: FakeClock
    spool: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    roles: dict[str, Role] = field(default_factory=dict)
    """By person; of who is not there, member."""
    domains: set[str] = field(default_factory=lambda: {"engines.example"})
    """The verified domains of every organization here."""

    def __post_init__(self) -> None:
        self.notifications = Notifications(self.main)
        self.outbound: Outbound = open_outbound(AddressPolicy(allow=[ipaddress.ip_network("127.0.0.1/32")]), self.clock)
        self.vault = open_handed(Vault(self.main, self.keyring, self.root, self.clock, self.notifications))
        self.trail = Trail(self.main, self.clock)
        self.leases = Leases(self.main, clock=self.clock)
        self.connectors = Connectors(self.main, self.notifications, clock=self.clock, parse_url=PARSE)
        self.upstreams = Upstreams(self.outbound.calls, self.main, self.clock)
        self.room: Room = open_room(
            self.main,
            vault=self.vault,
            spool=Spool(self.spool, self.vault.keyring, clock=self.clock),
            web=self.outbound.web,
            desk=DirectDesk(self.outbound.web),
            upstreams=self.upstreams,
            connectors=self.connectors,
            leases=self.leases,
            notifications=self.notifications,
            trail=self.trail,
            clock=self.clock,
            parse=PARSE,
            may_connect=everybody_may,
            verified_domains=self._verified_domains,
            role_of=self._role_of,
            public_url=PUBLIC_URL,
            on_ended=[self._on_ended],
            on_connected=[self._on_connected],
            **self.options,
        )

    async def _on_ended(self, connection: Connection) -> None:
        self.ended.append(connection.id)

    async def _on_connected(self, connection: Connection) -> None:
        self.connected.append(connection.id)

    async def _verified_domains(self, _organization_id: str) -> frozenset[str]:
        return frozenset(self.domains)

    async def _role_of(self, person_id: str) -> Role:
        return self.roles.get(person_id, Role.MEMBER)

    async def close(self) -> None:
        await self.room.stop()
        await self.upstreams.stop()
        await self.outbound.close()
        await self.main.close()
        await self.keyring.close()

    # --- what people do ---------------------------------------------------------------------------------------------

    async def person(self, login: str, *, organization_id: str = "org_1") -> Person:
        now = self.clock.now()
        new = Person(new_id("person"), login, login.title(), "active", organization_id, Role.MEMBER, now)
        async with self.main.write() as tx:
            if (await tx.execute(organization.select().where(organization.c.id == organization_id))).first() is None:
                await tx.execute(
                    organization.insert().values(id=organization_id, name="Org", kind="organization", created_at=now)
                )
            await tx.execute(
                person.insert().values(
                    id=new.id, login=login, display_name=new.display_name, state="active", created_at=now
                )
            )
        return new

    def browser(self, who: Person) -> BrowserSession:
        now = self.clock.now()
        return BrowserSession(new_id("ses"), who, "password", "csrf", "Firefox", now, now, now, now, now, False)

    async def connector(self, who: Person, url: str, *, kind: str = "oauth", **auth: Any) -> Connector:
        return await self.connectors.add_custom(who, name="Notes", url=url, auth_kind=kind, auth=auth)

    def seen(self, connector: Connector) -> str:
        """The version of what is said of the connector, as somebody who read it gives it back."""
        return self.connectors.disclosure(connector).version

    async def go(
        self,
        browser: BrowserSession,
        connector: Connector,
        *,
        scopes: Sequence[str] | None = None,
        label: str = "",
    ) -> tuple[Attempt, str]:
        """Through the review page, all scopes ticked unless said: the attempt and where the person is sent."""
        attempt = await self.room.connecting.begin(browser, connector, label=label)
        wanted = attempt.facts.scopes if scopes is None else scopes
        url = await self.room.connecting.accept(attempt.id, browser, attempt.facts.hash, wanted)
        return attempt, url

    async def come_back(
        self, browser: BrowserSession, attempt: Attempt, params: Sequence[tuple[str, str]]
    ) -> Connection:
        """To the callback that the attempt named."""
        issuer_hash = attempt.facts.callback.rpartition("/")[2]
        return await self.room.connecting.finish(params, browser, issuer_hash=issuer_hash)

    async def connect(
        self, browser: BrowserSession, connector: Connector, server: AuthServer, *, label: str = ""
    ) -> Connection:
        """The whole way, agreeing to everything."""
        attempt, url = await self.go(browser, connector, label=label)
        return await self.come_back(browser, attempt, server.consent(url))

    async def token(self, connection: Connection) -> str:
        """What a call for this connection would carry, as header lines."""
        ticket = await self.room.credentials.ticket(connection.id, person_id=connection.person_id, call_id="call_1")
        assert ticket is not None
        buffer = bytearray(ticket.size)
        ticket.write_into(memoryview(buffer))
        return buffer.decode()

    async def bearer(self, connection: Connection) -> str:
        return (await self.token(connection)).removeprefix("authorization: Bearer ").removesuffix("\r\n")

    async def now(self, connection: Connection) -> Connection:
        """The connection as it is by now."""
        return await self.room.connections.get(connection.person_id, connection.id)

    async def events(self) -> list[str]:
        return [event.event for event in reversed(await self.trail.list(Everyone()))]


OpenHub = Callable[..., Hub]


@pytest.fixture
def root(tmp_path: Path) -> FileRootKey:
    return open_or_create(tmp_path / "keys" / "root.key", forbidden_below=[], may_create=True)


@pytest.fixture
def engine() -> str:
    """Tests that are not about what happens at once run on SQLite; a module that is asks for both."""
    return "sqlite"


@pytest.fixture
async def stores(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """URLs of a main and a keyring database, migrated."""
    if engine == "postgresql":
        url = await migrated_postgres(request.getfixturevalue("postgres"))
        return url, url
    urls = []
    for which in STORES:
        await migrated_file(tmp_path / f"{which}.db", which)
        urls.append(f"sqlite:///{tmp_path / which}.db")
    return urls[0], urls[1]


@pytest.fixture
async def open_hub(
    stores: tuple[str, str], root: FileRootKey, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[OpenHub]:
    """Opens a hub; a second one is a second process on the same stores."""
    hubs: list[Hub] = []

    def make(**options: Any) -> Hub:
        hubs.append(Hub(Database.open(stores[0]), Database.open(stores[1]), root, clock, tmp_path / "spool", options))
        return hubs[-1]

    yield make
    for hub in hubs:
        await hub.close()


@pytest.fixture
async def hub(open_hub: OpenHub) -> Hub:
    opened = open_hub()
    await opened.vault.start("dep_test")
    return opened


@pytest.fixture
async def server() -> AsyncIterator[AuthServer]:
    async with AuthServer() as one:
        yield one


@pytest.fixture
async def service(server: AuthServer) -> AsyncIterator[Service]:
    async with Service(server) as one:
        yield one


@pytest.fixture
async def ada(hub: Hub) -> BrowserSession:
    """Ada, signed in in her browser."""
    return hub.browser(await hub.person("ada"))
