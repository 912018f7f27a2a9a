"""Which log messages legacy clients want: said once for a session (`logging/setLevel`), kept in memory on each replica.

It is a wish and no right: when it is lost with a restart, the client gets what the service sends anyway.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from valetkey.protocol.messages import LEVELS
from valetkey.store.notify import EVERYTHING, Notifications

TOPIC: Final = "log_levels"
_SESSIONS: Final = 10_000


class Levels:
    """The level of each session that set one."""

    def __init__(self, notifications: Notifications) -> None:
        self._notifications = notifications
        self._levels: OrderedDict[str, str] = OrderedDict()
        notifications.subscribe(TOPIC, self._heard)

    def of(self, session: bytes) -> str:
        """The session's level; empty when it set none."""
        return self._levels.get(session.decode("latin-1"), "") if self._levels else ""

    async def set(self, session: bytes, level: str) -> None:
        """Keeps the level of a session that belongs to who asks."""
        await self._notifications.publish(TOPIC, f"{session.decode('latin-1')} {level}")

    def _heard(self, key: str) -> None:
        if key == EVERYTHING:
            return  # a notification was missed: what is known is as good as before
        session, _, level = key.partition(" ")
        if level in LEVELS:
            self._levels[session] = level
            self._levels.move_to_end(session)
            if len(self._levels) > _SESSIONS:
                self._levels.popitem(last=False)
