"""A hub for the API's tests: real rooms on a real database, and stand-ins only for what reaches other machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.types import ASGIApp

from tests.audit.siem import Siem
from tests.audit.signing import TestSigner
from tests.conftest import FakeClock
from tests.identity.provider import IdentityProvider
from valetkey.api.app import create
from valetkey.api.asking import Scope, as_operator
from valetkey.api.kept_answers import KeptAnswers
from valetkey.api.mount import Below
from valetkey.api.pages import Pages
from valetkey.api.scim.app import create as create_scim
from valetkey.api.services import Answer, Services, TrailLog
from valetkey.audit.alerts import Alerts
from valetkey.audit.checkpoints import Checkpoints
from valetkey.audit.feed.feeds import Feeds
from valetkey.audit.note import Note, VerifierKey
from valetkey.audit.proofs import Proofs
from valetkey.audit.report import Report
from valetkey.audit.repository import CallRecords
from valetkey.audit.trail import Trail
from valetkey.audit.uses import Uses
from valetkey.audit.verify import Against, verify
from valetkey.connections.accounts import Connections
from valetkey.connections.checking import Checking
from valetkey.connections.labels import Label
from valetkey.connections.model import Connection, Receipt, State
from valetkey.connections.quarantine import Quarantine
from valetkey.connections.reconsent import Editing
from valetkey.connections.reporting import Reporting
from valetkey.connections.revoke_all import RevokingAll
from valetkey.connections.ruling import Ruling
from valetkey.connections.trace import Trace
from valetkey.connections.whose import Accounts
from valetkey.directory.access.saying import Access
from valetkey.directory.connectors import Connectors
from valetkey.directory.disclosure import Disclosure
from valetkey.directory.listings import Listings, read_listing
from valetkey.directory.model import Connector
from valetkey.directory.profiles import Profiles
from valetkey.directory.registry_sync import RegistrySync
from valetkey.directory.requests.asking import Requests
from valetkey.directory.snapshots import Snapshots
from valetkey.identity.families import Families
from valetkey.identity.invitations import Invitations
from valetkey.identity.model import Person, Principal, Role
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.identity.provisioning.memberships import Memberships
from valetkey.identity.provisioning.room import open_provisioning
from valetkey.identity.sessions import Sessions
from valetkey.identity.signin.link import SignInLinks
from valetkey.identity.signin.openid.providers import Wish
from valetkey.identity.signin.openid.room import open_openid
from valetkey.identity.signin.passkey import Passkeys
from valetkey.identity.tokens import Tokens
from valetkey.kernel.errors import StartRefused
from valetkey.kernel.secret import Secret
from valetkey.net.url import parse_url
from valetkey.policy.room import open_policy
from valetkey.privacy.erase import Erasing
from valetkey.privacy.export import Exporting, SignIn, Sources
from valetkey.privacy.holds import Holds
from valetkey.privacy.join import Joining
from valetkey.privacy.leave import Leaving
from valetkey.privacy.offboard import Offboarding
from valetkey.privacy.reading import Reading
from valetkey.privacy.room import open_privacy
from valetkey.privacy.usage import Counting
from valetkey.privacy.whole import Whole
from valetkey.store.database import Database
from valetkey.store.leases import Leases
from valetkey.store.notify import Notifications
from valetkey.store.schema import connection as connection_table
from valetkey.submissions.room import open_submissions
from valetkey.vault.day_keys import DayKeys
from valetkey.vault.keyring import Keyring
from valetkey.vault.model import Binding
from valetkey.vault.recovery import Recovery
from valetkey.vault.root_keys.file import FileRootKey
from valetkey.vault.rotation import Rotation

HOUR = 3600.0
PUBLIC_URL = "http://localhost:8484"
NOTES = read_listing(
    "notes",
    """
    name = "Notes"
    publisher = "Notes Company"
    about = "Notes, kept."
    url = "https://mcp.notes.example/mcp"
    categories = ["documents"]
    source = { url = "https://notes.example/docs", date = 2026-08-01 }
    """,
    parse_url=parse_url,
)


class KeptYeses:
    """The keys of people's yeses, as the vault would keep them."""

    def __init__(self) -> None:
        self.there: set[tuple[str, str, str]] = set()

    async def make(self, consent_id: str, person_id: str, organization_id: str) -> None:
        self.there.add((consent_id, person_id, organization_id))

    async def is_there(self, consent_id: str, person_id: str, organization_id: str) -> bool:
        return (consent_id, person_id, organization_id) in self.there

    async def destroy(self, consent_id: str) -> None:
        self.there = {one for one in self.there if one[0] != consent_id}


@dataclass
class Elsewhere:
    """What would talk to services: notes what it was asked, and answers as if it had been done."""

    clock: FakeClock
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    kept: list[str] = field(default_factory=lambda: ["rec_0000"])
    """Ids of receipts, the newest first."""
    database: Database | None = None
    """Where a connection is to be seen as ended; nowhere, if a test is not about that."""
    disclosure: Callable[[Connector], Disclosure] | None = None
    """What is said of a connector, for a test that is about acknowledging it."""

    async def end(self, connection: Connection, *, actor: str) -> Receipt:
        self.asked.append(("end", connection.id, actor))
        if self.database is not None:
            async with self.database.write() as tx:
                await tx.execute(connection_table.update().values(state="not_connected", connected_at=None))
        return self._receipt(connection.person_id, connection.label)

    async def probe(self, connection: Connection) -> None:
        self.asked.append(("probe", connection.id))

    async def cancel(self, subject: str) -> None:
        self.asked.append(("cancel", subject))

    async def seal(self, secret: Secret, *, bound_to: Binding) -> int:
        self.asked.append(("seal", bound_to.subject))
        return 1

    async def shred(self, subject: str) -> int:
        self.asked.append(("shred", subject))
        return 0

    async def hold(self, connector: Connector, values: Mapping[str, Secret], *, by: str, person_id: str) -> None:
        self.asked.append(("hold", connector.slug, sorted(values), by))

    async def take_away(self, connector: Connector, *, by: str, person_id: str) -> int:
        self.asked.append(("take_away", connector.slug, by))
        return 1

    async def forget(self, connector: Connector) -> None:
        self.asked.append(("forget", connector.slug))

    async def seal_vault(self) -> None:
        self.asked.append(("seal_vault",))

    async def bury(self, connection: Connection, actor: str) -> None:
        self.asked.append(("bury", connection.id, actor))

    async def disconnect(self, person_id: str, connection_id: str, *, by: str) -> Receipt:
        self.asked.append(("disconnect", person_id, connection_id, by))
        return self._receipt(person_id, "main")

    async def disconnect_all(self, person_id: str, *, by: str) -> Sequence[Receipt]:
        self.asked.append(("disconnect_all", person_id, by))
        return [self._receipt(person_id, "main")]

    async def forget_receipts(self, person_id: str) -> None:
        self.asked.append(("forget_receipts", person_id))

    async def receipts(self, person_id: str, *, before: str = "", limit: int = 1) -> Sequence[Receipt]:
        return [replace(self._receipt(person_id, "main"), id=one) for one in self.kept if not before or one < before][
            :limit
        ]

    async def set_header(
        self,
        person: Person,
        connector: Connector,
        *,
        label: str,
        display_name: str,
        values: Mapping[str, Secret],
        acknowledged: str,
    ) -> Connection:
        if self.disclosure is not None:
            self.disclosure(connector).check(acknowledged)  # as the room does
        self.asked.append(("set_header", person.id, connector.slug, label, dict(values)))
        now = self.clock.now()
        return Connection(
            "cn_new", person.organization_id, person.id, connector.id, 1, label or "main", display_name, True,
            State.CONNECTED, "", "header", "", "", "", "", False, None, 1, now, now, None,
        )  # fmt: skip

    async def of(self, connector: Connector, *, policy: str) -> Label:
        state, now = connector.review_state, self.clock.now()
        return Label(state.value, state.label, policy, now, now, "a.b.c", f"{PUBLIC_URL}/keys.jwks")

    async def call(self, principal: Principal, *, connector: str, label: str, tool: str, arguments: bytes) -> Answer:
        self.asked.append(("call", principal.person_id, connector, label, tool, json.loads(arguments)))
        return Answer("call_1", b'{"content":[{"type":"text","text":"done"}]}')

    def _receipt(self, person_id: str, label: str) -> Receipt:
        now = self.clock.now()
        return Receipt("rec_1", person_id, now, "GitHub", "h.example", label, 2, "confirmed", "", now)


async def _no_page(address: str) -> bytes:
    raise AssertionError(f"No registry is named, and {address} was asked for.")


async def _no_root_key(spec: str, passphrase: Secret) -> int:
    raise StartRefused(f"Only the tests of keys open one, not {spec}.")


class Hub:
    """The API with its rooms. `operator` and `with_scopes` give clients; `nobody` one without a token."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        notifications = Notifications(database)
        trail = Trail(database, clock)
        self.clock, self.database, self.notifications = clock, database, notifications
        self.elsewhere = Elsewhere(clock)
        self.yes_keys = KeptYeses()
        connectors = Connectors(database, notifications, clock=clock, parse_url=parse_url, listings=Listings([NOTES]))
        connections = Connections(
            database, notifications, clock=clock, connectors=connectors, trail=trail, disconnecting=self.elsewhere
        )
        people = People(database, clock=clock, notifications=notifications, trail=trail)
        organizations = Organizations(database, clock=clock)
        self.provider = IdentityProvider(clock)
        self.siem = Siem()
        groups = Memberships(database, notifications, clock=clock)
        snapshots = Snapshots(database, notifications, clock=clock)
        policy = open_policy(
            database, notifications, clock=clock, keys=None, trail=trail, snapshots=snapshots, groups=groups  # type: ignore[arg-type]  # as for contents
        )  # fmt: skip
        alerts = Alerts(database, clock=clock, trail=trail)
        access = Access(database, notifications, parse_url=parse_url, clock=clock, trail=trail)
        provisioning = open_provisioning(
            database, notifications, people=people, organizations=organizations, clock=clock, trail=trail
        )
        self.services = Services(
            people=people,
            organizations=organizations,
            links=SignInLinks(database, clock=clock, trail=trail),
            feeds=Feeds(
                database,
                Leases(database, clock=clock),
                web=self.siem,
                calls=self.siem.collector,
                streams=self.siem,
                keys=self.siem,
                parse_url=parse_url,
                clock=clock,
                trail=trail,
            ),
            provisioning=provisioning,
            openid=open_openid(
                database,
                notifications,
                organizations=organizations,
                web=self.provider,
                desk=None,  # type: ignore[arg-type]  # nobody signs in by the API
                vault=self.elsewhere,  # type: ignore[arg-type]  # as far as it is used: no secret is given here
                parse=parse_url,
                clock=clock,
                trail=trail,
                public_url=PUBLIC_URL,
            ),
            families=Families(database, clock=clock, notifications=notifications, trail=trail),
            tokens=Tokens(database, clock=clock, notifications=notifications, trail=trail),
            connectors=connectors,
            access=access,
            groups=groups,
            requests=Requests(
                database, connectors=connectors, groups=groups, parse_url=parse_url, clock=clock, trail=trail
            ),
            registry=RegistrySync(
                database, Leases(database, clock=clock), registry="", fetch=_no_page, parse_url=parse_url, clock=clock
            ),
            snapshots=snapshots,
            acceptances=policy.acceptances(snapshots, Accounts(database), members_accept=access.members_accept),
            profiles=Profiles(
                database, notifications, clock=clock, trail=trail, connections=connections, on_removed=_nobody_let_in
            ),
            policy=policy,
            connections=connections,
            connecting=self.elsewhere,
            labels=self.elsewhere,
            disconnecting=self.elsewhere,
            revoking=RevokingAll(database, self.elsewhere, clock=clock),  # type: ignore[arg-type]  # as far as it is used
            quarantine=Quarantine(
                database,
                vault=self.elsewhere,
                notifications=notifications,
                clock=clock,
                trail=trail,
                connectors=connectors,
            ),
            ruling=Ruling(
                database,
                access=access,
                connectors=connectors,
                revoking=RevokingAll(database, self.elsewhere, clock=clock),  # type: ignore[arg-type]  # as far as it is used
                people=people,
                notifications=notifications,
            ),
            held=self.elsewhere,  # type: ignore[arg-type]  # notes what it was asked
            editing=Editing(
                database,
                connectors=connectors,
                revoking=RevokingAll(database, self.elsewhere, clock=clock),  # type: ignore[arg-type]  # as far as it is used
                held=self.elsewhere,  # type: ignore[arg-type]  # as far as it is used
                notifications=notifications,
                trail=trail,
            ),
            submissions=open_submissions(
                database,
                notifications,
                organizations,
                vault=None,  # type: ignore[arg-type]  # tests/submissions give one, and a way out
                freezes=None,  # type: ignore[arg-type]  # so here
                out=None,  # type: ignore[arg-type]  # so here
                listings=connectors.listings,
                parse=parse_url,
                trail=trail,
                clock=clock,
            ),
            reporting=Reporting(
                snapshots=Snapshots(database, notifications, clock=clock),
                alerts=alerts,
                trail=trail,
            ),
            checking=Checking(connections=connections, trace=Trace(database, clock=clock), probe=self.elsewhere.probe),
            trace=Trace(database, clock=clock),
            calls=CallRecords(database),
            privacy=open_privacy(
                database,
                notifications,
                people,
                organizations,
                CallRecords(database),
                None,  # type: ignore[arg-type]  # as for contents
                clock=clock,
                trail=trail,
                yes_keys=self.yes_keys,
            ),
            uses=Uses(database),
            counting=Counting(
                database, connectors=connectors, people=people, groups=provisioning.directory, clock=clock
            ),
            alerts=alerts,
            day_keys=None,  # type: ignore[arg-type]  # only the tests of contents give keys
            trail=trail,
            trail_log=self._log(trail),
            call_tool=self.elsewhere.call,
            kept_answers=KeptAnswers(database, clock=clock),
            pages=Pages(PUBLIC_URL),
            invitations=Invitations(database, people=people, organizations=organizations, clock=clock, trail=trail),
            joining=None,  # type: ignore[arg-type]  # as for contents
            leaving=None,  # type: ignore[arg-type]  # as for contents
            erasing=None,  # type: ignore[arg-type]  # as for contents
            exporting=None,  # type: ignore[arg-type]  # as for contents
            offboarding=None,  # type: ignore[arg-type]  # as for contents
            rotation=None,  # type: ignore[arg-type]  # only the tests of keys give them
            recovery=None,  # type: ignore[arg-type]  # so here
            seal_vault=self.elsewhere.seal_vault,
            move_root=_no_root_key,
            clock=clock,
        )
        self.people: dict[str, Person] = {}

    async def give_provider(self, organization_id: str) -> None:
        """An identity provider and a domain, for an organization that can have them."""
        if (await self.services.organizations.get(organization_id)).kind == "personal":
            return
        providers = self.services.openid.providers
        await providers.set(
            organization_id, Wish(issuer=self.provider.issuer, client_id="x", client_secret=None), by="x"
        )
        await providers.add_domain(organization_id, "example.com", by="x")

    def replaced(self, **rooms: Any) -> None:
        self.services = replace(self.services, **rooms)

    def _log(self, trail: Trail) -> TrailLog:
        """The trail as a log, signed by a key made here."""
        signer = TestSigner()
        checkpoints = Checkpoints(
            self.database,
            clock=self.clock,
            leases=Leases(self.database, clock=self.clock),
            trail=trail,
            signer=signer,
            watch=signer,
        )

        async def verify_log(
            since: Note | None, watch: tuple[str, bytes] | None, older_keys: tuple[VerifierKey, ...]
        ) -> Report:
            against = Against(keys=(signer.verifier_key, *older_keys), since=since, watch=watch)
            return await verify(self.database, against)

        async def begin_watch() -> Secret:
            return Secret("vkw_first")

        async def flush() -> None: ...

        return TrailLog(
            checkpoints=checkpoints,
            proofs=Proofs(self.database, clock=self.clock),
            verify=verify_log,
            begin_watch=begin_watch,
            flush=flush,
        )

    def keep_keys(self, keyring: Database, root: Path = Path("root.key")) -> DayKeys:
        """Day keys and rotation under a root key that lives as long as the test; later versions lie beside `root`."""
        root_key = FileRootKey(bytearray(range(32)), path=root, created=True)
        keyring_of_hub = Keyring(keyring, root_key, clock=self.clock)
        keys = DayKeys(keyring_of_hub, clock=self.clock, notifications=self.notifications)
        holds = Holds(self.database, keys, clock=self.clock, trail=self.services.trail)
        reading = Reading(self.database, self.services.calls, keys, self.services.trail)
        self.replaced(
            privacy=replace(self.services.privacy, holds=holds, reading=reading, whole=Whole(self.database, keys))
        )
        self.replaced(
            day_keys=keys,
            offboarding=Offboarding(
                self.services.people, self.elsewhere, keys, self.services.privacy.holds, self.services.trail
            ),
            exporting=self._exporting(keys),
            erasing=self._erasing(keys),
            joining=Joining(
                self.services.people,
                self.services.invitations,
                self.services.connections,
                keys,
                self.services.privacy.consents,
                holds,
                self.services.trail,
            ),
            leaving=Leaving(
                self.services.people,
                self.services.organizations,
                self.services.connections,
                keys,
                holds,
                self.services.trail,
            ),
            rotation=Rotation(keyring_of_hub, clock=self.clock, notifications=self.notifications),
            recovery=Recovery(keyring_of_hub, clock=self.clock),
        )
        return keys

    def _erasing(self, keys: DayKeys) -> Erasing:
        rooms = self.services
        return Erasing(
            self.database,
            connections=rooms.connections,
            receipts=self.elsewhere,
            day_keys=keys,
            consents=rooms.privacy.consents,
            holds=rooms.privacy.holds,
            flush_calls=rooms.trail_log.flush,
            trail=rooms.trail,
            clock=self.clock,
        )

    def _exporting(self, keys: DayKeys) -> Exporting:
        rooms, clock = self.services, self.clock
        sources = Sources(
            organizations=rooms.organizations,
            sign_in=SignIn(
                sessions=Sessions(self.database, clock=clock, notifications=self.notifications).list,
                passkeys=Passkeys(self.database, clock=clock, trail=rooms.trail, public_url=PUBLIC_URL).list,
                tokens=rooms.tokens.list,
                assistants=Families(
                    self.database, clock=clock, notifications=self.notifications, trail=rooms.trail
                ).list,
            ),
            connections=rooms.connections,
            connectors=rooms.connectors,
            receipts=self.elsewhere,
            profiles=rooms.profiles.list,
            policy=open_policy(
                self.database, self.notifications, clock=clock, keys=keys, trail=rooms.trail, snapshots=rooms.snapshots
            ),
            consents=rooms.privacy.consents,
            levels=rooms.privacy.levels,
            calls=rooms.calls,
            whole=rooms.privacy.whole,
            alerts=rooms.alerts,
            holds=rooms.privacy.holds,
            day_keys=keys,
            trail=rooms.trail,
            checkpoints=rooms.trail_log.checkpoints,
            proofs=rooms.trail_log.proofs,
        )
        return Exporting(sources, clock=clock)

    @property
    def app(self) -> ASGIApp:
        return Starlette(
            routes=[Below("/api/v1", create(self.services)), Below("/scim/v2", create_scim(self.services))]
        )

    async def add(self, login: str, organization_id: str, role: Role) -> Person:
        person = await self.services.people.create(
            login=login, display_name=login.title(), organization_id=organization_id, role=role
        )
        self.people[login] = person
        return person

    def client(self, app: ASGIApp, token: str = "") -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app, raise_app_exceptions=False),
            base_url=f"{PUBLIC_URL}/api/v1",
            headers={"authorization": f"Bearer {token}"} if token else {},
        )

    @property
    def nobody(self) -> httpx2.AsyncClient:
        return self.client(self.app)

    @property
    def operator(self) -> httpx2.AsyncClient:
        return self.client(as_operator(self.app))

    async def token(self, login: str, *scopes: str, audience: str = "/api/v1") -> str:
        secret, _info = await self.services.tokens.create_personal(
            self.people[login], f"for {login}", audience, scopes, HOUR
        )
        return secret.reveal().decode()

    async def with_scopes(self, login: str, *scopes: str) -> httpx2.AsyncClient:
        """A client with a token of this person; without `scopes`, one that has all of them."""
        return self.client(self.app, await self.token(login, *(scopes or tuple(Scope))))


async def open_hub(database: Database, clock: FakeClock) -> Hub:
    """A hub with Ada (owner) and Bob (member) of one organization, and Eve of another."""
    hub = Hub(database, clock)
    ours = await hub.services.organizations.create("Ours", "organization")
    theirs = await hub.services.organizations.create("Theirs", "personal")
    await hub.add("ada", ours.id, Role.OWNER)
    await hub.add("bob", ours.id, Role.MEMBER)
    await hub.add("eve", theirs.id, Role.OWNER)
    return hub


async def _nobody_let_in(_profile: object) -> None:
    """Nobody was let in at the address of a profile that is gone."""
