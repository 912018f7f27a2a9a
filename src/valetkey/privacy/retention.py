"""Retention: what calls sent and got is kept for so many days, their records for so many more, and is then gone.

    1. that it begins, and from where on, goes to the trail
    2. the keys of the days before are destroyed: no copy of their contents opens without a backup of the keyring
    3. piece by piece, the records before go, from the log too: of each its hash stays, and the log verifies
    4. what else has a time goes when it is over (alerts, approvals): the rooms that have it say which (`sweeps`)
    5. what was done goes to the trail, in numbers: for everybody, and for each organization that it was of

For how long is said by the operator and by owners (`keeping`); what is held is passed by (`holds`). Each step can be
done again, and what was cut off is. The trail's events stay.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from valetkey.audit.ageing import Ageing
from valetkey.audit.erasure_repository import OldCall
from valetkey.audit.log_repository import StoreFailed
from valetkey.audit.trail import Trail
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import ValetkeyError
from valetkey.kernel.ids import new_id
from valetkey.privacy import retention_repository as repository
from valetkey.privacy.holds import Covered, Holds
from valetkey.privacy.keeping import Keeping
from valetkey.privacy.model import Run
from valetkey.privacy.times import Due
from valetkey.privacy.whole import Whole
from valetkey.store.database import Database
from valetkey.store.leases import Leases
from valetkey.vault.day_keys import DayKey

_LEASE = "privacy.retention"
_HELD = 23 * 3600.0  # seconds: once a day over all replicas and starts; given back only by a run that failed
_FIRST_LOOK = 60.0  # seconds after a start, which has enough to do
_LOOK_EVERY = 600.0
_NOTHING = ""  # no day sorts before it


class DestroysDays(Protocol):
    """What retention needs of `vault.day_keys`."""

    async def destroy_before(
        self, day: str, *, but: Mapping[str, str], spare: Sequence[tuple[str, str]]
    ) -> Mapping[str, int]: ...

    async def existing(self, person_id: str, tenant: str, day: str) -> DayKey: ...


@dataclass(frozen=True, slots=True)
class Purged:
    """What one run let go of: keys (one for each person and day), and records of calls."""

    days: int
    calls: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is due of whom, and what is held."""

    everybody: Due
    organizations: Mapping[str, Due]
    covered: Covered

    def is_due(self, call: OldCall) -> bool:
        due = self.organizations.get(call.organization_id, self.everybody)
        return call.started_at < due.instant and not self.covered.covers(call.organization_id, call.person_id)

    @property
    def days(self) -> Mapping[str, str]:
        """Before which day, where it is another than everybody's."""
        said = {organization: due.day for organization, due in self.organizations.items()}
        return {**said, **dict.fromkeys(self.covered.organizations, _NOTHING)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeps:
    """What has a time of its own, by the room that lets go of what is over; each says how many went."""

    alerts: Callable[[], Awaitable[int]]
    approvals: Callable[[], Awaitable[int]]


class Retention:
    """Lets go of what is old, once a day. `start` after the call log, `stop` before the database closes."""

    def __init__(
        self, database: Database, keeping: Keeping, holds: Holds, *, day_keys: DestroysDays, trail: Trail,
        leases: Leases, clock: Clock, sweeps: Sweeps,
    ) -> None:  # fmt: skip
        self._database = database
        self._keeping = keeping
        self._holds = holds
        self._ageing = Ageing(database)
        self._day_keys = day_keys
        self._trail = trail
        self._leases = leases
        self._clock = clock
        self._sweeps = sweeps
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
        await self._holds.settle()  # what a release that was cut off has left
        everybody, organizations = await self._keeping.dues()
        plan = _Plan(everybody, organizations, await self._holds.covered())
        due = {
            "contents_before": everybody.day, "calls_before": everybody.instant.isoformat(timespec="seconds"),
            "holds": len(plan.covered.organizations) + len(plan.covered.people),
        }  # fmt: skip
        await self._trail.write("retention.began", actor="system", detail=due)  # 1.
        days = await self._day_keys.destroy_before(  # 2.
            everybody.day, but=plan.days, spare=sorted(plan.covered.people)
        )
        await Whole(self._database, self._day_keys).sweep()  # large results, which no key opens any more
        run, calls = await self._let_go(plan, sum(days.values()))  # 3.
        swept = {"alerts": await self._sweeps.alerts(), "approvals": await self._sweeps.approvals()}  # 4.
        for organization_id in sorted({*days, *calls}):  # 5.
            went = {"days": days.get(organization_id, 0), "calls": calls.get(organization_id, 0)}
            await self._trail.write("retention.purged", actor="system", organization_id=organization_id, detail=went)
        done = {**due, "days": run.days, "calls": run.calls, **swept}
        await self._trail.write("retention.done", actor="system", object=run.id, detail=done)
        return Purged(run.days, run.calls)

    async def _let_go(self, plan: _Plan, days: int) -> tuple[Run, Mapping[str, int]]:
        latest = max([plan.everybody.instant, *(due.instant for due in plan.organizations.values())])
        run = Run(new_id("run"), self._clock.now(), None, days, 0, 0, await self._ageing.count(latest))
        calls: Counter[str] = Counter()
        async with self._database.write() as tx:
            await repository.add_run(tx, run)
        after = _NOTHING
        while run.finished_at is None:
            aged = await self._ageing.piece(plan.is_due, before=latest, after=after)
            calls.update(aged.calls)
            after = aged.next_after
            run = replace(
                run, calls=calls.total(), looked_at=run.looked_at + aged.looked_at,
                finished_at=None if after else self._clock.now(),
            )  # fmt: skip
            async with self._database.write() as tx:
                await repository.set_run(tx, run)
        return run, calls

    async def _run(self) -> None:
        await self._clock.sleep(_FIRST_LOOK)
        while True:
            try:
                await self.purge()
            except (OSError, StoreFailed, ValetkeyError) as error:
                structlog.get_logger(__name__).warning("retention failed, trying again", reason=type(error).__name__)
            await self._clock.sleep(_LOOK_EVERY)
