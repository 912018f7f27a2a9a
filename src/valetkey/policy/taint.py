"""Untrusted content that a person's client has read lately (security.md 6.6).

Text from a stranger may hold instructions, and no filter finds them all. So what can send data out on *another*
connection goes up one class for that person and client for half an hour. No claim to detect anything is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from valetkey.kernel.clock import Clock
from valetkey.policy import taint_repository as repository
from valetkey.policy.model import Taint
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.remembered import Remembered

TOPIC: Final = "taints"
"""Announced with the person's id."""
LASTS: Final = timedelta(minutes=30)
_AGAIN: Final = timedelta(minutes=1)
"""A mark is renewed at most so often: half an hour and a minute do not differ for an attack."""


class Taints:
    """Marks and looks up. Shared by all replicas through the database, which is asked once a moment and person."""

    def __init__(self, database: Database, notifications: Notifications, *, clock: Clock) -> None:
        self._database = database
        self._notifications = notifications
        self._clock = clock
        self._memory: Remembered[str, Mapping[tuple[str, str], Taint]] = Remembered(notifications, TOPIC, clock=clock)

    def other_than_now(self, person_id: str, client_id: str, connection_id: str) -> Taint | bool | None:
        """As `other_than`, from memory; `False` means *ask `other_than`*."""
        known = self._memory.now(person_id)
        return self._other(known, client_id, connection_id) if known is not None else False

    async def other_than(self, person_id: str, client_id: str, connection_id: str) -> Taint | None:
        """What this client read lately on another connection than this one."""
        return self._other(await self._of(person_id), client_id, connection_id)

    async def mark(self, person_id: str, client_id: str, connection_id: str, because: str) -> None:
        """The client is about to read such content. Committed when this returns: only then is it handed over."""
        now = self._clock.now()
        known = (await self._of(person_id)).get((client_id, connection_id))
        if known is not None and known.until - LASTS + _AGAIN > now:
            return
        new = Taint(connection_id, client_id, because[:100], now + LASTS)
        async with self._database.write() as tx:
            await repository.put(tx, person_id, new, now)
        await self._notifications.publish(TOPIC, person_id)

    async def _of(self, person_id: str) -> Mapping[tuple[str, str], Taint]:
        return await self._memory.get(person_id, self._look_up) or {}

    async def _look_up(self, person_id: str) -> Mapping[tuple[str, str], Taint] | None:
        async with self._database.read() as tx:
            found = await repository.list_of(tx, person_id, self._clock.now())
        return {(one.client_id, one.connection_id): one for one in found}

    def _other(self, known: Mapping[tuple[str, str], Taint], client_id: str, connection_id: str) -> Taint | None:
        now = self._clock.now()
        for one in known.values():
            if one.client_id == client_id and one.connection_id != connection_id and one.until > now:
                return one
        return None
