"""For which calls an approval stands: how many, until when, and which arguments may differ from those that were shown.

Pure. An argument is as it was shown unless the person freed it, and one that was not shown is not covered. What counts
is what the JSON says: the order of members and white space do not, the way a number is written does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from valetkey.kernel.errors import BadInput
from valetkey.policy.tool_class import RANK, ToolClass

MOST_CALLS: Final = 1000
MOST_CALLS_HIGH: Final = 100
MOST_DAYS: Final = 30
"""As long as contents of calls are kept by default: when their key is destroyed, what was shown is unknown."""


@dataclass(frozen=True, slots=True)
class Terms:
    """`free` are the names of the arguments that may be anything."""

    calls: int
    days: int
    free: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """What a passkey signs along with the call."""
        return json.dumps({"calls": self.calls, "days": self.days, "free": sorted(self.free)}, separators=(",", ":"))

    @property
    def lasts(self) -> timedelta:
        return timedelta(days=self.days)

    def check(self, counts_as: str) -> None:
        """Raises `BadInput`."""
        most = most_calls(counts_as)
        if not 1 <= self.calls <= most:
            raise BadInput(f"An approval stands for 1 to {most} calls of this tool.", field="calls")
        if not 1 <= self.days <= MOST_DAYS:
            raise BadInput(f"An approval stands for 1 to {MOST_DAYS} days.", field="days")


def most_calls(counts_as: str) -> int:
    """For how many calls of a tool of this class an approval may stand."""
    return MOST_CALLS if RANK[counts_as] < RANK[ToolClass.HIGH] else MOST_CALLS_HIGH


def arguments(call: bytes) -> Mapping[str, Any]:
    """The arguments of `{name, arguments}`, numbers as written. Raises `ValueError` when they are no object."""
    found = json.loads(call, parse_int=_number, parse_float=_number, parse_constant=_number).get("arguments") or {}
    if not isinstance(found, dict):
        raise ValueError("The arguments are no object.")
    return found


def covers(shown: bytes, free: frozenset[str], call: bytes) -> bool:
    """Whether `call` differs from the one that was shown in nothing but what the person freed."""
    try:
        given, now = arguments(shown), arguments(call)
    except (ValueError, RecursionError):
        return False
    if any(name not in free and (name not in given or given[name] != value) for name, value in now.items()):
        return False
    return all(name in now or name in free for name in given)


def _number(written: str) -> tuple[str, str]:
    """A value that no other JSON value equals: 1 is not "1", not 1.0 and not true."""
    return ("number", written)
