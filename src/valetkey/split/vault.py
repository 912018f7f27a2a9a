"""The vault's process: keys, both stores, the desk at the token endpoint; and no way out but through the dialer.

(A root key on another machine is asked for there, by its provider alone.)
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog

from valetkey.audit.feed.there import FeedsThere
from valetkey.audit.intents import WrittenIntents
from valetkey.beside.channel import Channel, Verbs
from valetkey.connections import repository as connection_rows
from valetkey.connections.desk import DirectDesk
from valetkey.connections.repository import Seen
from valetkey.connections.servers import Servers
from valetkey.connections.whose import ConnectorOf
from valetkey.directory.connectors import Connectors
from valetkey.directory.listings import load_listings
from valetkey.directory.snapshots import Snapshots
from valetkey.identity.provisioning.memberships import Memberships
from valetkey.kernel.clock import Clock, SystemClock
from valetkey.kernel.errors import OutboundFailed
from valetkey.kernel.secret import Secret
from valetkey.net.beside.dialing import DialerBeside
from valetkey.net.beside.hold import Hold
from valetkey.net.outbound import outbound_by
from valetkey.net.url import parse_url
from valetkey.oauth.model import AuthorizationServer
from valetkey.policy.classed import Classed
from valetkey.policy.each_time import EachTime
from valetkey.policy.granted import Grants
from valetkey.policy.permissions import Permissions
from valetkey.split.boot import VaultBoot, VaultFacts
from valetkey.split.desk import GuardedDesk
from valetkey.split.releasing import Releasing
from valetkey.split.verbs import Keeping, KeyTurning, Spooling
from valetkey.store.database import Database
from valetkey.store.migrations import migrate
from valetkey.store.notify import EVERYTHING, Notifications
from valetkey.submissions.published import Published
from valetkey.submissions.under_way import ReviewsUnderWay
from valetkey.vault.boxes import TicketSeal
from valetkey.vault.broker import SEALED, SHREDDED, Vault
from valetkey.vault.day_keys import DayKeys
from valetkey.vault.keyring import holds_keys
from valetkey.vault.parcels import Parcels
from valetkey.vault.recovery import Recovery
from valetkey.vault.release import AlsoForFeeds, AlsoForReviews, ForRecordedCalls
from valetkey.vault.root_keys import RootKey
from valetkey.vault.root_keys.opening import Asked, nobody_to_ask, open_root_key
from valetkey.vault.root_keys.passphrase import Ask
from valetkey.vault.rotation import Rotation
from valetkey.vault.spool import Spool
from valetkey.vault.trail_keys import TrailKeys

_PAUSE = 0.05
_ASKED = frozenset(
    {
        "ticket", "hand", "echo",
        "seal_many", "reveal", "mark", "subjects", "make_signing_key", "sign", "mark_message", "cancel", "shred",
        "seal_shut", "condition",
        "spool_prepare", "spool_keep", "spool_read", "spool_clear", "spool_remove",
        "exchange", "refresh", "revoke", "register", "identify",
        "day_key", "day_destroy", "day_destroy_before",
        "trail_sign", "trail_begin_watch", "trail_step", "trail_move_on",
        "key_status", "rotate_root", "move_root", "rotate_tenant", "rewrap", "adopt_kit",
    }
)  # fmt: skip
"""All that a worker may ask."""


class VaultProcess:
    """What one worker speaks to. Nothing is answered but `boot` before it, and after it everything else."""

    def __init__(self, ask: Ask, closing: AsyncExitStack) -> None:
        self._ask = ask
        self._closing = closing
        self._clock: Clock = SystemClock()
        self.verbs = Verbs({"boot": self.boot})
        self.channel: Channel

    async def boot(self, told: VaultBoot) -> VaultFacts:
        """Opens everything. Raises `StartRefused`."""
        clock = self._clock
        database = _database(told.database, Path(told.data) / "valetkey.db")
        self._closing.push_async_callback(database.close)
        keyring = _database(told.keyring_database, Path(told.data) / "keyring.db")
        self._closing.push_async_callback(keyring.close)
        await migrate(keyring, "keyring")
        asked = Asked(
            spec=told.root_key,
            deployment_id=told.deployment_id,
            apart_from=[Path(told.data)],
            may_create=bool(told.former_root_key) or not await holds_keys(keyring),
            ask=nobody_to_ask if told.is_again else self._ask,
        )
        root_key = await open_root_key(asked)
        former = [await open_root_key(replace(asked, spec=told.former_root_key, may_create=False))] if (
            told.former_root_key
        ) else []  # fmt: skip
        notifications = Notifications(database)
        await notifications.start()
        self._closing.push_async_callback(notifications.stop)
        vault = Vault(database, keyring, root_key, clock, notifications, former=former)
        await vault.start(told.deployment_id)
        permissions = Permissions(database, notifications, clock=clock)
        parse = partial(parse_url, private_names=told.private_names)
        listings = load_listings(parse_url=parse_url)
        published = Published(database, notifications, listings, clock)
        await published.read()
        self._closing.push_async_callback(published.stop)
        # By the same listings as the worker's: what is verified there has to be verified here.
        connectors = Connectors(database, notifications, clock=clock, parse_url=parse, listings=listings)
        snapshots = Snapshots(database, notifications, clock=clock)
        groups = Memberships(database, notifications, clock=clock)
        whose = ConnectorOf(database, connectors, notifications, groups=groups, clock=clock)
        grants = Grants(database, permissions, snapshots, whose, EachTime(listings), Classed(listings, snapshots))
        calls = ForRecordedCalls(WrittenIntents(Path(told.data) / "journal"), grants)
        for_feeds = AlsoForFeeds(FeedsThere(database), calls)
        vault.release_by(AlsoForReviews(ReviewsUnderWay(database, clock=clock), for_feeds))
        if told.is_sealed:
            await vault.seal_shut()
        notifications.relay(lambda topic, key: self.channel.tell("hear", topic=topic, key=key))
        trail = TrailKeys(vault, told.deployment_id)
        why = await trail.open()
        seal = TicketSeal(clock)
        dialer = DialerBeside(Path(told.dialer_path), told.dialer_word, clock=clock)
        holding = _Holding(dialer, told.vault_word, seal, notifications, clock)
        await holding.start()
        self._closing.push_async_callback(holding.stop)
        releasing = Releasing(vault, seal, holding.hand)
        self._open_verbs(told, database, vault, releasing, dialer, trail, notifications, asked)
        return VaultFacts(
            place=root_key.place,
            created=root_key.created,
            key_id=root_key.key_id,
            trail_key_made=why,
            verifier_name=trail.verifier_key.name,
            verifier_key=trail.verifier_key.public,
        )

    def _open_verbs(
        self,
        told: VaultBoot,
        database: Database,
        vault: Vault,
        releasing: Releasing,
        dialer: DialerBeside,
        trail: TrailKeys,
        notifications: Notifications,
        asked: Asked,
    ) -> None:
        clock = self._clock
        parse = partial(parse_url, private_names=told.private_names)
        connectors = Connectors(database, notifications, clock=clock, parse_url=parse)
        web = outbound_by(dialer, clock).web
        servers = Servers(database, web=web, parse=parse, clock=clock)
        parcels = Parcels(clock)

        async def origin_of(connector_id: str) -> str:
            return (await connectors.by_id(connector_id)).origin

        async def known(issuer: str) -> AuthorizationServer | None:
            return await servers.known(issuer, allow_http=True)

        async def open_another(spec: str, passphrase: Secret) -> RootKey:
            return await open_root_key(replace(asked, spec=spec, may_create=True, ask=lambda _question: passphrase))

        async def seen(connection_id: str) -> Seen | None:
            async with database.read() as tx:
                found = await connection_rows.find_connection(tx, connection_id)
            return Seen.of(found) if found is not None else None

        spool = Spool(Path(told.data) / "spool", vault.keyring, clock=clock)
        spooling = Spooling(spool, parcels, seen, vault.mark, clock)
        keys = KeyTurning(
            DayKeys(vault.keyring, clock=clock, notifications=notifications),
            trail,
            Rotation(vault.keyring, clock=clock, notifications=notifications),
            Recovery(vault.keyring, clock=clock).adopt,
            open_another,
        )
        rooms = (
            releasing,
            Keeping(vault, parcels, origin_of),
            spooling,
            GuardedDesk(DirectDesk(web), parcels, known, spooling.keep_now),
            keys,
        )
        verbs = {name: getattr(room, name) for room in rooms for name in vars(type(room)) if name in _ASKED}

        def hear(topic: str, key: str) -> None:
            notifications.hear(topic, key)

        self.verbs.open({**verbs, "hear": hear})


class _Holding:
    """The vault's line to the dialer: a key of its own for each that is started, and word of what has ended."""

    def __init__(
        self, dialer: DialerBeside, word: bytes, seal: TicketSeal, notifications: Notifications, clock: Clock
    ) -> None:
        self._dialer = dialer
        self._word = word
        self._seal = seal
        self._clock = clock
        self._hold: Hold | None = None
        self._keeper: asyncio.Task[None] | None = None
        notifications.subscribe(SHREDDED, self._ended)
        notifications.subscribe(SEALED, lambda _key: self._ended(EVERYTHING))

    async def start(self) -> None:
        await self._take_hold()
        self._keeper = asyncio.create_task(self._keep(), name="line to the dialer")

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._hold is not None:
            self._hold.transport.close()

    def hand(self, name: bytes, ticket: bytes) -> None:
        """Of a dialer that is being started anew nobody waits for a ticket."""
        if self._hold is not None and not self._hold.lost.is_set():
            self._hold.hand(name, ticket)

    async def _take_hold(self) -> None:
        self._hold = await self._dialer.hold(self._word)
        self._seal.new_key(self._hold.leave)

    async def _keep(self) -> None:
        while True:
            assert self._hold is not None  # `start` took it
            await self._hold.lost.wait()
            structlog.get_logger(__name__).warning("the line to the dialer is lost; tickets that are out are void")
            while self._hold.lost.is_set():
                try:
                    await self._take_hold()
                except OutboundFailed:
                    await self._clock.sleep(_PAUSE)

    def _ended(self, key: str) -> None:
        """Whoever is told of a dialer that is gone is right: its tickets went with it."""
        if self._hold is None or self._hold.lost.is_set():
            return
        if key == EVERYTHING:
            self._seal.new_key(self._hold.leave)  # those under the key before open no more
        else:
            self._hold.void(key)


def _database(url: str, path: Path) -> Database:
    return Database.open(url) if url else Database.sqlite(path)


async def serve(parent: socket.socket, *, ask: Ask) -> None:
    """Is the vault until the worker is gone."""
    ended = asyncio.Event()
    async with AsyncExitStack() as closing:
        process = VaultProcess(ask, closing)
        _, process.channel = await asyncio.get_running_loop().create_unix_connection(
            lambda: Channel(process.verbs, lost=ended.set), sock=parent
        )
        await ended.wait()
