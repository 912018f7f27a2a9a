"""What people have switched on: for one connection, one tool, in the definition they saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.exc import IntegrityError

from valetkey.directory.model import Tool
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotFound
from valetkey.policy import repository
from valetkey.policy.model import Permission
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.remembered import Remembered

TOPIC = "permissions"
"""Announced with the connection's id whenever something was switched on or off there."""

_AT_ONCE = 500  # names in one DELETE; SQLite's limit on parameters is far above


class Permissions:
    """Switches tools on and off. Whose connection it is, the caller has made sure of."""

    def __init__(self, database: Database, notifications: Notifications, *, clock: Clock) -> None:
        self._database = database
        self._notifications = notifications
        self._clock = clock
        self._memory: Remembered[str, Mapping[str, Permission]] = Remembered(notifications, TOPIC, clock=clock)

    def switched_on_now(self, connection_id: str) -> Mapping[str, Permission] | None:
        """As `switched_on` if it is in memory; `None` says nothing but "ask `switched_on`"."""
        return self._memory.now(connection_id)

    async def switched_on(self, connection_id: str) -> Mapping[str, Permission]:
        """The connection's permissions by tool name; empty when nothing is switched on."""
        return await self._memory.get(connection_id, self._look_up) or {}

    async def switch_on(self, connection_id: str, tools: Sequence[Tool]) -> None:
        """Allows `tools` exactly as defined in these values. Raises `NotFound` when the connection is gone."""
        now = self._clock.now()
        try:
            async with self._database.write() as tx:
                for tool in tools:
                    given = Permission(connection_id, tool.name, tool.fingerprint, now)
                    await repository.put_permission(tx, given, self._database.dialect)
        except IntegrityError as error:
            raise NotFound("There is no such connection.") from error
        await self._notifications.publish(TOPIC, connection_id)

    async def switch_off(self, connection_id: str, tools: Sequence[str]) -> None:
        """Takes back the permissions for the named tools; one that was not switched on stays so."""
        async with self._database.write() as tx:
            for start in range(0, len(tools), _AT_ONCE):
                await repository.delete_permissions(tx, connection_id, tools[start : start + _AT_ONCE])
        await self._notifications.publish(TOPIC, connection_id)

    async def forget(self, connection_id: str) -> None:
        """Takes back every permission on the connection."""
        async with self._database.write() as tx:
            await repository.delete_all_permissions(tx, connection_id)
        await self._notifications.publish(TOPIC, connection_id)

    async def _look_up(self, connection_id: str) -> Mapping[str, Permission]:
        async with self._database.read() as tx:
            return {given.tool: given for given in await repository.list_permissions(tx, connection_id)}
