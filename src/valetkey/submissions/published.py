"""What the desk published, brought into the one catalogue on every replica."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from valetkey.directory.connectors import TOPIC as CONNECTORS
from valetkey.directory.listings import Listings
from valetkey.kernel.errors import ValetkeyError
from valetkey.store.database import Database
from valetkey.store.notify import EVERYTHING, Notifications
from valetkey.submissions import look_repository, repository

TOPIC = "listings"
"""Announced when what stands in the directory changed."""


class Published:
    """Reads what is published when the hub starts, and whenever somebody says that it changed."""

    def __init__(self, database: Database, notifications: Notifications, listings: Listings) -> None:
        self._database = database
        self._notifications = notifications
        self._listings = listings
        self._reading: asyncio.Task[None] | None = None
        notifications.subscribe(TOPIC, self._heard)

    async def read(self) -> None:
        """The catalogue is as the database has it, and what was derived from it is forgotten here."""
        async with self._database.read() as tx:
            found = await repository.listed(tx)
            held = frozenset(look.slug for look in await look_repository.looks(tx) if look.why_held)
        self._listings.publish((one.live for one in found if one.live is not None), held=held)
        self._notifications.hear(CONNECTORS, EVERYTHING)

    async def announce(self) -> None:
        """Here when this returns, elsewhere within a second."""
        await self._notifications.publish(TOPIC, EVERYTHING)
        await self.read()

    async def stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading

    def _heard(self, _key: str) -> None:
        before = self._reading
        self._reading = asyncio.get_running_loop().create_task(self._read_again(before))

    async def _read_again(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:  # one at a time: the last that reads saw the last that was written
            await asyncio.wait([before])
        try:
            await self.read()
        except (OSError, ValetkeyError) as error:  # said again when the connection to the database is back
            structlog.get_logger(__name__).warning("published listings not read", reason=type(error).__name__)
