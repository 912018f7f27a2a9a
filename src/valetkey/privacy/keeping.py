"""Saying for how long calls are kept: the operator for everybody, an owner for an organization, within bounds.

Shorter is for good once it has been done: it has to be said twice, with what would go, and holds a day later. What was
said is never changed, only followed by what is said later, so that longer never brings back what was due (`times`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict
from valetkey.privacy import retention_repository as repository
from valetkey.privacy.levels import TrailWriter
from valetkey.privacy.model import Run
from valetkey.privacy.times import GRACE, LEAST, MOST, Due, Held, Said, Times, as_said, due, held, in_force
from valetkey.store.database import Database

HUB: Final = ""
"""In the place of an organization's id: what the operator says."""
_AT_FIRST: Final = Said(HUB, 30, 365, MOST, datetime(1970, 1, 1, tzinfo=UTC), "operator")
_RUNS: Final = 30


@dataclass(frozen=True, slots=True)
class Kept:
    """What holds for one organization: `now`, and `soon` if a shortening was said less than a day ago."""

    now: Times
    soon: Times | None
    soon_at: datetime | None
    by_organization: bool
    set_at: datetime
    set_by: str
    least: int
    most: int
    default: Times


@dataclass(frozen=True, slots=True)
class Going:
    """What a shorter time would let go of that is kept by now: contents of so many calls, and so many records."""

    contents: int
    calls: int


class Shortens(Conflict):
    """It would be for good, and nobody has said yet that they know."""

    code = "shortens"

    def __init__(self, going: Going) -> None:
        super().__init__(
            f"This is shorter, and cannot be taken back once done: the contents of {going.contents} calls and the"
            f" records of {going.calls} would go.",
            hint="Say that it is meant, to have it so. It is done a day later; until then it can be changed.",
        )
        self.going = going


class Keeping:
    """Says and shows for how long."""

    def __init__(self, database: Database, *, clock: Clock, trail: TrailWriter) -> None:
        self._database = database
        self._clock = clock
        self._trail = trail

    async def follow(self, times: Times, *, at_most: int) -> None:
        """What the operator's settings say, at a start. A change is told in the log, and shorter holds a day later."""
        async with self._database.read() as tx:
            before = await repository.list_said(tx, [HUB])
        last = before[-1] if before else _AT_FIRST
        if (last.contents, last.calls, last.at_most) == (times.contents, times.calls, at_most):
            return
        if times.contents < (last.contents or MOST) or times.calls < (last.calls or MOST):
            structlog.get_logger(__name__).warning(
                "calls are kept for shorter than before: what is older goes for good in a day",
                contents=times.contents, calls=times.calls,
            )  # fmt: skip
        await self._say(
            Said(HUB, times.contents, times.calls, at_most, self._clock.now(), "operator"), last if before else None
        )

    async def kept(self, organization_id: str) -> Kept:
        """What holds for an organization, and who said so."""
        hub, own = await self._said(organization_id)
        now = self._clock.now()
        holding, coming = in_force(hub, own, now), as_said(hub, own)
        said = own[-1] if own and (own[-1].contents, own[-1].calls) != (None, None) else None
        latest = max(one.set_at for one in (*hub, *own))
        by = said or hub[-1]
        return Kept(
            now=holding, soon=coming if coming != holding else None,
            soon_at=latest + GRACE if coming != holding else None, by_organization=said is not None,
            set_at=by.set_at, set_by=by.set_by, least=LEAST, most=hub[-1].at_most or MOST, default=as_said(hub, []),
        )  # fmt: skip

    async def set(
        self, organization_id: str, *, contents: int | None, calls: int | None, meant: bool, actor: str
    ) -> Kept:
        """An owner's word; `None` for both: as the operator says. Who may, the caller has made sure of.

        Raises `BadInput` beyond the bounds, and `Shortens` for a shorter time that is not `meant`.
        """
        hub, own = await self._said(organization_id)
        most = hub[-1].at_most or MOST
        for field, days in (("contents", contents), ("calls", calls)):
            if days is not None and not LEAST <= days <= most:
                raise BadInput(f"It can be {LEAST} to {most} days.", field=field)
        now = self._clock.now()
        new = Said(organization_id, contents, calls, None, now, actor)
        before, after = as_said(hub, own), as_said(hub, [new])
        if calls is not None and calls < after.contents:
            raise BadInput("Records are kept as long as contents, or longer.", field="calls")
        if (after.contents < before.contents or after.calls < before.calls) and not meant:
            raise Shortens(await self._going(organization_id, due(held(hub, own, now), now), after, now))
        await self._say(new, own[-1] if own else None)
        return await self.kept(organization_id)

    async def runs(self, *, before: str = "", limit: int = _RUNS) -> Sequence[Run]:
        """Runs that let go of something, the newest first, and how far it is; from before the id `before` on."""
        async with self._database.read() as tx:
            return await repository.list_runs(tx, before=before, limit=limit)

    async def dues(self) -> tuple[Due, Mapping[str, Due]]:
        """What is due now: by the operator's times, and of each organization that has said something."""
        async with self._database.read() as tx:
            everything = await repository.list_said(tx)
        said: dict[str, list[Said]] = defaultdict(list)
        for one in everything:
            said[one.organization_id].append(one)
        hub, now = said.pop(HUB, [_AT_FIRST]), self._clock.now()
        return due(held(hub, [], now), now), {one: due(held(hub, own, now), now) for one, own in said.items()}

    async def _going(self, organization_id: str, already: Due, after: Times, now: datetime) -> Going:
        shorter = due([Held(after, now, None)], now)
        async with self._database.read() as tx:
            found = await repository.count_going(
                tx, organization_id, day=shorter.day, since_day=already.day, instant=shorter.instant
            )
        return Going(*found)

    async def _say(self, said: Said, before: Said | None) -> None:
        await self._trail.write(
            "retention.set", actor=said.set_by, organization_id=said.organization_id,
            detail={
                "contents": said.contents or "", "calls": said.calls or "", "at_most": said.at_most or "",
                "contents_before": (before and before.contents) or "", "calls_before": (before and before.calls) or "",
            },
        )  # fmt: skip
        async with self._database.write() as tx:
            await repository.add_said(tx, said)

    async def _said(self, organization_id: str) -> tuple[Sequence[Said], Sequence[Said]]:
        async with self._database.read() as tx:
            found = await repository.list_said(tx, [HUB, organization_id])
        return (
            [one for one in found if one.organization_id == HUB] or [_AT_FIRST],
            [one for one in found if one.organization_id == organization_id],
        )
