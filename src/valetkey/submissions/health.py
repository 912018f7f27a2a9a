"""How a listing does, by the hub's own record of calls (DIR-12): numbers, of nobody in particular.

What counts is whether the service answered, not what a tool said: a request that failed on the way, or that the service
would not let in. Each person weighs the same however much they call, and the tenth who fare worst are left out, one at
least: nobody makes a listing look broken by calling it wrongly all day.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from valetkey.audit.model import Outcome
from valetkey.audit.tally_repository import Tallies, Tally
from valetkey.kernel.clock import Clock

SPAN: Final = timedelta(days=7)
_FAULTS: Final = frozenset(
    {Outcome.HTTP_ERROR, Outcome.TIMEOUT, Outcome.UNREACHABLE, Outcome.PROTOCOL_ERROR, Outcome.TOO_LARGE}
)
_ANSWERED: Final = frozenset({Outcome.OK, Outcome.TOOL_ERROR, Outcome.INPUT_REQUIRED})
_WATCH, _DEGRADED = 0.02, 0.05
_FEWEST_PEOPLE: Final = 5
_FEWEST_CALLS: Final = 20
_HIDDEN_BELOW: Final = 5
"""A smaller count would say something of one person."""
_MOST_TOOLS: Final = 15


class Condition(StrEnum):
    """What is said of it in a word."""

    HEALTHY = "healthy"
    WATCH = "worth a look"
    DEGRADED = "degraded"
    FEW = "few data"
    NOT_LIVE = "not live"


@dataclass(frozen=True, slots=True)
class ToolHealth:
    """One tool. A number that is too small to be shown is `None`."""

    name: str
    calls: int
    failed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Of the last seven days. `failures` is the share of requests that failed; milliseconds for half, 95 and 99 %."""

    condition: Condition
    failures: float | None = None
    calls: int | None = None
    p50: int | None = None
    p95: int | None = None
    p99: int | None = None
    tools: tuple[ToolHealth, ...] = ()


class Healths:
    """Asks the record."""

    def __init__(self, tallies: Tallies, *, clock: Clock) -> None:
        self._tallies = tallies
        self._clock = clock

    async def of(self, slug: str, *, is_live: bool) -> Health:
        """Of the listing of this slug, in all organizations of this hub."""
        tallies, took = await self._tallies.of(slug, since=self._clock.now() - SPAN)
        return health_of(tallies, took, is_live=is_live)


def health_of(tallies: Sequence[Tally], took: Sequence[int], *, is_live: bool) -> Health:
    """Pure. `took` are microseconds of calls that went well."""
    if not is_live:
        return Health(condition=Condition.NOT_LIVE)
    people: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    tools: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for one in tallies:
        failed = _failed(one)
        if failed or one.outcome in _ANSWERED:
            for counted in (people[one.person_id], tools[one.tool]):
                counted[0] += one.calls
                counted[1] += one.calls if failed else 0
    calls = sum(count for count, _ in people.values())
    if len(people) < _FEWEST_PEOPLE or calls < _FEWEST_CALLS:
        return Health(condition=Condition.FEW, calls=_shown(calls))
    shares = sorted(failed / count for count, failed in people.values())
    kept = shares[: -max(1, len(shares) // 10)]
    failures = sum(kept) / len(kept)
    most = sorted(tools.items(), key=lambda pair: (-pair[1][0], pair[0]))[:_MOST_TOOLS]
    return Health(
        condition=_condition(failures),
        failures=failures,
        calls=calls,
        p50=_at(took, 0.50),
        p95=_at(took, 0.95),
        p99=_at(took, 0.99),
        tools=tuple(
            ToolHealth(name, count, _shown(failed)) for name, (count, failed) in most if count >= _HIDDEN_BELOW
        ),
    )


def _failed(one: Tally) -> bool:
    """It did not answer, or did not let in whom it had let in before."""
    return one.outcome in _FAULTS or (one.outcome is Outcome.NOT_CONNECTED and one.went_out)


def _condition(failures: float) -> Condition:
    if failures > _DEGRADED:
        return Condition.DEGRADED
    return Condition.WATCH if failures > _WATCH else Condition.HEALTHY


def _shown(count: int) -> int | None:
    return count if count == 0 or count >= _HIDDEN_BELOW else None


def _at(took: Sequence[int], share: float) -> int | None:
    if len(took) < _HIDDEN_BELOW:
        return None
    return round(sorted(took)[math.ceil(share * len(took)) - 1] / 1000)
