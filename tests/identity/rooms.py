"""The room `identity`, put together as the hub puts it together, for tests here and in `authserver`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from argon2 import PasswordHasher

from tests.conftest import FakeClock
from valetkey.audit.model import Everyone, TrailEvent
from valetkey.audit.trail import Trail
from valetkey.identity.clients import Clients
from valetkey.identity.consents import Consents
from valetkey.identity.families import Families
from valetkey.identity.model import Client, Person, Role
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.identity.sessions import Sessions
from valetkey.identity.signin.link import SignInLinks
from valetkey.identity.signin.passkey import Passkeys
from valetkey.identity.signin.password import Passwords
from valetkey.identity.sweep import Sweeper
from valetkey.identity.tokens import Tokens
from valetkey.kernel.errors import OutboundFailed
from valetkey.net.limits import CIMD, Limits
from valetkey.net.model import Fetched, Url
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

PUBLIC_URL = "https://hub.example.com"

# As weak as Argon2 gets: these tests are not about its cost, save one.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Web:
    """The documents of the outside world, by URL, and which of them were asked for."""

    documents: dict[str, Fetched | OutboundFailed] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def has(
        self,
        url: str,
        document: object,
        *,
        status: int = 200,
        headers: Mapping[str, str] = {"content-type": "application/json"},
    ) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.documents[url] = Fetched(status, headers, body, Url(url, "https", "", 443, "/", ""))

    async def get(self, url: Url, *, limits: Limits = CIMD) -> Fetched:
        self.asked.append(url.text)
        document = self.documents.get(url.text)
        if document is None:
            raise OutboundFailed("The host does not answer.")
        if isinstance(document, OutboundFailed):
            raise document
        return document


class Rooms:
    """Everything in `identity`, on one database."""

    def __init__(
        self, database: Database, clock: FakeClock, *, pinned: Mapping[str, Client] = {}, public_url: str = PUBLIC_URL
    ) -> None:
        self.database = database
        self.clock = clock
        self.notifications = Notifications(database)
        self.trail = Trail(database, clock)
        self.web = Web()
        self.organizations = Organizations(database, clock=clock)
        self.people = People(database, clock=clock, notifications=self.notifications, trail=self.trail)
        self.links = SignInLinks(database, clock=clock, trail=self.trail)
        self.passwords = Passwords(database, clock=clock, trail=self.trail, hasher=QUICK)
        self.passkeys = Passkeys(database, clock=clock, trail=self.trail, public_url=public_url)
        self.sessions = Sessions(database, clock=clock, notifications=self.notifications)
        self.tokens = Tokens(database, clock=clock, notifications=self.notifications, trail=self.trail)
        self.families = Families(database, clock=clock, notifications=self.notifications, trail=self.trail)
        self.consents = Consents(database, clock=clock, trail=self.trail)
        self.clients = Clients(database, web=self.web, clock=clock, trail=self.trail, pinned=pinned)
        self.sweeper = Sweeper(database, clock=clock, tokens=self.tokens)

    async def person(self, login: str = "ada", role: Role = Role.OWNER) -> Person:
        """Somebody of an organization that is there for them."""
        organizations = await self.organizations.list()
        home = organizations[0] if organizations else await self.organizations.create("Home", "personal")
        return await self.people.create(login=login, display_name=login.title(), organization_id=home.id, role=role)

    def another_replica(self) -> Rooms:
        """The same database seen from another process, which hears no notification of this one."""
        return Rooms(self.database, self.clock)

    async def events(self) -> list[TrailEvent]:
        """The trail, oldest first."""
        return list(reversed(await self.trail.list(Everyone(), limit=1000)))

    async def happened(self, event: str) -> list[TrailEvent]:
        """The events of this name."""
        return [found for found in await self.events() if found.event == event]
