"""Which groups of their organization's directory somebody is in: asked at each call of a connector that is for some."""

from __future__ import annotations

from typing import Final

from valetkey.identity.provisioning import repository
from valetkey.kernel.clock import Clock
from valetkey.store.database import Database
from valetkey.store.notify import EVERYTHING, Notifications
from valetkey.store.remembered import Remembered

TOPIC: Final = "groups"
"""Announced, with nobody's name, when the members of any group have changed."""


class Memberships:
    """Remembered for a moment, and dropped on every replica when a group or a person changes."""

    def __init__(self, database: Database, notifications: Notifications, *, clock: Clock) -> None:
        self._database = database
        self._memory: Remembered[str, frozenset[str]] = Remembered(notifications, TOPIC, "people", clock=clock)

    def of_now(self, person_id: str) -> frozenset[str] | None:
        """As `of`, from memory; `None` says nothing but "ask `of`"."""
        return self._memory.now(person_id)

    async def of(self, person_id: str) -> frozenset[str]:
        """The ids of the groups; none of an organization that they are no member of any more.

        Somebody is a group of one, too: what is for a person alone is for the group that has their id.
        """
        return await self._memory.get(person_id, self._look_up) or frozenset({person_id})

    async def _look_up(self, person_id: str) -> frozenset[str]:
        async with self._database.read() as tx:
            return frozenset({person_id, *await repository.groups_of(tx, person_id)})


async def announce(notifications: Notifications) -> None:
    """The members of a group have changed."""
    await notifications.publish(TOPIC, EVERYTHING)
