"""Adds and removes feeds, and sends them what happened: every ten seconds, in order, at least once.

A place that does not take it is asked again, later each time, up to a quarter of an hour; what it missed is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from valetkey.audit.feed import messages, repository
from valetkey.audit.feed.model import Feed, Kind, Marks, Posts, Streams
from valetkey.audit.model import TrailEvent
from valetkey.audit.trail import Trail
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, NotFound, OutboundFailed, TooMany, ValetkeyError, printable
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
_SYSLOG = "syslog://"
_SYSLOG_PORT = 6514


class Feeds:
    """All feeds of all organizations."""

    def __init__(
        self,
        database: Database,
        leases: Leases,
        *,
        web: Posts,
        streams: Streams,
        marks: Marks,
        parse_url: Callable[[str], Url],
        clock: Clock,
        trail: Trail,
        window: int = 500,
    ) -> None:
        """`window` is how many numbers of events are looked through at once."""
        self._window = window
        self._database = database
        self._leases = leases
        self._web = web
        self._streams = streams
        self._marks = marks
        self._parse_url = parse_url
        self._clock = clock
        self._trail = trail
        self._task: asyncio.Task[None] | None = None

    async def add(self, organization_id: str, address: str, *, by: str) -> tuple[Feed, Secret]:
        """A feed of what happens from now on, and, for a webhook, the key of its marks, which is told this once.

        Raises `BadInput`, `TooMany`.
        """
        kind, _ = self._place(address)
        if len(await self.list(organization_id)) >= _MOST_FEEDS:
            raise TooMany(f"An organization has at most {_MOST_FEEDS} feeds.", hint="Remove one.")
        async with self._database.read() as tx:
            newest = await repository.newest(tx)
        new = Feed(
            id=new_id("feed"), organization_id=organization_id, kind=kind, address=address,
            created_at=self._clock.now(), delivered=newest,
        )  # fmt: skip
        key = await self._marks.make_key(new) if kind == "webhook" else Secret(b"")
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
        await self._marks.forget(found)
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
        before, now = feed, self._clock.now()
        for _ in range(_WINDOWS):
            until = min(feed.delivered + self._window, newest)
            if until <= feed.delivered:
                break
            async with self._database.read() as tx:
                events = await repository.events_between(tx, feed.organization_id, feed.delivered, until)
            try:
                if events:
                    await self._send(feed, events)
            except (ValetkeyError, OSError, TimeoutError) as error:
                wait = timedelta(seconds=min(_EVERY * 2**feed.failures, _LONGEST_WAIT))
                feed = replace(
                    feed,
                    failing_since=feed.failing_since or now,
                    failures=min(feed.failures + 1, 1000),
                    next_at=now + wait,
                    reason=printable(str(error), limit=299),
                )
                break
            at = now if events else feed.delivered_at
            feed = replace(
                feed, delivered=until, delivered_at=at, failing_since=None, failures=0, next_at=None, reason=""
            )
        if feed == before:
            return
        async with self._database.write() as tx:
            await repository.put(tx, feed)
        # Once when it begins and once when it ends: an event for every try would fill the feed with itself.
        if (feed.failing_since is None) != (before.failing_since is None):
            await self._write("feed.failing" if feed.failing_since else "feed.recovered", feed, "system")

    async def _send(self, feed: Feed, events: Sequence[TrailEvent]) -> None:
        _, url = self._place(feed.address)
        if feed.kind == "syslog":
            await self._streams.send(url, messages.syslog(events))
            return
        body, now = messages.lines(events), self._clock.now()
        message_id = f"{feed.id}-{events[0].seq}-{events[-1].seq}"  # the same for the same, should it come twice
        mark = await self._marks.mark(feed, messages.signed_part(message_id, now, body))
        answer = await self._web.post(
            url, body=body, content_type=messages.CONTENT_TYPE, headers=messages.headers(message_id, now, mark)
        )
        if not 200 <= answer.status < 300:
            raise OutboundFailed(f"{url.host} answered with status {answer.status}.")

    def _place(self, address: str) -> tuple[Kind, Url]:
        """Raises `BadInput`. Nothing goes out but over TLS; where to is for `net` to allow."""
        if len(address) > 300 or "@" in address.partition("?")[0]:
            raise BadInput("An address has at most 300 characters, and no name or password in it.", field="address")
        if address.startswith(_SYSLOG):
            place = address.removeprefix(_SYSLOG).rstrip("/")
            port = "" if ":" in place.rpartition("]")[2] else f":{_SYSLOG_PORT}"
            return "syslog", self._parse_url(f"https://{place}{port}")
        url = self._parse_url(address)
        if url.scheme != "https":
            raise BadInput("A webhook is reached over https.", field="address")
        return "webhook", url

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(_EVERY)
            try:
                await self.deliver()
            except (ValetkeyError, OSError, repository.StoreFailed) as error:
                structlog.get_logger(__name__).warning("feeds were not delivered", reason=type(error).__name__)

    async def _write(self, event: str, feed: Feed, by: str) -> None:
        detail = {"kind": feed.kind, "address": feed.address} | ({"reason": feed.reason} if feed.reason else {})
        await self._trail.write(event, actor=by, organization_id=feed.organization_id, object=feed.id, detail=detail)
