"""Retention: what calls sent and got is kept for so many days, their records for so many more, and is then gone.

    1. that it begins, and from where on, goes to the trail
    2. the keys of the days before are destroyed: no copy of their contents opens without a backup of the keyring
    3. the records before are deleted; the deletion is itself a record of the log, with its count, so that it verifies
    4. what was done goes to the trail, in numbers

Each step can be done again. Keeping longer brings nothing back: what is gone has no key. The trail's events stay.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from valetkey.audit.log_repository import StoreFailed
from valetkey.audit.repository import CallRecords
from valetkey.audit.trail import Trail
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import ValetkeyError
from valetkey.store.leases import Leases

_LEASE = "privacy.retention"
_HELD = 23 * 3600.0  # seconds: once a day over all replicas and starts; given back only by a run that failed
_FIRST_LOOK = 60.0  # seconds after a start, which has enough to do
_LOOK_EVERY = 600.0


class DestroysDays(Protocol):
    """What retention needs of `vault.day_keys`."""

    async def destroy_before(self, day: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Times:
    """For how many days contents of calls, and their records, are kept."""

    contents: int
    calls: int


@dataclass(frozen=True, slots=True)
class Purged:
    """What one run let go of: keys (one for each person and day), and records of calls."""

    days: int
    calls: int


class Retention:
    """Lets go of what is old, once a day. `start` after the call log, `stop` before the database closes."""

    def __init__(
        self, kept: Times, *, calls: CallRecords, day_keys: DestroysDays, trail: Trail, leases: Leases, clock: Clock
    ) -> None:
        self._kept = kept
        self._calls = calls
        self._day_keys = day_keys
        self._trail = trail
        self._leases = leases
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="retention")

    async def stop(self) -> None:
        """A run that is cut off is done again."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def purge(self) -> Purged | None:
        """One run; `None` when there was one within the day."""
        held = await self._leases.take(_LEASE, seconds=_HELD)
        if held is None:
            return None
        try:
            return await self._purge()
        except BaseException:  # cut off by a stop, too: the next start is to do it, and not the next day
            with contextlib.suppress(StoreFailed, OSError):
                await self._leases.give_back(held)
            raise

    async def _purge(self) -> Purged:
        now = self._clock.now()
        # A day is over for everybody when it has ended in UTC: its key goes a whole `contents` days after that.
        day = (now - timedelta(days=self._kept.contents)).date().isoformat()
        instant = now - timedelta(days=self._kept.calls)
        due = {"contents_before": day, "calls_before": instant.isoformat(timespec="seconds")}
        await self._trail.write("retention.began", actor="system", detail=due)  # 1.
        days = await self._day_keys.destroy_before(day)  # 2.
        calls = await self._calls.delete_before(instant)  # 3.
        await self._trail.write("retention.done", actor="system", detail={**due, "days": days, "calls": calls})  # 4.
        return Purged(days, calls)

    async def _run(self) -> None:
        await self._clock.sleep(_FIRST_LOOK)
        while True:
            try:
                await self.purge()
            except (OSError, StoreFailed, ValetkeyError) as error:
                structlog.get_logger(__name__).warning("retention failed, trying again", reason=type(error).__name__)
            await self._clock.sleep(_LOOK_EVERY)
