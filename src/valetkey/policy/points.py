"""Where a process can be cut off between a question, its answer and the use of that: all are played in tests (T43)."""

from __future__ import annotations

from enum import StrEnum


class Point(StrEnum):
    """What has just been done when a point is reached."""

    APPROVE_ASKED = "approve.asked"
    APPROVE_GIVEN = "approve.given"  # and the trail does not know it yet
    APPROVE_TOLD = "approve.told"
    CALL_APPROVED = "call.approved"  # the yes is used up, and nothing has left
