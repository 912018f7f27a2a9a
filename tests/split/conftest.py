"""A hub whose vault and dialer are processes of their own, with real services outside; and what is done in it."""

from __future__ import annotations

import ipaddress
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.conftest import a_member, everybody_may, no_domains
from tests.connections.conftest import PARSE, PUBLIC_URL, Hub
from tests.connections.outside import AuthServer, Service
from tests.databases import migrated_postgres
from valetkey.audit.calls import CallLog
from valetkey.audit.model import CallIntent, Outcome
from valetkey.audit.trail import Trail
from valetkey.connections.model import Connection
from valetkey.connections.room import open_room
from valetkey.directory.connectors import Connectors
from valetkey.identity.model import BrowserSession
from valetkey.kernel.clock import SystemClock
from valetkey.kernel.ids import new_id
from valetkey.net.model import Answer
from valetkey.split.model import Kept
from valetkey.split.opened import Ground, open_beside
from valetkey.store.database import Database
from valetkey.store.leases import Leases
from valetkey.store.migrations import migrate
from valetkey.store.notify import Notifications
from valetkey.upstream.client import Upstreams

INITIALIZE = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}'
HEADERS = ((b"content-type", b"application/json"), (b"accept", b"application/json, text/event-stream"))


class SplitHub(Hub):
    """The worker: the rooms of `Hub`, on a vault and a way out that are elsewhere."""

    kept: Kept
    call_log: CallLog

    def __init__(self, database: Database, kept: Kept, notifications: Notifications, call_log: CallLog) -> None:
        self.main = database
        self.clock = SystemClock()  # type: ignore[assignment]  # time passes by itself here
        self.ended, self.connected = [], []
        self.notifications = notifications
        self.kept = kept
        self.outbound = kept.outbound
        self.vault = kept.vault  # type: ignore[assignment]  # the same verbs, elsewhere
        self.call_log = call_log
        self.trail = Trail(database, self.clock)
        self.leases = Leases(database, clock=self.clock)
        self.connectors = Connectors(database, notifications, clock=self.clock, parse_url=PARSE)
        self.upstreams = Upstreams(self.outbound.calls, database, self.clock)
        self.room = open_room(
            database,
            vault=kept.vault,
            spool=kept.spool,
            web=kept.outbound.web,
            desk=kept.desk,
            upstreams=self.upstreams,
            connectors=self.connectors,
            leases=self.leases,
            notifications=notifications,
            trail=self.trail,
            clock=self.clock,
            parse=PARSE,
            may_connect=everybody_may,
            verified_domains=no_domains,
            role_of=a_member,
            public_url=PUBLIC_URL,
            on_ended=[self._on_ended],
            on_connected=[self._on_connected],
        )

    def intent(self, connection: Connection, *, person_id: str = "", tool: str = "") -> CallIntent:
        now = self.clock.now()
        return CallIntent(
            id=new_id("call"),
            started_at=now,
            organization_id=connection.organization_id,
            person_id=person_id or connection.person_id,
            client="claude",
            connector="notes",
            connection_id=connection.id,
            label="",
            method="tools/call" if tool else "tools/list",
            tool=tool,
            own_tool=tool,
            day=now.date().isoformat(),
        )

    async def call(self, connection: Connection, url: str, *, tool: str = "") -> Answer:
        """One recorded request with the connection's credential."""
        with self.call_log.begin(self.intent(connection, tool=tool)) as record:
            whose = {"person_id": connection.person_id, "call_id": record.intent.id}
            ticket = self.room.credentials.ticket_now(connection.id, **whose) or await self.room.credentials.ticket(
                connection.id, **whose
            )
            answer = await self.outbound.calls.post(
                PARSE(url), HEADERS, INITIALIZE, credential=ticket, pool=connection.id
            )
            record.finish(Outcome.OK)
        return answer


OpenSplit = Callable[[Path], Awaitable[SplitHub]]


@asynccontextmanager
async def split_hub(data: Path, url: str = "") -> AsyncIterator[SplitHub]:
    """A hub in three processes, on SQLite in `data` or the PostgreSQL of `url`."""
    clock = SystemClock()
    async with AsyncExitStack() as closing:
        database = Database.open(url) if url else Database.sqlite(data / "valetkey.db")
        closing.push_async_callback(database.close)
        await migrate(database, "main")
        notifications = Notifications(database)
        await notifications.start()
        closing.push_async_callback(notifications.stop)
        ground = Ground(
            data=data,
            database=database,
            database_url=url,
            keyring_url=url,
            root_key=str(data.parent / "root.key"),
            former_root_key="",
            allow_network=[ipaddress.ip_network("127.0.0.1/32")],
            listening=[("127.0.0.1", 1)],
            public_url=PUBLIC_URL,
            deployment_id="dep_test",
            clock=clock,
            notifications=notifications,
        )
        call_log = CallLog(database, data / "journal", clock)
        await call_log.start()
        closing.push_async_callback(call_log.stop)
        hub = SplitHub(database, await open_beside(ground, closing), notifications, call_log)
        closing.push_async_callback(hub.upstreams.stop)
        closing.push_async_callback(hub.room.stop)
        yield hub


@pytest.fixture
def engine() -> str:
    """As in `connections`: a test that is about it asks for both."""
    return "sqlite"


@pytest.fixture
async def hub(engine: str, request: pytest.FixtureRequest) -> AsyncIterator[SplitHub]:
    url = await migrated_postgres(request.getfixturevalue("postgres")) if engine == "postgresql" else ""
    with tempfile.TemporaryDirectory(prefix="vk-split-", dir="/tmp") as home:
        data = Path(home) / "data"
        data.mkdir(mode=0o700)
        async with split_hub(data, url) as opened:
            yield opened


@pytest.fixture
async def server() -> AsyncIterator[AuthServer]:
    async with AuthServer() as one:
        yield one


@pytest.fixture
async def service(server: AuthServer) -> AsyncIterator[Service]:
    async with Service(server) as one:
        yield one


@pytest.fixture
async def ada(hub: SplitHub) -> BrowserSession:
    return hub.browser(await hub.person("ada"))
