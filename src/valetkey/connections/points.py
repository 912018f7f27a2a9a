"""Where a process can be cut off between two writes of this room: each is played with `kill -9` in the tests (T43).

A new write comes with a new point, and a new point with its kill test: `tests/connections/test_kill.py` plays all of
them and fails for a write without one.
"""

from __future__ import annotations

from enum import StrEnum


class Point(StrEnum):
    """What has just been done when a point is reached."""

    REFRESH_PREPARED = "refresh.prepared"  # room in the spool; nothing was asked
    REFRESH_ANSWERED = "refresh.answered"  # the one place where only the server can help
    REFRESH_SPOOLED = "refresh.spooled"
    REFRESH_SEALED = "refresh.sealed"
    REFRESH_WRITTEN = "refresh.written"
    REFRESH_CLEARED = "refresh.cleared"
    CONNECT_TAKEN = "connect.taken"  # the attempt is used up
    CONNECT_EXCHANGED = "connect.exchanged"
    CONNECT_EMPTIED = "connect.emptied"  # what was sealed for an older consent is gone
    CONNECT_SEALED = "connect.sealed"
    CONNECT_WRITTEN = "connect.written"
    DISCONNECT_BURIED = "disconnect.buried"
    DISCONNECT_CANCELLED = "disconnect.cancelled"
    DISCONNECT_REVOKED = "disconnect.revoked"  # the service has been told, and we have not written that down
    DISCONNECT_NOTED = "disconnect.noted"
    DISCONNECT_SHREDDED = "disconnect.shredded"
    DISCONNECT_TOLD = "disconnect.told"  # everybody who derived something from it, and the trail
    DISCONNECT_WRITTEN = "disconnect.written"
    REFRESH_ENDED = "refresh.ended"  # the server ended the grant; the tokens are still there
