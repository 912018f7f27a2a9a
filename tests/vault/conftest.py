"""A vault on real stores of either kind, and what a thief would have of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.conftest import FakeClock
from tests.databases import migrated_sqlite
from tests.vault.anything import open_handed
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.vault.broker import Vault
from valetkey.vault.model import BEARER, Binding
from valetkey.vault.root_keys.file import FileRootKey, open_or_create
from valetkey.vault.tickets import Ticket

ORIGIN = "https://mcp.example.com"


def binding(subject: str = "con_1", purpose: str = "access_token", **others: str) -> Binding:
    """A binding of Ada's; say what differs."""
    given = {"tenant": "org_1", "person": "per_ada", "origin": ORIGIN, "issuer": "https://as.example.com"} | others
    return Binding(subject=subject, purpose=purpose, connector="cnr_1", connector_version=1, **given)


def written(ticket: Ticket) -> bytes:
    """What the ticket puts on the wire."""
    buffer = bytearray(ticket.size)
    ticket.write_into(memoryview(buffer))
    return bytes(buffer)


@dataclass
class House:
    """Both stores, the root key and everything needed to open a vault on them, again and again."""

    main: Database
    keyring: Database
    root: FileRootKey
    clock: FakeClock
    notifications: Notifications = field(init=False)

    def __post_init__(self) -> None:
        self.notifications = Notifications(self.main)

    def vault(self, *, main: Database | None = None, keyring: Database | None = None) -> Vault:
        """A vault with cold caches on these stores, or on others."""
        return open_handed(
            Vault(main or self.main, keyring or self.keyring, self.root, self.clock, Notifications(main or self.main))
        )

    async def token_of(self, vault: Vault, bound_to: Binding) -> bytes:
        """The value as it would reach the service; raises what the vault raises."""
        ticket = await vault.ticket([(BEARER, bound_to)], origin=bound_to.origin, call_id="call_1")
        return written(ticket).removeprefix(b"authorization: Bearer ").removesuffix(b"\r\n")


@pytest.fixture
def root(tmp_path: Path) -> FileRootKey:
    return open_or_create(tmp_path / "keys" / "root.key", forbidden_below=[], may_create=True)


@pytest.fixture
async def house(database: Database, root: FileRootKey, clock: FakeClock, tmp_path: Path) -> AsyncIterator[House]:
    """On SQLite two files; on PostgreSQL the same server, another pool of connections."""
    if database.dialect == "sqlite":
        keyring = await migrated_sqlite(tmp_path / "keyring.db", "keyring")
    else:
        keyring = Database.open(database.url.render_as_string(hide_password=False))
    yield House(database, keyring, root, clock)
    await keyring.close()


@pytest.fixture
async def small_house(
    sqlite_database: Database, keyring_database: Database, root: FileRootKey, clock: FakeClock
) -> House:
    """On SQLite only, for what is not about the database."""
    return House(sqlite_database, keyring_database, root, clock)


@pytest.fixture
def vault(house: House) -> Vault:
    return house.vault()


def secret(text: str) -> Secret:
    return Secret(text)


class Slow:
    """A store whose reads stop at the door until they are let through."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.arrived = asyncio.Event()
        self.go_on = asyncio.Event()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.read() as tx:
            yield tx
        self.arrived.set()
        await self.go_on.wait()
