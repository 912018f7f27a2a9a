"""Where a process can be cut off while calls are written down and checkpoints made: all are played in tests (T43)."""

from __future__ import annotations

from enum import StrEnum


class Point(StrEnum):
    """What has just been done when a point is reached."""

    CALL_BEGUN = "call.begun"  # the intent is in the journal; nothing has left
    CALL_ENDED = "call.ended"  # how it ended is, too
    CALL_WRITTEN = "call.written"  # the database has the record, and the journal still has it
    CHECKPOINT_SIGNED = "checkpoint.signed"
    CHECKPOINT_KEPT = "checkpoint.kept"
    CHECKPOINT_MOVED_ON = "checkpoint.moved_on"  # what made the mark is no more
    CHECKPOINT_SENT = "checkpoint.sent"  # a sink has it, and we have not written that down
    CHECKPOINT_NOTED = "checkpoint.noted"
