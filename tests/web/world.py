"""A hub's pages on real rooms and a real database, with people in it, and a browser to look at them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import httpx2
from argon2 import PasswordHasher
from sqlalchemy import update
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.audit.siem import Siem
from tests.audit.signing import TestSigner
from tests.conftest import FakeClock, a_member, no_domains
from tests.identity.provider import IdentityProvider
from tests.vault.anything import open_handed
from tests.web.service import MCP_URL, TOOLS, Service
from valetkey.audit.alerts import Alerts
from valetkey.audit.calls import CallLog
from valetkey.audit.checkpoints import Checkpoints
from valetkey.audit.feed.feeds import Feeds
from valetkey.audit.kept_results import KeptResults
from valetkey.audit.model import CallIntent, KeptOf, Outcome
from valetkey.audit.proofs import Proofs
from valetkey.audit.repository import CallRecords
from valetkey.audit.trail import Trail
from valetkey.audit.uses import Uses
from valetkey.connections.checking import Checking
from valetkey.connections.desk import DirectDesk
from valetkey.connections.model import Connection, State
from valetkey.connections.reporting import Reporting
from valetkey.connections.room import open_room
from valetkey.connections.ruling import Ruling
from valetkey.connections.whose import Accounts
from valetkey.directory.access.saying import Access
from valetkey.directory.connectors import Connectors
from valetkey.directory.listings import Listings
from valetkey.directory.model import Connector
from valetkey.directory.profiles import Profiles
from valetkey.directory.registry_sync import RegistrySync
from valetkey.directory.requests.asking import Requests
from valetkey.directory.snapshots import Snapshots
from valetkey.identity.families import Families
from valetkey.identity.invitations import Invitations
from valetkey.identity.model import Organization, Person, Role
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.identity.provisioning.memberships import Memberships
from valetkey.identity.provisioning.room import open_provisioning
from valetkey.identity.sessions import Sessions
from valetkey.identity.signin.link import SignInLinks
from valetkey.identity.signin.openid.room import open_openid
from valetkey.identity.signin.passkey import Passkeys
from valetkey.identity.signin.password import Passwords
from valetkey.identity.tokens import Tokens
from valetkey.kernel.ids import new_id
from valetkey.kernel.secret import Secret
from valetkey.net.url import parse_url
from valetkey.policy.room import open_policy
from valetkey.privacy.erase import Erasing
from valetkey.privacy.export import Exporting, SignIn, Sources
from valetkey.privacy.join import Joining
from valetkey.privacy.leave import Leaving
from valetkey.privacy.offboard import Offboarding
from valetkey.privacy.policy import Policies
from valetkey.privacy.room import open_privacy
from valetkey.privacy.usage import Counting
from valetkey.privacy.yes_keys import YesKeys
from valetkey.store.database import Database
from valetkey.store.leases import Leases
from valetkey.store.notify import Notifications
from valetkey.store.schema import connection
from valetkey.submissions.room import open_submissions
from valetkey.vault.broker import Vault
from valetkey.vault.day_keys import DayKeys
from valetkey.vault.keyring import Keyring
from valetkey.vault.root_keys.file import open_or_create
from valetkey.vault.spool import Spool
from valetkey.web.services import Services
from valetkey.web.site import Site

PUBLIC_URL = "http://localhost:8484"
PASSWORD = "three quiet otters"


@dataclass
class Browser:
    """A browser without scripts: keeps cookies, follows our redirects, sends forms as a page of ours does."""

    client: httpx2.AsyncClient
    last: httpx2.Response | None = field(default=None, repr=False)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        self.last = await self.client.get(path, headers={"sec-fetch-site": "none", **headers})
        return self.last

    async def open(self, path: str) -> httpx2.Response:
        """`get`, and on to wherever that leads."""
        return await self._follow(await self.get(path))

    async def send(self, path: str, fields: dict[str, str] | list[tuple[str, str]] | None = None) -> httpx2.Response:
        """Sends the form for `path` that is on the page opened last, with these fields filled in."""
        given = list((fields or {}).items()) if not isinstance(fields, list) else fields
        shown = re.search(r'name="disclosed" value="([^"]*)"', self.last.text) if self.last else None
        seen = [("disclosed", shown[1])] if shown else []
        return await self.post(path, [("csrf", self.csrf()), *seen, *given])

    async def submit(self, path: str, fields: dict[str, str] | list[tuple[str, str]] | None = None) -> httpx2.Response:
        """`send`, and on to wherever that leads."""
        return await self._follow(await self.send(path, fields))

    async def post(self, path: str, fields: list[tuple[str, str]]) -> httpx2.Response:
        """As browsers post forms from our pages: `Referrer-Policy: no-referrer` makes the origin null."""
        self.last = await self.client.post(
            path,
            content=urlencode(fields),
            headers={
                "content-type": "application/x-www-form-urlencoded",
                "origin": "null",
                "sec-fetch-site": "same-origin",
            },
        )
        return self.last

    async def upload(self, path: str, fields: dict[str, str], file: bytes, *, name: str = "x.png") -> httpx2.Response:
        """As browsers send a form with a file in it; on to wherever that leads."""
        parts = [(f'name="{field}"', value.encode()) for field, value in {"csrf": self.csrf(), **fields}.items()]
        parts.append((f'name="picture"; filename="{name}"\r\ncontent-type: text/html', file))
        body = b"".join(
            b"--edge\r\ncontent-disposition: form-data; %b\r\n\r\n%b\r\n" % (head.encode(), value)
            for head, value in parts
        )
        headers = {"content-type": "multipart/form-data; boundary=edge", "origin": "null"}
        self.last = await self.client.post(
            path, content=body + b"--edge--\r\n", headers={**headers, "sec-fetch-site": "same-origin"}
        )
        return await self._follow(self.last)

    async def script(self, path: str, value: object, *, csrf: str) -> httpx2.Response:
        """As a script of ours posts JSON."""
        return await self.client.post(
            path,
            content=json.dumps(value),
            headers={
                "content-type": "application/json",
                "origin": PUBLIC_URL,
                "sec-fetch-site": "same-origin",
                "x-csrf-token": csrf,
            },
        )

    def csrf(self) -> str:
        assert self.last is not None
        found = re.search(r'name="csrf" value="([^"]*)"', self.last.text)
        return found[1] if found else ""

    async def accept_review(self, *, without: tuple[str, ...] = (), **more: str) -> httpx2.Response:
        """On the review page: ticks that it was read, keeps every scope but these, and goes on."""
        assert self.last is not None
        page = self.last.text
        scopes = [html.unescape(one) for one in re.findall(r'name="scope" value="([^"]*)"', page)]
        seen = re.search(r'name="facts_hash" value="([^"]*)"', page)
        assert seen, page
        return await self.send(
            self.last.url.path,
            [
                ("acknowledged", "yes"),
                ("facts_hash", seen[1]),
                *(("scope", one) for one in scopes if one not in without),
                *more.items(),
            ],
        )

    async def sign_in(self, login: str, password: str = PASSWORD) -> httpx2.Response:
        await self.get("/signin")
        return await self.submit("/signin", {"login": login, "password": password})

    async def _follow(self, response: httpx2.Response) -> httpx2.Response:
        while response.status_code in (303, 307):
            location = response.headers["location"]
            assert location.startswith("/"), location
            response = await self.get(location)
        return response


def leads_to(page: httpx2.Response) -> str:
    """Where the page that stands between us and a service sends the browser."""
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]*)"', page.text)
    assert found, page.text
    return html.unescape(found[1])


async def _no_page(address: str) -> bytes:
    raise AssertionError(f"No registry is named, and {address} was asked for.")


@dataclass
class World:
    """The rooms, and short words for what tests arrange."""

    services: Services
    service: Service
    site: Site
    clock: FakeClock
    calls: CallLog
    database: Database
    notifications: Notifications
    organization: Organization
    app: Starlette
    provider: IdentityProvider
    siem: Siem

    def browser(self, *, host: str = "localhost:8484", scheme: str = "http") -> Browser:
        transport = httpx2.ASGITransport(app=self.app)
        return Browser(httpx2.AsyncClient(transport=transport, base_url=f"{scheme}://{host}"))

    async def person(self, login: str, *, role: Role = Role.MEMBER, name: str = "", password: str = PASSWORD) -> Person:
        person = await self.services.people.create(
            login=login, display_name=name or login.title(), organization_id=self.organization.id, role=role
        )
        if password:
            await self.services.passwords.set(person.id, Secret(password))
        return person

    async def signed_in(self, login: str, *, role: Role = Role.MEMBER, name: str = "") -> tuple[Browser, Person]:
        person = await self.person(login, role=role, name=name)
        browser = self.browser()
        await browser.sign_in(login)
        return browser, person

    async def connector(self, person: Person, *, name: str = "Notes", url: str = MCP_URL,
                        kind: str = "oauth", **auth: object) -> Connector:  # fmt: skip
        return await self.services.connectors.add_custom(person, name=name, url=url, auth_kind=kind, auth=auth)

    async def connection(
        self,
        person: Person,
        connector: Connector,
        *,
        label: str = "",
        name: str = "",
        tools: tuple[bytes, ...] = TOOLS,
        state: State = State.CONNECTED,
        **values: object,
    ) -> Connection:
        """What tests arrange: an account in a state, without having gone the way there."""
        entry = await self.services.connections.open_entry(person, connector, label=label, display_name=name)
        changes = {"state": state.value, "connected_at": self.clock.now(), **values}
        async with self.database.write() as tx:
            await tx.execute(update(connection).where(connection.c.id == entry.id).values(**changes))
        await self.notifications.publish("connections", person.id)
        if tools:
            await self.services.snapshots.put(entry.id, tools, b"{}", 3600.0)
        return await self.services.connections.get(person.id, entry.id)

    async def connect(self, browser: Browser, slug: str, **fields: str) -> str:
        """Goes the whole way in the browser, to the service and back; the path of the connection's page."""
        await browser.open(f"/connections/new/{slug}")
        await browser.submit(f"/connections/new/{slug}", fields)
        answer = await browser.accept_review()
        page = await browser.open(self.service.approve(leads_to(answer)))
        assert page.status_code == 200, page.text
        return page.url.path

    async def keep_whole(self, person: Person, call_id: str, parts: Sequence[bytes]) -> bytes:
        """As the gateway keeps a result that is too large (CON-20); what it is as a whole."""
        day = self.clock.now().date().isoformat()
        key = await self.services.day_keys.key(person.id, person.organization_id, day)
        of = KeptOf(call_id, person.id, person.organization_id, day, len(parts))
        sealed = [key.seal(part, about=of.about(number)) for number, part in enumerate(parts)]
        await KeptResults(self.database).keep(of, sealed)
        return b"".join(parts)

    async def call(self, person: Person, connection: Connection, connector: Connector, *, tool: str = "search_notes",
                   request: bytes = b'{"query":"otters"}', response: bytes = b'{"content":[]}',
                   outcome: Outcome = Outcome.OK, detail: str = "", client: str = "Claude Code",
                   days_ago: int = 0) -> str:  # fmt: skip
        call_id, now = new_id("call"), self.clock.now() - timedelta(days=days_ago)
        day = now.date().isoformat()
        key = await self.services.day_keys.key(person.id, person.organization_id, day)
        opened = self.calls.begin(
            CallIntent(
                id=call_id,
                started_at=now,
                organization_id=person.organization_id,
                person_id=person.id,
                client=client,
                connector=connector.slug,
                connection_id=connection.id,
                label=connection.label,
                method="tools/call",
                tool=tool,
                day=day,
                request_bytes=len(request),
                request=key.seal(request, about=f"{call_id}:request"),
            )
        )
        opened.finish(
            outcome, rule="switched_on", detail=detail, origin=connector.origin, response_bytes=len(response),
            response=key.seal(response, about=f"{call_id}:response"),
        )  # fmt: skip
        await self.calls.flush()
        return call_id


async def build_world(
    *, database: Database, keyring_database: Database, clock: FakeClock, folder: Path, public_url: str = PUBLIC_URL
) -> World:
    notifications = Notifications(database)
    trail = Trail(database, clock)
    people = People(database, clock=clock, notifications=notifications, trail=trail)
    connectors = Connectors(database, notifications, clock=clock, parse_url=parse_url, listings=Listings(()))
    (folder / "keys").mkdir(mode=0o700)
    root = open_or_create(folder / "keys" / "root.key", forbidden_below=(), may_create=True)
    keyring = Keyring(keyring_database, root, clock=clock)
    await keyring.check("deployment", secrets_exist=False)
    service, provider = Service(), IdentityProvider(clock)
    vault = open_handed(Vault(database, keyring_database, root, clock, notifications))
    policies = Policies(database, clock=clock, trail=trail)
    await policies.accept(actor="operator")
    groups = Memberships(database, notifications, clock=clock)
    room = open_room(
        database,
        vault=vault,
        spool=Spool(folder / "spool", keyring, clock=clock),
        web=service,
        desk=DirectDesk(service),
        upstreams=service,
        connectors=connectors,
        leases=Leases(database, clock=clock),
        notifications=notifications,
        trail=trail,
        clock=clock,
        parse=parse_url,
        public_url=public_url,
        may_connect=partial(_may_connect, policies, groups),
        verified_domains=no_domains,
        role_of=a_member,
    )
    profiles = Profiles(
        database, notifications, clock=clock, trail=trail, connections=room.connections, on_removed=_nobody_let_in
    )
    calls = CallLog(database, folder / "journal", clock)
    day_keys = DayKeys(keyring, clock=clock, notifications=notifications)
    organizations = Organizations(database, clock=clock)
    siem = Siem()
    invitations = Invitations(database, people=people, organizations=organizations, clock=clock, trail=trail)
    snapshots = Snapshots(database, notifications, clock=clock)
    policy = open_policy(
        database, notifications, clock=clock, keys=day_keys, trail=trail, snapshots=snapshots, groups=groups
    )
    privacy = open_privacy(
        database, notifications, people, organizations, CallRecords(database), day_keys, clock=clock, trail=trail,
        yes_keys=YesKeys(vault),
    )  # fmt: skip
    alerts = Alerts(database, clock=clock, trail=trail)
    access = Access(database, notifications, parse_url=parse_url, clock=clock, trail=trail)
    provisioning = open_provisioning(
        database, notifications, people=people, organizations=organizations, clock=clock, trail=trail
    )
    services = Services(
        people=people,
        organizations=organizations,
        links=SignInLinks(database, clock=clock, trail=trail),
        passwords=Passwords(database, clock=clock, trail=trail, hasher=PasswordHasher(1, 8, 1)),
        passkeys=Passkeys(database, clock=clock, trail=trail, public_url=public_url),
        sessions=Sessions(database, clock=clock, notifications=notifications),
        openid=open_openid(
            database,
            notifications,
            organizations=organizations,
            web=provider,
            desk=DirectDesk(provider),  # type: ignore[arg-type]  # as far as it is asked
            vault=vault,
            parse=parse_url,
            clock=clock,
            trail=trail,
            public_url=public_url,
        ),
        tokens=Tokens(database, clock=clock, notifications=notifications, trail=trail),
        families=Families(database, clock=clock, notifications=notifications, trail=trail),
        connectors=connectors,
        access=access,
        groups=groups,
        requests=Requests(
            database, connectors=connectors, groups=groups, parse_url=parse_url, clock=clock, trail=trail
        ),
        feeds=Feeds(
            database,
            Leases(database, clock=clock),
            web=siem,
            calls=siem.collector,
            streams=siem,
            keys=siem,
            parse_url=parse_url,
            clock=clock,
            trail=trail,
        ),
        provisioning=provisioning,
        counting=Counting(database, connectors=connectors, people=people, groups=provisioning.directory, clock=clock),
        registry=RegistrySync(
            database, Leases(database, clock=clock), registry="", fetch=_no_page, parse_url=parse_url, clock=clock
        ),
        snapshots=snapshots,
        acceptances=policy.acceptances(snapshots, Accounts(database), members_accept=access.members_accept),
        profiles=profiles,
        policy=policy,
        connections=room.connections,
        connecting=room.connecting,
        detecting=room.detecting,
        disconnecting=room.disconnecting,
        quarantine=room.quarantine,
        editing=room.editing,
        ruling=Ruling(
            database,
            access=access,
            connectors=connectors,
            revoking=room.revoking,
            people=people,
            notifications=notifications,
        ),
        held=room.held,
        submissions=open_submissions(
            database,
            notifications,
            organizations,
            vault=vault,
            freezes=room.quarantine,
            out=None,  # type: ignore[arg-type]  # tests/submissions go out
            listings=connectors.listings,
            parse=parse_url,
            trail=trail,
            clock=clock,
        ),
        reporting=Reporting(snapshots=Snapshots(database, notifications, clock=clock), alerts=alerts, trail=trail),
        checking=Checking(connections=room.connections, trace=room.trace, probe=_nothing_wrong),
        trace=room.trace,
        calls=CallRecords(database),
        uses=Uses(database),
        day_keys=day_keys,
        alerts=alerts,
        offboarding=Offboarding(people, room.disconnecting, day_keys, privacy.holds, trail),
        invitations=invitations,
        joining=Joining(people, invitations, room.connections, day_keys, privacy.consents, privacy.holds, trail),
        leaving=Leaving(people, organizations, room.connections, day_keys, privacy.holds, trail),
        erasing=Erasing(
            database,
            connections=room.connections,
            receipts=room.disconnecting,
            day_keys=day_keys,
            consents=privacy.consents,
            holds=privacy.holds,
            flush_calls=calls.flush,
            trail=trail,
            clock=clock,
        ),
        exporting=None,  # type: ignore[arg-type]  # below, of these
        privacy=privacy,
        trail=trail,
    )
    signer = TestSigner()
    checkpoints = Checkpoints(
        database, clock=clock, leases=Leases(database, clock=clock), trail=trail, signer=signer, watch=signer
    )
    services = replace(services, exporting=_exporting(services, checkpoints, Proofs(database, clock=clock), clock))
    site = Site(services=services, clock=clock, public_url=public_url, development=True)
    app = Starlette(routes=[*site.routes(), Mount("", app=site.not_found)])
    organization = await services.organizations.create("Riverside", "personal")
    return World(services, service, site, clock, calls, database, notifications, organization, app, provider, siem)


def _exporting(rooms: Services, checkpoints: Checkpoints, proofs: Proofs, clock: FakeClock) -> Exporting:
    sign_in = SignIn(
        sessions=rooms.sessions.list, passkeys=rooms.passkeys.list, tokens=rooms.tokens.list,
        assistants=rooms.families.list,
    )  # fmt: skip
    sources = Sources(
        organizations=rooms.organizations, sign_in=sign_in, connections=rooms.connections, connectors=rooms.connectors,
        receipts=rooms.disconnecting, profiles=rooms.profiles.list, policy=rooms.policy,
        consents=rooms.privacy.consents, levels=rooms.privacy.levels, calls=rooms.calls,
        whole=rooms.privacy.whole, alerts=rooms.alerts, holds=rooms.privacy.holds, day_keys=rooms.day_keys,
        trail=rooms.trail, checkpoints=checkpoints, proofs=proofs,
    )  # fmt: skip
    return Exporting(sources, clock=clock)


async def _may_connect(policies: Policies, groups: Memberships, person: Person, connector: Connector) -> None:
    """As `app` has it."""
    await policies.demand()
    assert connector.audience.has(await groups.of(person.id))


async def _nobody_let_in(_profile: object) -> None:
    """Nobody was let in at the address of a profile that is gone."""


async def _nothing_wrong(_connection: object) -> None:
    """What the gateway finds at a service that works."""
