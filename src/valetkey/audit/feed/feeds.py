"""Adds and removes feeds, and sends them what happened: every ten seconds, in order, at least once.

A place that does not take it is asked again, later each time, up to a quarter of an hour; what it missed is kept. What
a place refuses for good is not sent to it again, and it is told so when it takes something the next time.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from valetkey.audit.feed import repository
from valetkey.audit.feed.model import Feed, Keys, Kind, NotTaken, Posts, PostsWithTicket, Streams, Way
from valetkey.audit.feed.otlp import Otlp
from valetkey.audit.feed.syslog import Syslog
from valetkey.audit.feed.webhook import Webhook
from valetkey.audit.trail import Trail
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, NotFound, TooMany, ValetkeyError, printable
from valetkey.kernel.ids import new_id
from valetkey.kernel.secret import Secret
from valetkey.net.model import Url
from valetkey.store.database import Database
from valetkey.store.leases import Leases

_EVERY = 10.0
_LONGEST_WAIT = 900.0
_LEASE = "feeds"
_LEASE_SECONDS = 120.0
_MOST_FEEDS = 5
_WINDOWS = 20
"""For each feed and round, then the others have their turn."""
_KINDS: Mapping[str, Kind] = {"syslog": "syslog", "otlp+https": "otlp"}
"""By how the address begins; anything else is a webhook, or nothing."""
_WORKS: Any = {"failing_since": None, "failures": 0, "next_at": None, "missed_after": None}


class Feeds:
    """All feeds of all organizations."""

    def __init__(
        self,
        database: Database,
        leases: Leases,
        *,
        web: Posts,
        calls: PostsWithTicket,
        streams: Streams,
        keys: Keys,
        parse_url: Callable[[str], Url],
        clock: Clock,
        trail: Trail,
        window: int = 500,
    ) -> None:
        """`window` is how many numbers of events are looked through at once."""
        self._window = window
        self._database = database
        self._leases = leases
        self._keys = keys
        self._ways: Mapping[Kind, Way] = {
            "webhook": Webhook(web=web, keys=keys, parse_url=parse_url, clock=clock),
            "syslog": Syslog(streams=streams, parse_url=parse_url),
            "otlp": Otlp(calls=calls, keys=keys, parse_url=parse_url, clock=clock),
        }
        self._clock = clock
        self._trail = trail
        self._task: asyncio.Task[None] | None = None

    async def add(
        self, organization_id: str, address: str, *, by: str, header: str = "", value: Secret | None = None
    ) -> tuple[Feed, Secret]:
        """A feed of what happens from now on, and, for a webhook, the key of its marks, which is told this once.

        `header` and its `value`, which is sealed, go along to a collector. Raises `BadInput`, `TooMany`.
        """
        kind, url = self._place(address)
        if (header or value) and kind != "otlp":
            raise BadInput("Only a collector (otlp+https://…) is sent a header.", field="header")
        if bool(header) != bool(value):
            raise BadInput("A header has a name and a value.", field="header")
        if len(await self.list(organization_id)) >= _MOST_FEEDS:
            raise TooMany(f"An organization has at most {_MOST_FEEDS} feeds.", hint="Remove one.")
        async with self._database.read() as tx:
            newest = await repository.newest(tx)
        new = Feed(
            id=new_id("feed"), organization_id=organization_id, kind=kind, address=address,
            created_at=self._clock.now(), delivered=newest, header=header.lower(),
        )  # fmt: skip
        key = await self._keys.make_key(new) if kind == "webhook" else Secret(b"")
        if value:
            await self._keys.keep_header(new, url, value)
        async with self._database.write() as tx:
            await repository.add(tx, new)
        await self._write("feed.added", new, by)
        return new, key

    async def list(self, organization_id: str) -> list[Feed]:
        """Oldest first."""
        async with self._database.read() as tx:
            return await repository.list_of(tx, organization_id)

    async def remove(self, organization_id: str, feed_id: str, *, by: str) -> None:
        """Nothing more goes there. Raises `NotFound`."""
        found = await self._one(organization_id, feed_id)
        async with self._database.write() as tx:
            await repository.remove(tx, feed_id)
        await self._keys.forget(found)
        await self._write("feed.removed", found, by)

    async def try_out(self, organization_id: str, feed_id: str, *, by: str) -> Feed:
        """Writes an event that says that somebody tries, sends it, and gives how the place does. Raises `NotFound`.

        If another process is delivering just now, that one sends it, within seconds.
        """
        await self._write("feed.tried", await self._one(organization_id, feed_id), by)
        held = await self._leases.take(_LEASE, seconds=_LEASE_SECONDS)
        if held is not None:
            try:
                async with self._database.read() as tx:
                    newest = await repository.newest(tx)
                await self._deliver_to(await self._one(organization_id, feed_id), newest)
            finally:
                await self._leases.give_back(held)
        return await self._one(organization_id, feed_id)

    async def _one(self, organization_id: str, feed_id: str) -> Feed:
        found = next((one for one in await self.list(organization_id) if one.id == feed_id), None)
        if found is None:
            raise NotFound("There is no such feed.")
        return found

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def deliver(self) -> None:
        """One round, in one process of all."""
        held = await self._leases.take(_LEASE, seconds=_LEASE_SECONDS)
        if held is None:
            return
        try:
            async with self._database.read() as tx:
                feeds, newest = await repository.list_all(tx), await repository.newest(tx)
            for feed in feeds:
                if feed.next_at is None or feed.next_at <= self._clock.now():
                    await self._deliver_to(feed, newest)
        finally:
            await self._leases.give_back(held)

    async def _deliver_to(self, feed: Feed, newest: int) -> None:
        before = feed
        for _ in range(_WINDOWS):
            until = min(feed.delivered + self._window, newest)
            if until <= feed.delivered:
                break
            async with self._database.read() as tx:
                events = await repository.events_between(tx, feed.organization_id, feed.delivered, until)
            if not events:
                feed = replace(feed, delivered=until)
                continue
            try:
                kind, url = self._place(feed.address)
                against = await self._ways[kind].send(feed, url, events)
            except (ValetkeyError, OSError, TimeoutError) as error:
                feed = _after_failure(feed, error, until, self._clock.now())
                break
            feed = replace(feed, delivered=until, **_WORKS, delivered_at=self._clock.now(), reason=against)
        if feed == before:
            return
        async with self._database.write() as tx:
            await repository.put(tx, feed)
        await self._tell_change(before, feed)

    async def _tell_change(self, before: Feed, feed: Feed) -> None:
        """Once when it begins and once when it ends: an event for every try would fill the feed with itself."""
        if feed.failing_since and not before.failing_since:
            await self._write("feed.failing", feed, "system")
        elif before.failing_since and not feed.failing_since:
            missed: dict[str, object] = {}
            if before.missed_after is not None:
                missed = {"missed_after": before.missed_after, "missed_until": before.delivered}
            await self._write("feed.recovered", feed, "system", **missed)
        elif feed.reason and not before.reason:
            await self._write("feed.partly_taken", feed, "system")

    def _place(self, address: str) -> tuple[Kind, Url]:
        """Raises `BadInput`. Nothing goes out but over TLS; where to is for `net` to allow."""
        if len(address) > 300 or "@" in address.partition("?")[0]:
            raise BadInput("An address has at most 300 characters, and no name or password in it.", field="address")
        scheme, _, rest = address.partition("://")
        kind: Kind = _KINDS.get(scheme, "webhook") if rest else "webhook"
        return kind, self._ways[kind].place(address)

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(_EVERY)
            try:
                await self.deliver()
            except (ValetkeyError, OSError, repository.StoreFailed) as error:
                structlog.get_logger(__name__).warning("feeds were not delivered", reason=type(error).__name__)

    async def _write(self, event: str, feed: Feed, by: str, **more: object) -> None:
        detail = {"kind": feed.kind, "address": feed.address} | ({"reason": feed.reason} if feed.reason else {}) | more
        await self._trail.write(event, actor=by, organization_id=feed.organization_id, object=feed.id, detail=detail)


def _after_failure(feed: Feed, error: Exception, until: int, now: datetime) -> Feed:
    """Not asked again at once, nor by all hubs at one time; what was refused for good is not kept for it (OTLP)."""
    asked = error.wait if isinstance(error, NotTaken) else None
    early = 1 - secrets.randbelow(100) / 1000
    wait = asked if asked is not None else early * min(_EVERY * 2 ** min(feed.failures, 20), _LONGEST_WAIT)
    feed = replace(
        feed, failing_since=feed.failing_since or now, failures=min(feed.failures + 1, 1000),
        next_at=now + timedelta(seconds=wait), reason=printable(str(error), limit=299),
    )  # fmt: skip
    if isinstance(error, NotTaken) and error.final:
        missed_after = feed.delivered if feed.missed_after is None else feed.missed_after
        feed = replace(feed, delivered=until, missed_after=missed_after)
    return feed
