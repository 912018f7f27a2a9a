"""The one place that knows who is who: settings in, one wired hub out; `_site_map` lists all doors."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from valetkey.api.app import create as create_api
from valetkey.api.control_socket import ControlSocket
from valetkey.api.kept_answers import KeptAnswers
from valetkey.api.mount import Below
from valetkey.api.pages import Pages
from valetkey.api.probes import PATHS as PROBED
from valetkey.api.probes import Part, Probes
from valetkey.api.scim.app import create as create_scim
from valetkey.api.services import Answer, CallTool, TrailLog, VerifyTrail
from valetkey.api.services import Services as ApiServices
from valetkey.audit.alerts import Alerts
from valetkey.audit.calls import CallLog
from valetkey.audit.checkpoints import Checkpoints
from valetkey.audit.feed.feeds import Feeds
from valetkey.audit.feed.there import FeedsThere
from valetkey.audit.note import Note, VerifierKey
from valetkey.audit.proofs import Proofs
from valetkey.audit.report import Report
from valetkey.audit.repository import CallRecords
from valetkey.audit.sinks import Means
from valetkey.audit.sinks.address import open_sinks
from valetkey.audit.trail import Trail
from valetkey.audit.unfinished import count_unfinished
from valetkey.audit.uses import Uses
from valetkey.audit.verify import Against, verify
from valetkey.authserver.server import AuthServer
from valetkey.beside.channel import Away
from valetkey.beside.children import Child
from valetkey.connections.checking import Checking
from valetkey.connections.model import Connection
from valetkey.connections.quarantine import TOPIC as QUARANTINE
from valetkey.connections.reporting import Reporting
from valetkey.connections.room import Room, open_room
from valetkey.connections.ruling import Ruling
from valetkey.connections.whose import Accounts, ConnectorOf
from valetkey.directory.access.saying import Access
from valetkey.directory.connectors import Connectors
from valetkey.directory.listings import load_listings
from valetkey.directory.local import Declared, declare
from valetkey.directory.model import LOCAL, Connector, Drift, Profile
from valetkey.directory.profiles import Profiles
from valetkey.directory.registry_page import BadRegistry
from valetkey.directory.registry_sync import RegistrySync
from valetkey.directory.requests.asking import Requests
from valetkey.directory.snapshots import Snapshots
from valetkey.gateway.accounts import ReadsUrls
from valetkey.gateway.cutting import Cutting
from valetkey.gateway.door import Gateway
from valetkey.identity.client_documents import load_pinned
from valetkey.identity.clients import Clients
from valetkey.identity.consents import Consents
from valetkey.identity.families import Families
from valetkey.identity.first_start import first_start
from valetkey.identity.invitations import Invitations
from valetkey.identity.model import Person, Principal, Role
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.identity.provisioning.memberships import Memberships
from valetkey.identity.provisioning.room import open_provisioning
from valetkey.identity.sessions import Sessions
from valetkey.identity.signin.link import SignInLinks
from valetkey.identity.signin.openid.room import open_openid
from valetkey.identity.signin.passkey import Passkeys
from valetkey.identity.signin.password import Passwords
from valetkey.identity.sweep import Sweeper
from valetkey.identity.tokens import Tokens
from valetkey.kernel.clock import Clock, SystemClock
from valetkey.kernel.errors import BadInput, Conflict, StartRefused
from valetkey.net.client import WebClient
from valetkey.net.http1 import CallClient
from valetkey.net.limits import MIB, Limits
from valetkey.net.model import Url
from valetkey.net.outbound import Outbound
from valetkey.net.reach import WatchedFetches
from valetkey.net.smtp import Letter, is_mail_address, named_server
from valetkey.net.url import parse_url
from valetkey.policy.accepting import Acceptances
from valetkey.policy.letters import Letters, SendLetter
from valetkey.policy.room import Policy, open_policy
from valetkey.privacy.erase import Erasing
from valetkey.privacy.export import Exporting, SignIn, Sources
from valetkey.privacy.join import Joining
from valetkey.privacy.leave import Leaving
from valetkey.privacy.offboard import Offboarding
from valetkey.privacy.policy import Policies
from valetkey.privacy.retention import Retention, Sweeps
from valetkey.privacy.room import open_privacy
from valetkey.privacy.times import Times
from valetkey.privacy.usage import Counting
from valetkey.privacy.yes_keys import YesKeys
from valetkey.settings import Settings
from valetkey.split.model import Kept, RootKeyShown, TrailKeys
from valetkey.split.opened import Ground as SplitGround
from valetkey.split.opened import open_beside, open_inline
from valetkey.store.database import Database
from valetkey.store.deployment import find_or_create_deployment
from valetkey.store.leases import Leases
from valetkey.store.migrations import migrate
from valetkey.store.notify import Notifications
from valetkey.store.privileges import build_walls
from valetkey.submissions.room import open_submissions
from valetkey.submissions.under_way import ReviewsUnderWay
from valetkey.upstream.client import Upstreams
from valetkey.upstream.model import LocalServer
from valetkey.vault.feed_keys import FeedKeys
from valetkey.vault.keyring import deployment_of
from valetkey.vault.recovery import Recovered, recover
from valetkey.vault.release import AlsoForFeeds, AlsoForReviews, ForRecordedCalls
from valetkey.vault.root_keys.opening import Asked, nobody_to_ask, open_root_key
from valetkey.vault.root_keys.passphrase import Ask
from valetkey.vault.roots import Roots
from valetkey.web.client_document_show import client_document_route
from valetkey.web.frame import Frame
from valetkey.web.services import Services as WebServices
from valetkey.web.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """A hub that is open. `asgi` has all doors; `sign_in_url` is empty once an owner has set a credential."""

    settings: Settings
    root_key: RootKeyShown
    asgi: ASGIApp
    gateway: Gateway
    sign_in_url: str
    public_url_before: str
    """The public URL of the last start: when it differs, services know us by callbacks that no longer work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What every room stands on."""

    clock: Clock
    database: Database
    notifications: Notifications
    trail: Trail
    kept: Kept
    public_url_before: str


@asynccontextmanager
async def open_hub(
    settings: Settings, *, listening: tuple[tuple[str, int], ...] = (), ask: Ask = nobody_to_ask
) -> AsyncIterator[Hub]:
    """Opens a hub on a prepared data directory (0700, locked) and closes it in the opposite order.

    `listening` are the hub's own addresses, which no connector may lead to; `ask` asks for a passphrase, if the root
    key is one. Raises `StartRefused`.
    """
    async with AsyncExitStack() as closing:
        ground = await _lay_ground(settings, listening, closing, ask)
        yield await _build(settings, ground, closing)


async def _lay_ground(
    settings: Settings, listening: tuple[tuple[str, int], ...], closing: AsyncExitStack, ask: Ask
) -> _Ground:
    clock = SystemClock()
    await _build_walls(settings)
    database = _database(settings.database, settings.data / "valetkey.db", is_walled=bool(settings.migration_database))
    closing.push_async_callback(database.close)
    await migrate(database, "main")
    deployment = await find_or_create_deployment(database, public_url=settings.public_url, clock=clock)
    notifications = Notifications(database)
    await notifications.start()
    closing.push_async_callback(notifications.stop)
    split = SplitGround(
        data=settings.data,
        database=database,
        database_url=settings.database,
        keyring_url=settings.keyring_database,
        root_key=settings.root_key,
        former_root_key=settings.former_root_key,
        allow_network=settings.allow_network,
        listening=listening,
        public_url=settings.public_url,
        deployment_id=deployment.id,
        clock=clock,
        notifications=notifications,
    )
    # The one place that asks which way it is (design.md D13).
    kept = await (open_beside(split, closing) if settings.vault == "process" else open_inline(split, ask, closing))
    return _Ground(
        clock=clock,
        database=database,
        notifications=notifications,
        trail=Trail(database, clock),
        kept=kept,
        public_url_before=deployment.public_url,
    )


async def _build(settings: Settings, ground: _Ground, closing: AsyncExitStack) -> Hub:
    """The rooms, from the lower floors to the doors."""
    clock, database, notifications, trail = ground.clock, ground.database, ground.notifications, ground.trail
    kept, vault, outbound, trail_keys = ground.kept, ground.kept.vault, ground.kept.outbound, ground.kept.trail_keys
    parse = partial(parse_url, private_names=bool(settings.allow_network))

    # what happened; what signs it closes after what writes it
    leases = Leases(database, clock=clock)
    if kept.trail_key_made:
        await trail.write("trail.key_made", actor="system", detail={"because": kept.trail_key_made})
    means = Means(web=outbound.web, streams=outbound.streams, clock=clock, parse_url=parse)
    sinks = open_sinks(settings.trail_sink, means, forbidden_below=settings.data)
    checkpoints = Checkpoints(
        database, clock=clock, leases=leases, trail=trail, signer=trail_keys, watch=trail_keys, sinks=sinks
    )
    await checkpoints.start()
    closing.push_async_callback(checkpoints.stop)
    call_log = CallLog(database, settings.data / "journal", clock)
    await call_log.start()
    closing.push_async_callback(call_log.stop)
    alerts = Alerts(database, clock=clock, trail=trail)
    closing.push_async_callback(alerts.settle)
    calls = CallRecords(database)
    day_keys = kept.day_keys
    feeds = Feeds(
        database, leases, web=outbound.web, calls=outbound.calls, streams=outbound.streams, keys=FeedKeys(vault),
        parse_url=parse, clock=clock, trail=trail,
    )  # fmt: skip
    await feeds.start()
    closing.push_async_callback(feeds.stop)

    # who asks, and what exists
    organizations = Organizations(database, clock=clock)
    people = People(database, clock=clock, notifications=notifications, trail=trail)
    links = SignInLinks(database, clock=clock, trail=trail)
    sessions = Sessions(database, clock=clock, notifications=notifications)
    tokens = Tokens(database, clock=clock, notifications=notifications, trail=trail)
    families = Families(database, clock=clock, notifications=notifications, trail=trail)
    sweeper = Sweeper(database, clock=clock, tokens=tokens)
    await sweeper.start()
    closing.push_async_callback(sweeper.stop)
    connectors = Connectors(
        database, notifications, clock=clock, parse_url=parse, listings=load_listings(parse_url=parse_url)
    )
    access = Access(database, notifications, parse_url=parse, clock=clock, trail=trail)
    groups = Memberships(database, notifications, clock=clock)
    requests = Requests(database, connectors=connectors, groups=groups, parse_url=parse, clock=clock, trail=trail)
    provisioning = open_provisioning(
        database, notifications, people=people, organizations=organizations, clock=clock, trail=trail
    )
    registry = RegistrySync(
        database,
        leases,
        registry=settings.registry,
        fetch=partial(_fetch_page, outbound.web, parse),
        parse_url=parse_url,
        clock=clock,
    )
    await registry.start()
    closing.push_async_callback(registry.stop)

    openid = open_openid(
        database, notifications, organizations=organizations, web=outbound.web, desk=kept.desk, vault=vault,
        parse=parse, clock=clock, trail=trail, public_url=settings.public_url,
    )  # fmt: skip

    # may they, and as whom
    passkeys = Passkeys(database, clock=clock, trail=trail, public_url=settings.public_url)
    send = _post(settings, outbound, clock=clock, parse=parse)
    letters = _letters(settings, send, people, clock=clock) if send is not None else None
    if letters is not None:
        closing.push_async_callback(letters.stop)
    introductions = _Introductions()
    snapshots = Snapshots(database, notifications, clock=clock, on_drift=[introductions.drifted])
    policy = introductions.policy = open_policy(
        database, notifications, clock=clock, keys=day_keys, trail=trail, snapshots=snapshots,
        listings=connectors.listings, groups=groups, passkeys_work=passkeys.available,
        on_asked=[letters.asked] if letters is not None else [],
    )  # fmt: skip
    acceptances = introductions.acceptances = policy.acceptances(
        snapshots, Accounts(database), members_accept=access.members_accept
    )
    local = {one.name: LocalServer(one.name, one.command, one.environment) for one in settings.local_servers}
    upstreams = Upstreams(outbound.calls, database, clock, local=local)
    policies = Policies(database, clock=clock, trail=trail)
    await _follow_policy(settings, policies)
    room = open_room(
        database,
        vault=vault,
        spool=kept.spool,
        web=outbound.web,
        desk=kept.desk,
        upstreams=upstreams,
        connectors=connectors,
        leases=leases,
        notifications=notifications,
        trail=trail,
        clock=clock,
        parse=parse,
        public_url=settings.public_url,
        may_connect=partial(_may_connect, policies, groups),
        verified_domains=openid.providers.verified_domains,
        role_of=partial(_role_of, people),
        document_url=settings.client_id_url,
        documents_reachable=settings.client_id_reachable,
        on_connected=[introductions.connected],
        on_ended=[introductions.ended],
    )

    ruling = Ruling(
        database, access=access, connectors=connectors, revoking=room.revoking, people=people,
        notifications=notifications,
    )  # fmt: skip
    whose = ConnectorOf(database, connectors, notifications, groups=groups, clock=clock)
    for_calls = ForRecordedCalls(call_log, policy.grants(snapshots, whose))
    for_feeds = AlsoForFeeds(FeedsThere(database), for_calls)
    kept.release_by(AlsoForReviews(ReviewsUnderWay(database, clock=clock), for_feeds))

    profiles = Profiles(
        database,
        notifications,
        clock=clock,
        trail=trail,
        connections=room.connections,
        on_removed=partial(end_sign_ins, families, tokens, policy),
    )
    introductions.profiles = profiles

    submissions = open_submissions(
        database, notifications, organizations, vault=vault, freezes=room.quarantine, out=outbound,
        listings=connectors.listings, parse=parse, trail=trail, clock=clock, rescan=settings.rescan, send=send,
    )  # fmt: skip
    await submissions.start()
    closing.push_async_callback(submissions.stop)
    privacy = open_privacy(
        database, notifications, people, organizations, calls, day_keys, clock=clock, trail=trail,
        yes_keys=YesKeys(vault),
    )  # fmt: skip
    counting = Counting(database, connectors=connectors, people=people, groups=provisioning.directory, clock=clock)
    times = Times(contents=settings.keep_contents, calls=settings.keep_calls)
    await privacy.keeping.follow(times, at_most=settings.keep_at_most)
    retention = Retention(
        database, privacy.keeping, privacy.holds, day_keys=day_keys, trail=trail, leases=leases, clock=clock,
        sweeps=Sweeps(alerts=alerts.sweep, approvals=policy.sweep),
    )  # fmt: skip
    await retention.start()
    closing.push_async_callback(retention.stop)

    # the doors
    gateway = Gateway(
        tokens=tokens,
        connections=room.connections,
        connectors=connectors,
        snapshots=snapshots,
        profiles=profiles,
        policy=policy.gate,
        credentials=room.credentials,
        day_keys=day_keys,
        call_log=call_log,
        alerts=alerts,
        levels=privacy.levels,
        upstreams=upstreams,
        notifications=notifications,
        clock=clock,
        parse_url=_with_local_servers(parse, local),
        public_url=settings.public_url,
        hosts=_own_hosts(settings),
        search_above=settings.search_above,
        database=database,
        trusted_proxies=settings.trusted_proxy,
    )
    introductions.gateway = gateway
    introductions.calls = outbound.calls
    cutting = Cutting(room.quarantine, gateway, outbound.calls)
    notifications.subscribe(QUARANTINE, cutting.heard)
    closing.push_async_callback(cutting.stop)
    offboarding = Offboarding(people, room.disconnecting, day_keys, privacy.holds, trail)
    invitations = Invitations(database, people=people, organizations=organizations, clock=clock, trail=trail)
    joining = Joining(people, invitations, room.connections, day_keys, privacy.consents, privacy.holds, trail)
    leaving = Leaving(people, organizations, room.connections, day_keys, privacy.holds, trail)
    erasing = Erasing(
        database,
        connections=room.connections,
        receipts=room.disconnecting,
        day_keys=day_keys,
        consents=privacy.consents,
        holds=privacy.holds,
        flush_calls=call_log.flush,
        trail=trail,
        clock=clock,
    )
    proofs = Proofs(database, clock=clock)
    exporting = Exporting(
        Sources(
            organizations=organizations,
            sign_in=SignIn(
                sessions=sessions.list, passkeys=passkeys.list, tokens=tokens.list, assistants=families.list
            ),
            connections=room.connections,
            connectors=connectors,
            receipts=room.disconnecting,
            profiles=profiles.list,
            policy=policy,
            consents=privacy.consents,
            levels=privacy.levels,
            calls=calls,
            whole=privacy.whole,
            alerts=alerts,
            holds=privacy.holds,
            day_keys=day_keys,
            trail=trail,
            checkpoints=checkpoints,
            proofs=proofs,
        ),
        clock=clock,
    )
    await room.start()
    closing.push_async_callback(room.stop)
    closing.push_async_callback(gateway.stop)
    reporting = Reporting(snapshots=snapshots, alerts=alerts, trail=trail)
    checking = Checking(connections=room.connections, trace=room.trace, probe=gateway.probe)
    site = Site(
        services=WebServices(
            people=people,
            organizations=organizations,
            links=links,
            passwords=Passwords(database, clock=clock, trail=trail),
            passkeys=passkeys,
            sessions=sessions,
            openid=openid,
            tokens=tokens,
            families=families,
            connectors=connectors,
            access=access,
            groups=groups,
            requests=requests,
            registry=registry,
            snapshots=snapshots,
            acceptances=acceptances,
            profiles=profiles,
            policy=policy,
            connections=room.connections,
            connecting=room.connecting,
            detecting=room.detecting,
            disconnecting=room.disconnecting,
            quarantine=room.quarantine,
            editing=room.editing,
            ruling=ruling,
            held=room.held,
            submissions=submissions,
            reporting=reporting,
            checking=checking,
            trace=room.trace,
            calls=calls,
            uses=Uses(database),
            day_keys=day_keys,
            alerts=alerts,
            counting=counting,
            offboarding=offboarding,
            leaving=leaving,
            invitations=invitations,
            joining=joining,
            exporting=exporting,
            erasing=erasing,
            privacy=privacy,
            trail=trail,
            feeds=feeds,
            provisioning=provisioning,
        ),
        clock=clock,
        public_url=settings.public_url,
        development=settings.development,
    )
    fetches = WatchedFetches(outbound.web, clock=clock)
    authserver = AuthServer(
        public_url=settings.public_url,
        clients=Clients(
            database,
            web=fetches,
            clock=clock,
            trail=trail,
            pinned=load_pinned(settings.pinned_clients, now=clock.now()),
        ),
        consents=Consents(database, clock=clock, trail=trail),
        families=families,
        clock=clock,
        cimd_works=fetches.works,
        signed_in=site.signed_in,
        check_csrf=site.check_csrf,
        to_sign_in=site.to_sign_in,
        render_consent=site.render_consent,
        render_problem=site.render_problem,
    )
    programs = ApiServices(
        families=families,
        people=people,
        organizations=organizations,
        links=links,
        feeds=feeds,
        openid=openid,
        provisioning=provisioning,
        tokens=tokens,
        connectors=connectors,
        access=access,
        groups=groups,
        requests=requests,
        registry=registry,
        snapshots=snapshots,
        acceptances=acceptances,
        profiles=profiles,
        policy=policy,
        connections=room.connections,
        connecting=room.connecting,
        labels=room.labels,
        disconnecting=room.disconnecting,
        revoking=room.revoking,
        quarantine=room.quarantine,
        editing=room.editing,
        ruling=ruling,
        held=room.held,
        offboarding=offboarding,
        leaving=leaving,
        invitations=invitations,
        joining=joining,
        exporting=exporting,
        erasing=erasing,
        privacy=privacy,
        submissions=submissions,
        reporting=reporting,
        checking=checking,
        trace=room.trace,
        calls=calls,
        uses=Uses(database),
        day_keys=day_keys,
        alerts=alerts,
        counting=counting,
        trail=trail,
        trail_log=TrailLog(
            checkpoints=checkpoints,
            proofs=proofs,
            verify=_verifier(database, trail_keys, settings.data / "journal"),
            begin_watch=trail_keys.begin_watch,
            flush=call_log.flush,
        ),
        call_tool=_caller(gateway),
        kept_answers=KeptAnswers(database, clock=clock),
        pages=Pages(settings.public_url),
        rotation=kept.rotation,
        recovery=kept.recovery,
        seal_vault=vault.seal_shut,
        move_root=kept.move_root,
        clock=clock,
    )
    api, scim = create_api(programs), create_scim(programs)
    control = ControlSocket(api, settings.data)
    await control.start()
    closing.push_async_callback(control.stop)
    probes = Probes(_parts(database, kept), clock=clock)
    welcome = await first_start(database, organizations=organizations, people=people, links=links, trail=trail)
    await _declare_local_servers(settings, ground, organizations, people)
    return Hub(
        settings=settings,
        root_key=kept.root_key,
        asgi=Frame(
            _site_map(gateway, authserver, room, api, scim, probes, site),
            hosts=_names(settings),
            by_any_name=PROBED,
            https=settings.is_public,
        ),
        gateway=gateway,
        sign_in_url=Pages(settings.public_url).sign_in(welcome.token) if welcome is not None else "",
        public_url_before=ground.public_url_before,
    )


def _site_map(
    gateway: Gateway, authserver: AuthServer, room: Room, api: ASGIApp, scim: ASGIApp, probes: Probes, site: Site
) -> Starlette:
    """Every door, on one origin."""
    app = Starlette(
        routes=[
            *gateway.routes(),  # /mcp, /c/<connector>/mcp, /c/<connector>/<label>/mcp, /p/<profile>/mcp
            *authserver.routes(),  # /.well-known/…, /oauth/authorize, token, register, revoke
            client_document_route(room.identities.document),  # /oauth/client/<issuer>.json
            client_document_route(room.identities.key_set, path="/oauth/client/{issuer}.jwks"),
            Below("/api/v1", api),
            Below("/scim/v2", scim),
            *probes.routes(),  # /healthz, /readyz
            *site.routes(),  # the pages
        ]
    )
    app.router.default = site.not_found
    app.router.redirect_slashes = False
    return app


def _parts(database: Database, kept: Kept) -> dict[str, Part]:
    """What a hub cannot do its work without, for `/readyz`."""

    async def store() -> str:
        await database.ping()
        return "ok"

    async def there(process: Child) -> str:
        if not process.is_there:
            raise Away(f"The hub's {process.name} is being started again.")
        return "ok"

    return {
        "database": store,
        **{one.name: partial(there, one) for one in kept.processes},
        "vault": kept.vault.condition,
    }


async def _fetch_page(web: WebClient, parse: Callable[[str], Url], address: str) -> bytes:
    """A page of the registry that the operator named, for `directory`, which cannot reach `net`."""
    limits = Limits(first_byte=20.0, idle=10.0, total=30.0, max_body=4 * MIB)
    fetched = await web.get(parse(address), headers={"accept": "application/json"}, limits=limits)
    if fetched.status != 200:
        raise BadRegistry(f"The registry answered HTTP {fetched.status}.")
    return fetched.body


class _Introductions:
    """What rooms tell others of: an account was connected, or has ended; its service changed something."""

    acceptances: Acceptances
    gateway: Gateway
    profiles: Profiles
    policy: Policy
    calls: CallClient

    async def drifted(self, connection_id: str, held: Sequence[Drift]) -> None:
        await self.policy.standing.drifted(connection_id, held)
        await self.acceptances.drifted(connection_id, held)

    async def connected(self, connection: Connection) -> None:
        await self.gateway.connection_began(connection)

    async def ended(self, connection: Connection) -> None:
        await self.policy.forget(connection.id)
        await self.profiles.leave(connection.id)
        await self.gateway.connection_ended(connection.id)
        self.calls.close_pool(connection.id)  # what is still in flight with the old credential ends here


def _post(settings: Settings, outbound: Outbound, *, clock: Clock, parse: Callable[..., Url]) -> SendLetter | None:
    """Sends letters of the hub's; `None` while the operator names no server."""
    if not settings.mail_server:
        return None
    if not is_mail_address(settings.mail_from):
        raise StartRefused("mail_from is no mail address.", hint="Set VALETKEY_MAIL_FROM to where letters come from.")
    server = named_server(settings.mail_server, settings.mail_password_file, parse=parse)
    host = urlsplit(settings.public_url).hostname or "localhost"

    async def send(address: str, subject: str, text: str, letter_id: str) -> None:
        letter = Letter(settings.mail_from, address, subject, text, clock.now(), f"{letter_id}@{host}")
        await outbound.mail.send(server, letter)

    return send


def _letters(settings: Settings, send: SendLetter, people: People, *, clock: Clock) -> Letters:
    """Mail about what waits for a person's yes. A login is the address."""

    async def address_of(person_id: str) -> str:
        login = (await people.get(person_id)).login
        return login if is_mail_address(login) else ""

    return Letters(send, address_of, clock=clock, public_url=settings.public_url)


async def _role_of(people: People, person_id: str) -> Role:
    return (await people.get(person_id)).role


async def _may_connect(policies: Policies, groups: Memberships, person: Person, connector: Connector) -> None:
    """Raises when people have not been told what becomes of their data (S-04), and for what is for others."""
    await policies.demand()
    if not connector.audience.has(await groups.of(person.id)):
        raise Conflict(
            f"Your organization has {connector.name} for groups that you are in none of.", hint="An owner can say more."
        )


async def end_sign_ins(families: Families, tokens: Tokens, policy: Policy, profile: Profile) -> None:
    """A profile is gone: assistants and programs that were let in at its address are not let in at its successor's.

    What stood for one that is let in nowhere else ends with it.
    """
    person_id, grants = profile.person_id, await families.list(profile.person_id)
    elsewhere = {grant.client_id for grant in grants if grant.resource != profile.path}
    for grant in grants:
        if grant.resource == profile.path:
            await families.end(person_id, grant.id)
            if grant.client_id not in elsewhere:
                await policy.standing.put_out(person_id, grant.client_id)
    for token in await tokens.list(person_id):
        if token.audience == profile.path:
            await tokens.revoke(person_id, token.id)
            await policy.standing.put_out(person_id, token.id)


async def _follow_policy(settings: Settings, policies: Policies) -> None:
    """Publishes what the settings say the privacy policy is, if it is not that already. Raises `StartRefused`."""
    said = settings.privacy_policy
    try:
        if said == "template":
            await policies.accept(actor="operator")
        elif said:
            await policies.publish(await asyncio.to_thread(Path(said).read_text), actor="operator")
    except (OSError, UnicodeDecodeError, BadInput) as error:
        raise StartRefused(
            f"The privacy policy {said!r} cannot be read.", hint="Name a text file, or `template` for the built-in one."
        ) from error


async def _declare_local_servers(
    settings: Settings, ground: _Ground, organizations: Organizations, people: People
) -> None:
    """The operator's programs are connectors of the first organization, whose owner answers for them."""
    home = (await organizations.list())[0]
    owner = next((one for one in await people.list(home.id) if one.role is Role.OWNER), None)
    if owner is None:  # nobody who could answer for them
        return
    await declare(
        ground.database,
        ground.notifications,
        organization_id=home.id,
        added_by=owner.id,
        servers=[Declared(one.name, one.command, tuple(one.environment)) for one in settings.local_servers],
        clock=ground.clock,
    )


def _with_local_servers(parse: ReadsUrls, local: Mapping[str, LocalServer]) -> ReadsUrls:
    """Reads connectors' endpoints for calls: `stdio://<name>`, too, which nobody but the operator can have declared."""
    urls = {f"{LOCAL}{name}": Url(f"{LOCAL}{name}", "stdio", name, 0, "", "") for name in local}

    def read(text: str) -> Url:
        return urls.get(text) or parse(text)

    return read


def _caller(gateway: Gateway) -> CallTool:
    async def call_tool(principal: Principal, *, connector: str, label: str, tool: str, arguments: bytes) -> Answer:
        ran = await gateway.run(principal, connector=connector, label=label, tool=tool, arguments=arguments)
        return Answer(call_id=ran.call_id, result=ran.result)

    return call_tool


def _verifier(database: Database, trail_keys: TrailKeys, journal: Path) -> VerifyTrail:
    async def verify_trail(
        since: Note | None, watch: tuple[str, bytes] | None, older_keys: tuple[VerifierKey, ...]
    ) -> Report:
        against = Against(keys=(trail_keys.verifier_key, *older_keys), since=since, watch=watch)
        return await verify(database, against, unfinished=await asyncio.to_thread(count_unfinished, journal))

    return verify_trail


def _database(url: str, path: Path, *, is_walled: bool = False) -> Database:
    return Database.open(url, is_walled=is_walled) if url else Database.sqlite(path)


async def _build_walls(settings: Settings) -> None:
    """Migrates as the tables' owner, and says what the role that the hub runs as may do. Raises `StartRefused`."""
    await build_walls("main", owner_url=settings.migration_database, runtime_url=settings.database)
    await build_walls("keyring", owner_url=settings.migration_keyring_database, runtime_url=settings.keyring_database)


def _own_hosts(settings: Settings) -> list[str]:
    """The `Host` values that are ours. On loopback its other names too: a client may have been given any."""
    return [settings.public_host] if settings.is_public else _names(settings)


def _names(settings: Settings) -> list[str]:
    """The `Host` values that any door answers to. A request from this very host may use its loopback names: no page

    of somebody else's can (DNS rebinding needs a name of theirs).
    """
    loopback = [f"{name}:{settings.port}" for name in ("localhost", "127.0.0.1", "[::1]")]
    return [settings.public_host, *loopback]


async def recover_hub(settings: Settings, sheets: Sequence[str], *, ask: Ask) -> tuple[Recovered, str]:
    """Puts a stopped hub's keys under a new root key, with two sheets of its recovery kit; what was done, and where
    that key is. It is in the trail before it happens. Raises `StartRefused`, `BadInput`, `VaultFailed`.
    """
    clock = SystemClock()
    async with AsyncExitStack() as closing:
        database = _database(settings.database, settings.data / "valetkey.db")
        closing.push_async_callback(database.close)
        keyring = _database(settings.keyring_database, settings.data / "keyring.db")
        closing.push_async_callback(keyring.close)
        await migrate(database, "main")
        await migrate(keyring, "keyring")
        asked = Asked(
            spec=settings.root_key,
            deployment_id=await deployment_of(keyring),
            apart_from=[settings.data],
            may_create=True,
            ask=ask,
        )
        root_key = await open_root_key(asked)
        await Trail(database, clock).write("key.recover", actor="operator", detail={"root_key": root_key.key_id})
        return await recover(keyring, Roots(keyring, root_key, (), clock=clock), sheets), root_key.place


def serve(settings: Settings, listening: socket.socket, *, ready: Callable[[Hub], None], ask: Ask) -> None:
    """Runs a hub on the bound socket `listening` until it is told to stop (SIGINT, SIGTERM). Raises `StartRefused`."""
    try:
        import uvloop
    except ImportError:  # not on every platform
        asyncio.run(_serve(settings, listening, ready, ask))
    else:
        uvloop.run(_serve(settings, listening, ready, ask))


async def _serve(settings: Settings, listening: socket.socket, ready: Callable[[Hub], None], ask: Ask) -> None:
    host, port = listening.getsockname()[:2]
    async with open_hub(settings, listening=((host, port),), ask=ask) as hub:
        config = uvicorn.Config(
            hub.asgi,
            http=hub.gateway.front(),  # MCP endpoints beside ASGI (D9); hands everything else to uvicorn's own
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=bool(settings.trusted_proxy),
            forwarded_allow_ips=[str(network) for network in settings.trusted_proxy],
            timeout_keep_alive=75,  # longer than the idle time of common proxies and clients: they hang up, not we
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=5,
        )
        server = uvicorn.Server(config)
        asyncio.get_running_loop().call_soon(ready, hub)
        await server.serve(sockets=[listening])
