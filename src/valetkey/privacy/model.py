"""Values of retention that rooms and doors pass on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """An organization keeps what is there of a member's calls, or of everybody's (`person_id` empty)."""

    id: str
    organization_id: str
    person_id: str
    reason: str
    placed_at: datetime
    placed_by: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run of retention: what it let go of, and how many of the records that are old enough it has looked `at`."""

    id: str
    began_at: datetime
    finished_at: datetime | None
    days: int
    calls: int
    looked_at: int
    of: int

    @property
    def percent(self) -> int:
        return 100 if self.finished_at is not None or self.of == 0 else min(99, self.looked_at * 100 // self.of)
