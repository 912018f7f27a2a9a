"""Reading a registry of MCP servers into the directory's search: page by page, incrementally, within limits.

What is found there is only ever found: whoever wants one adds it by its address, and it is *Custom – unverified* like
any other (DIR-01). This room reaches no network, so it is handed `fetch`; `app` makes it of `net`'s client.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import structlog

from valetkey.directory import registry_repository as repository
from valetkey.directory.listings import ParseUrl
from valetkey.directory.registry_page import MOST_ON_A_PAGE, BadRegistry, Run, Server, read_page
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import Conflict, NotFound, ValetkeyError, printable
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database
from valetkey.store.leases import Lease, Leases

Fetch = Callable[[str], Awaitable[bytes]]
"""GET of this address, bounded in time and size. Raises `OutboundFailed`."""

MOST_PAGES = 1000
MOST_SERVERS = 50_000
_MINUTES = 15.0
_EVERY = timedelta(hours=24)
_OVERLAP = timedelta(minutes=10)  # clocks differ; what is read twice is written once


class RegistrySync:
    """Reads the registry at `registry`, once a day or when asked. With no address nothing is read, ever."""

    def __init__(
        self, database: Database, leases: Leases, *, registry: str, fetch: Fetch, parse_url: ParseUrl, clock: Clock
    ) -> None:
        self._database = database
        self._leases = leases
        self._registry = registry.rstrip("/")
        self._fetch = fetch
        self._parse_url = parse_url
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._running: asyncio.Task[Run] | None = None

    async def start(self) -> None:
        if self._registry:
            self._task = asyncio.create_task(self._daily())

    async def stop(self) -> None:
        for task in (self._task, self._running):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, ValetkeyError):
                    await task

    async def status(self) -> Run | None:
        """The run under way, or the last one; `None` before the first. Raises `NotFound` when there is no registry."""
        self._demand_registry()
        async with self._database.read() as tx:
            return await repository.find_run(tx, self._registry)

    async def begin(self, *, whole: bool = False) -> Run:
        """Begins to read what changed, or with `whole` all of it, and returns; `status` tells how far it is.

        Raises `NotFound` when there is no registry, `Conflict` while it is being read.
        """
        self._demand_registry()
        run, lease = await self._new_run(whole=whole)
        self._running = asyncio.create_task(self._read(run, lease))
        return run

    async def run(self, *, whole: bool = False) -> Run:
        """Reads, and returns when that is done; what went wrong stands in the run's `error`. Raises as `begin`."""
        self._demand_registry()
        return await self._read(*await self._new_run(whole=whole))

    async def search(self, query: str, *, limit: int = 20) -> Sequence[Server]:
        """The servers that have every word of `query`; none for no words."""
        words = query.lower().split()[:8]
        if not words or not self._registry:
            return ()
        async with self._database.read() as tx:
            return await repository.search_servers(tx, words, limit=limit)

    async def _daily(self) -> None:
        while True:
            # A registry that is read by another process right now is being read.
            with contextlib.suppress(Conflict):
                await self._read_if_due()
            await self._clock.sleep(600.0)

    async def _read_if_due(self) -> None:
        last = await self.status()
        due = last is None or last.synced_at is None or last.began_at + _EVERY <= self._clock.now()
        if due and (last is None or last.began_at + timedelta(hours=1) <= self._clock.now()):
            run = await self.run()
            structlog.get_logger(__name__).info(
                "registry read", pages=run.pages, servers=run.servers, gone=run.gone, error=run.error
            )

    async def _new_run(self, *, whole: bool) -> tuple[Run, Lease]:
        lease = await self._leases.take("registry", seconds=_MINUTES * 60)
        if lease is None:
            raise Conflict(
                "The registry is being read already.", hint="See how far: valetkey connector refresh --status"
            )
        last = await self.status()
        synced = last.synced_at if last else None
        since = None if whole or synced is None else synced - _OVERLAP
        run = Run(registry=self._registry, id=new_id("run"), began_at=self._clock.now(), since=since, synced_at=synced)
        await self._put(run)
        return run, lease

    async def _read(self, run: Run, lease: Lease) -> Run:
        """One run. What was there stays when it breaks off: half a registry is no reason to forget the other half."""
        try:
            try:
                async with asyncio.timeout(_MINUTES * 60):
                    run = await self._pages(run)
                done = replace(run, synced_at=run.began_at)
            except (ValetkeyError, TimeoutError) as error:
                words = error.message if isinstance(error, ValetkeyError) else "Reading it took too long."
                done = replace(run, error=printable(words, limit=390))
            done = replace(done, finished_at=self._clock.now())
            await self._put(done)
            return done
        finally:
            await self._leases.give_back(lease)

    async def _pages(self, run: Run) -> Run:
        cursor, seen = "", {""}
        while True:
            page = read_page(await self._fetch(self._address(run, cursor)), parse_url=self._parse_url)
            async with self._database.write() as tx:
                await repository.put_servers(tx, page.servers, seen_in=run.id, dialect=self._database.dialect)
                await repository.delete_servers(tx, page.gone)
                run = replace(
                    run,
                    pages=run.pages + 1,
                    servers=run.servers + len(page.servers),
                    gone=run.gone + len(page.gone),
                    left_out=run.left_out + page.left_out,
                )
                await repository.note_progress(tx, run)
            if not page.cursor:
                break
            if page.cursor in seen:
                raise BadRegistry("The registry sends us in a circle: it gave a place to go on from twice.")
            if run.pages >= MOST_PAGES or run.servers >= MOST_SERVERS:
                raise BadRegistry(f"The registry has more than {MOST_PAGES} pages or {MOST_SERVERS} servers.")
            seen.add(cursor := page.cursor)
        if run.since is None:
            async with self._database.write() as tx:
                run = replace(run, gone=run.gone + await repository.delete_unseen(tx, seen_in=run.id))
        return run

    def _address(self, run: Run, cursor: str) -> str:
        query = {"limit": str(MOST_ON_A_PAGE), "version": "latest"}
        if run.since is not None:
            query["updated_since"] = run.since.isoformat().replace("+00:00", "Z")
            del query["version"]  # a version that was deleted is none of the latest
        if cursor:
            query["cursor"] = cursor
        return f"{self._registry}/v0.1/servers?{urlencode(query)}"

    async def _put(self, run: Run) -> None:
        async with self._database.write() as tx:
            await repository.put_run(tx, run, self._database.dialect)

    def _demand_registry(self) -> None:
        if not self._registry:
            raise NotFound(
                "No registry is read here.",
                hint="Name one: VALETKEY_REGISTRY=https://registry.example, and start again.",
            )
