"""What the desk published, brought into the one catalogue on every replica."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from valetkey.directory.connectors import TOPIC as CONNECTORS
from valetkey.directory.listings import Listing, Listings
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import ValetkeyError
from valetkey.store.database import Database
from valetkey.store.notify import EVERYTHING, Notifications
from valetkey.submissions import look_repository, repository
from valetkey.submissions.model import Submission

TOPIC = "listings"
"""Announced when what stands in the directory changed."""
CONTACT_HOLDS: Final = timedelta(days=180)
"""So long a contact is taken as confirmed (DIR-16); then its publisher is asked."""
UNVERIFIED_AFTER: Final = CONTACT_HOLDS + timedelta(days=30)
DELISTED_AFTER: Final = CONTACT_HOLDS + timedelta(days=60)


def as_offered(one: Submission, now: datetime) -> Listing | None:
    """What stands in the directory of it: *verified* only while somebody answers for it."""
    if one.live is None or now - (one.contact_at or one.state_since) <= UNVERIFIED_AFTER:
        return one.live
    return msgspec.structs.replace(one.live, review=None)


class Published:
    """Reads what is published when the hub starts, and whenever somebody says that it changed."""

    def __init__(self, database: Database, notifications: Notifications, listings: Listings, clock: Clock) -> None:
        self._clock = clock
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
        offered = [as_offered(one, self._clock.now()) for one in found]
        self._listings.publish((one for one in offered if one is not None), held=held)
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
