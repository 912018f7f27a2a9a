"""A hub made of the real rooms round the gateway, on a real socket, behind either front."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import uvicorn
from starlette.applications import Starlette

from tests.conftest import FakeClock, a_member, everybody_may, no_domains
from tests.databases import migrated_sqlite
from tests.gateway.client import Client
from tests.gateway.service import Service
from valetkey.audit.alerts import Alerts
from valetkey.audit.calls import CallLog
from valetkey.audit.model import CallRecord, OfPerson
from valetkey.audit.repository import CallRecords
from valetkey.audit.trail import Trail
from valetkey.connections import repository as connections_repository
from valetkey.connections.accounts import Connections
from valetkey.connections.credentials import Credentials
from valetkey.connections.desk import DirectDesk
from valetkey.connections.methods.oauth import access_binding
from valetkey.connections.model import Connection, State
from valetkey.connections.quarantine import TOPIC as QUARANTINE
from valetkey.connections.room import Room, open_room
from valetkey.connections.whose import ConnectorOf
from valetkey.directory.connectors import Connectors
from valetkey.directory.listed import OnDrift
from valetkey.directory.model import Connector
from valetkey.directory.profiles import Profiles
from valetkey.directory.snapshots import Snapshots
from valetkey.gateway.cutting import Cutting
from valetkey.gateway.door import Gateway
from valetkey.identity.model import Person, Role
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.identity.provisioning.memberships import Memberships
from valetkey.identity.tokens import Tokens
from valetkey.kernel.errors import OutboundFailed
from valetkey.kernel.secret import Secret
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.outbound import open_outbound
from valetkey.net.url import parse_url
from valetkey.policy.room import Policy, open_policy
from valetkey.privacy.levels import Levels
from valetkey.store.database import Database
from valetkey.store.leases import Leases
from valetkey.store.notify import Notifications
from valetkey.upstream.client import Upstreams
from valetkey.vault.broker import Vault
from valetkey.vault.day_keys import DayKeys
from valetkey.vault.release import ForRecordedCalls
from valetkey.vault.root_keys.file import open_or_create
from valetkey.vault.spool import Spool
from valetkey.vault.verbs import Ticket

Front = Literal["asgi", "fast"]
FRONTS: tuple[Front, ...] = ("asgi", "fast")


class RenewableCredentials:
    """The real credentials; where `renew` gives a token, it stands for the token endpoint after a 401."""

    def __init__(self, real: Credentials) -> None:
        self._real = real
        self.refused_times = 0
        self.renew: Callable[[str], Awaitable[bool]] | None = None

    def ticket_now(self, connection_id: str, *, person_id: str, call_id: str) -> Ticket | None:
        return self._real.ticket_now(connection_id, person_id=person_id, call_id=call_id)

    async def ticket(self, connection_id: str, *, person_id: str, call_id: str) -> Ticket | None:
        return await self._real.ticket(connection_id, person_id=person_id, call_id=call_id)

    async def refused(self, connection_id: str, ticket_generation: int) -> bool:
        self.refused_times += 1
        if self.renew is not None:
            return await self.renew(connection_id)
        return await self._real.refused(connection_id, ticket_generation)

    async def forbidden(self, connection_id: str, challenge: str) -> OutboundFailed | None:
        return await self._real.forbidden(connection_id, challenge)


async def _not_stoppable() -> None:
    raise AssertionError


@dataclass
class Hub:
    """The rooms, and short ways to say what a test is about."""

    database: Database
    clock: FakeClock
    notifications: Notifications
    people: People
    organization_id: str
    tokens: Tokens
    connections: Connections
    connectors: Connectors
    snapshots: Snapshots
    profiles: Profiles
    policy: Policy
    vault: Vault
    credentials: RenewableCredentials
    room: Room
    day_keys: DayKeys
    call_log: CallLog
    alerts: Alerts
    levels: Levels
    upstreams: Upstreams
    gateway: Gateway
    trail: Trail
    whose: ConnectorOf
    port: int = 0
    stop: Callable[[], Coroutine[Any, Any, None]] = _not_stoppable
    _added: dict[str, Connector] = field(default_factory=dict)

    async def person(self, login: str) -> Person:
        return await self.people.create(
            login=login, display_name=login.title(), organization_id=self.organization_id, role=Role.MEMBER
        )

    async def stranger(self, login: str) -> Person:
        """Somebody of another organization."""
        other = await Organizations(self.database, clock=self.clock).create("Other", "organization")
        return await self.people.create(
            login=login, display_name=login.title(), organization_id=other.id, role=Role.MEMBER
        )

    async def token(self, person: Person, path: str) -> str:
        secret, _ = await self.tokens.create_personal(person, "test", path, ["mcp"], 86400.0)
        return secret.reveal().decode()

    async def connect(
        self, person: Person, service: Service, token: str, *, label: str = "", on: tuple[str, ...] = ("echo",)
    ) -> Connection:
        """Connects the person's account at the service, and switches the named tools on."""
        connector = self._added.get(service.url)
        if connector is None:
            connector = await self.connectors.add_custom(person, name="Fake", url=service.url)
            self._added[service.url] = connector
        connection = await self.connections.add(person, connector, label=label)
        await self.give_token(person, connector, connection, token)
        if on:
            await self.switch_on(connection, service, *on)
        return connection

    async def give_token(self, person: Person, connector: Connector, connection: Connection, token: str) -> None:
        """Does what the callback of a finished sign-in does: seals the token, and says that it is there."""
        generation = await self.vault.seal(Secret(token), bound_to=access_binding(connection, connector))
        async with self.database.write() as tx:
            await connections_repository.set_connection(
                tx, connection.id, state=State.CONNECTED.value, generation=generation
            )
        await self.notifications.publish("connections", person.id)

    async def accept_changes(self, person: Person) -> None:
        """Does what a person does who has looked at what their services added or changed, and takes it."""
        for connection in await self.connections.list(person.id):
            if held := await self.snapshots.held(connection.id):
                await self.snapshots.accept(connection.id, {one.tool: one.seen for one in held})

    async def switch_on(self, connection: Connection, service: Service, *names: str) -> None:
        said = json.dumps({"serverInfo": {"name": "fake"}, "instructions": service.instructions}).encode()
        snapshot = await self.snapshots.put(connection.id, service.tools, said, 0)
        await self.policy.permissions.allow(connection.id, [tool for tool in snapshot.tools if tool.name in names])

    def keep_alive(self, seconds: float) -> None:
        """How long a stream may be quiet."""
        self.gateway.endpoint.keep_alive = self.gateway.house.keep_alive = seconds

    def connector(self, service: Service) -> Connector:
        return self._added[service.url]

    async def client(self, person: Person, service: Service | None = None, **options: Any) -> Client:
        """An assistant of this person, at the door of one service or of all."""
        path = f"/c/{self.connector(service).slug}/mcp" if service is not None else "/mcp"
        path = options.pop("path", path)
        client = Client(self.port, await self.token(person, path), path, **options)
        if not client.is_modern:
            await client.initialize()
        return client

    async def records(self, person: Person, *, method: str = "tools/call") -> list[CallRecord]:
        """What the log says about the person's calls, oldest first, payloads included."""
        await self.call_log.flush()
        log, mine = CallRecords(self.database), OfPerson(person.id)
        found = [await log.find(each.id, mine) for each in await log.list(mine, limit=1000)]
        return [record for record in reversed(found) if record.method == method]

    async def payload(self, record: CallRecord, which: Literal["request", "response"]) -> bytes:
        key = await self.day_keys.existing(record.person_id, record.organization_id, record.day)
        sealed = record.request if which == "request" else record.response
        assert sealed is not None
        return key.open(sealed, about=f"{record.id}:{which}")


@pytest.fixture
async def modern() -> AsyncIterator[Service]:
    service = Service("modern")
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def legacy() -> AsyncIterator[Service]:
    service = Service("legacy")
    await service.start()
    yield service
    await service.stop()


@pytest.fixture(params=["modern", "legacy"])
async def service(request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    """A service of either era."""
    started = Service(request.param)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> Front:
    chosen: Front = request.param
    return chosen


@pytest.fixture
def anyio_backend(front: Front) -> tuple[str, dict[str, bool]]:
    """The fast front runs on uvloop, as it does in a hub; the other one on asyncio's own loop."""
    return ("asyncio", {"use_uvloop": front == "fast"})


@pytest.fixture
async def hub(sqlite_database: Database, clock: FakeClock, tmp_path: Path, front: Front) -> AsyncIterator[Hub]:
    keyring = await migrated_sqlite(tmp_path / "keyring.db", "keyring")
    async with opened(sqlite_database, keyring, clock, tmp_path, front) as hub:
        yield hub


@contextlib.asynccontextmanager
async def opened(
    database: Database, keyring: Database, clock: FakeClock, tmp_path: Path, front: Front, *, organization_id: str = ""
) -> AsyncIterator[Hub]:
    """The rooms on these stores and the files at `tmp_path`; a second time, with their organization, is a restart."""
    notifications = Notifications(database)
    root = open_or_create(tmp_path / "keys" / "root.key", forbidden_below=[], may_create=not organization_id)
    vault = Vault(database, keyring, root, clock, notifications)
    await vault.start("dep_test")
    trail = Trail(database, clock)
    if not organization_id:
        organization_id = (await Organizations(database, clock=clock).create("Test", "organization")).id
    read_url = functools.partial(parse_url, private_names=True)
    connectors = Connectors(database, notifications, clock=clock, parse_url=read_url)
    outbound = open_outbound(AddressPolicy([ipaddress.ip_network("127.0.0.1/32")]), clock)
    upstreams = Upstreams(outbound.calls, database, clock)
    room = open_room(
        database, vault=vault, web=outbound.web, desk=DirectDesk(outbound.web), upstreams=upstreams,
        connectors=connectors, leases=Leases(database, clock=clock), notifications=notifications, trail=trail,
        clock=clock, parse=read_url,
        may_connect=everybody_may,
        verified_domains=no_domains,
        role_of=a_member,
            public_url="http://localhost", spool=Spool(tmp_path / "spool", vault.keyring, clock=clock),
    )  # fmt: skip
    call_log = CallLog(database, tmp_path / "journal", clock)
    await call_log.start()
    tokens = Tokens(database, clock=clock, notifications=notifications, trail=trail)
    day_keys = DayKeys(vault.keyring, clock=clock, notifications=notifications)
    told_of_drift: list[OnDrift] = []
    snapshots = Snapshots(database, notifications, clock=clock, on_drift=told_of_drift)
    groups = Memberships(database, notifications, clock=clock)
    policy = open_policy(
        database, notifications, clock=clock, keys=day_keys, trail=trail, snapshots=snapshots, groups=groups
    )
    told_of_drift.append(policy.standing.drifted)
    whose = ConnectorOf(database, connectors, notifications, groups=groups, clock=clock)
    vault.release_by(ForRecordedCalls(call_log, policy.grants(snapshots, whose)))
    profiles = Profiles(
        database, notifications, clock=clock, trail=trail, connections=room.connections, on_removed=_nobody_let_in
    )
    credentials = RenewableCredentials(room.credentials)
    levels = Levels(database, notifications, clock=clock, trail=trail)
    sockets = [uvicorn.Config(_nowhere, host="127.0.0.1", port=0, log_level="warning").bind_socket()]
    port = sockets[0].getsockname()[1]
    alerts = Alerts(database, clock=clock, trail=trail)
    gateway = Gateway(
        tokens=tokens, connections=room.connections, connectors=connectors, snapshots=snapshots,
        profiles=profiles, policy=policy.gate, credentials=credentials, day_keys=day_keys,
        call_log=call_log, alerts=alerts, levels=levels, upstreams=upstreams, notifications=notifications, clock=clock,
        parse_url=read_url, public_url=f"http://localhost:{port}", hosts=[f"localhost:{port}", f"127.0.0.1:{port}"],
        patience=0.3, database=database,
        trusted_proxies=[ipaddress.ip_network("127.0.0.0/8")],  # as uvicorn has it where it is told of none
    )  # fmt: skip
    cutting = Cutting(room.quarantine, gateway, outbound.calls)
    notifications.subscribe(QUARANTINE, cutting.heard)
    config = uvicorn.Config(
        Starlette(routes=gateway.routes()), lifespan="off",
        http=gateway.front() if front == "fast" else "httptools", log_config=None, ws="none",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=sockets)
    yield Hub(
        database=database, clock=clock, notifications=notifications,
        people=People(database, clock=clock, notifications=notifications, trail=trail),
        organization_id=organization_id, tokens=tokens, connections=room.connections, connectors=connectors,
        snapshots=snapshots, profiles=profiles, policy=policy, vault=vault, credentials=credentials,
        room=room, day_keys=day_keys, call_log=call_log, alerts=alerts, levels=levels, upstreams=upstreams,
        gateway=gateway, trail=trail, whose=whose, port=port,
        stop=lambda: server.shutdown(sockets=sockets),
    )  # fmt: skip
    await _stopped(server)
    await cutting.stop()
    await gateway.stop()
    await alerts.settle()
    await room.stop()
    await call_log.stop()
    await outbound.close()
    await keyring.close()


async def _stopped(server: uvicorn.Server) -> None:
    """What `server.shutdown` does, which takes a tenth of a second at least: minutes, in thousands of tests."""
    for listening in server.servers:
        listening.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            while server.server_state.connections or server.server_state.tasks:
                await asyncio.sleep(0.001)
    for task in server.server_state.tasks:
        task.cancel()


async def _nowhere(_scope: Any, _receive: Any, _send: Any) -> None:
    """Stands for an application where only a socket is wanted."""


async def _nobody_let_in(_profile: object) -> None:
    """Nobody was let in at the address of a profile that is gone."""
