"""For how long calls are kept, as plain values: what was said, when, and what of it comes to be due.

A time holds for calls made while it holds. Said longer later, it holds for later calls: what was to be gone by then is
gone, and nothing is resurrected. Said shorter, it holds for earlier calls too, a day after it was said: that long it
can be taken back, as if it had not been said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

GRACE: Final = timedelta(days=1)
LEAST: Final = 30
"""Days that an organization keeps at least, if it says anything (DATA-05)."""
MOST: Final = 2190
"""Six years: beyond it an operator cannot go."""


@dataclass(frozen=True, slots=True)
class Times:
    """For how many days contents of calls, and their records, are kept. Records never go before their contents."""

    contents: int
    calls: int


@dataclass(frozen=True, slots=True)
class Said:
    """What was said once. `organization_id` empty: by the operator, for everybody; `None`: as the operator says."""

    organization_id: str
    contents: int | None
    calls: int | None
    at_most: int | None
    set_at: datetime
    set_by: str


@dataclass(frozen=True, slots=True)
class Held:
    """Times and since when, until when (`None`: still) they held."""

    times: Times
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be gone: contents of days before `day`, records of calls begun before `instant`."""

    day: str
    instant: datetime


def due(history: Sequence[Held], now: datetime) -> Due:
    """What is due by all times that have held: the shortest of them for each call. Of one it is `history` to say."""
    contents, calls = [datetime.min.replace(tzinfo=now.tzinfo)], [datetime.min.replace(tzinfo=now.tzinfo)]
    for one in history:
        end = min(one.until or now, now)
        contents.append(min(end, now - timedelta(days=one.times.contents)))
        calls.append(min(end, now - timedelta(days=one.times.calls)))
    # A day is over for everybody when it has ended in UTC: its key goes a whole `contents` days after that.
    return Due(max(contents).date().isoformat(), max(calls))


def held(hub: Sequence[Said], own: Sequence[Said], now: datetime) -> Sequence[Held]:
    """What has held for one organization, in order; both are in order, and `own` may be empty."""
    found = list(_as_said(hub, own))
    lasted = [one for one in found[:-1] if one.until is not None and one.until - one.since >= GRACE]
    last = found[-1]
    if lasted and now - last.since < GRACE:  # not yet what holds, where it is shorter
        before = lasted[-1].times
        longer = Times(max(before.contents, last.times.contents), max(before.calls, last.times.calls))
        return (*lasted, Held(longer, last.since, None))
    return (*lasted, last)


def in_force(hub: Sequence[Said], own: Sequence[Said], now: datetime) -> Times:
    """What holds for calls made now."""
    return held(hub, own, now)[-1].times


def as_said(hub: Sequence[Said], own: Sequence[Said]) -> Times:
    """What will hold, once a day has passed since it was said."""
    return _effective(hub[-1], own[-1] if own else None)


def _as_said(hub: Sequence[Said], own: Sequence[Said]) -> Iterator[Held]:
    """Each change of what comes of both; times before the operator first said something are as that."""
    since = sorted({one.set_at for one in (*hub, *own)})
    for number, at in enumerate(since):
        by_hub = next((one for one in reversed(hub) if one.set_at <= at), hub[0])
        by_own = next((one for one in reversed(own) if one.set_at <= at), None)
        yield Held(_effective(by_hub, by_own), at, since[number + 1] if number + 1 < len(since) else None)


def _effective(hub: Said, own: Said | None) -> Times:
    default = Times(hub.contents or MOST, hub.calls or MOST)
    if own is None or (own.contents is None and own.calls is None):
        return default
    most = hub.at_most or MOST
    contents = default.contents if own.contents is None else min(own.contents, most)
    calls = default.calls if own.calls is None else min(own.calls, most)
    return Times(contents, max(contents, calls))
