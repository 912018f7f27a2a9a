"""What people said about tools: allow, ask or block, for one connection, in the definition they saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy.exc import IntegrityError

from valetkey.directory.model import Tool
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotFound
from valetkey.policy import repository
from valetkey.policy.model import Permission, Setting
from valetkey.policy.tool_class import ToolClass
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.remembered import Remembered

TOPIC = "permissions"
"""Announced with the connection's id whenever something was said about a tool there."""

HIDDEN: Final = "hidden_tools"
"""Announced with the connection's id when other tools than before are blocked there, and so not listed."""

_AT_ONCE = 500  # names in one DELETE; SQLite's limit on parameters is far above


Given = tuple[Tool, Setting, ToolClass | None]
"""A tool as it was seen, what its person said about it, and the class it was shown with (none: any)."""


class Permissions:
    """Keeps what people said about tools. Whose connection it is, the caller has made sure of."""

    def __init__(self, database: Database, notifications: Notifications, *, clock: Clock) -> None:
        self._database = database
        self._notifications = notifications
        self._clock = clock
        self._memory: Remembered[str, Mapping[str, Permission]] = Remembered(notifications, TOPIC, clock=clock)

    def given_now(self, connection_id: str) -> Mapping[str, Permission] | None:
        """As `given` if it is in memory; `None` says nothing but "ask `given`"."""
        return self._memory.now(connection_id)

    async def given(self, connection_id: str) -> Mapping[str, Permission]:
        """The connection's permissions by tool name; empty when nothing was said."""
        return await self._memory.get(connection_id, self._look_up) or {}

    async def allow(self, connection_id: str, tools: Sequence[Tool]) -> None:
        """*Always allow* for `tools`, their class not said: no yes for what is confirmed each time.

        Raises `NotFound` when the connection is gone.
        """
        await self.set(connection_id, [(tool, Setting.ALLOW, None) for tool in tools])

    async def set(self, connection_id: str, said: Iterable[Given], withdrawn: Sequence[str] = ()) -> None:
        """Writes down what was said, for tools exactly as defined in these values, and takes back what was said about
        the `withdrawn`, by name: the rules for their classes hold again. Raises `NotFound` as `allow`.
        """
        now = self._clock.now()
        try:
            async with self._database.write() as tx:
                before = await repository.list_permissions(tx, connection_id)
                for start in range(0, len(withdrawn), _AT_ONCE):
                    await repository.delete_permissions(tx, connection_id, withdrawn[start : start + _AT_ONCE])
                for tool, setting, tool_class in said:
                    given = Permission(connection_id, tool.name, tool.fingerprint, now, setting, tool_class or "")
                    await repository.put_permission(tx, given, self._database.dialect)
                after = await repository.list_permissions(tx, connection_id)
        except IntegrityError as error:
            raise NotFound("There is no such connection.") from error
        await self._tell(connection_id, before, after)

    async def withdraw(self, connection_id: str, tools: Sequence[str]) -> None:
        """Takes back what was said about the named tools."""
        await self.set(connection_id, (), tools)

    async def forget(self, connection_id: str) -> None:
        """Takes back every permission on the connection."""
        async with self._database.write() as tx:
            before = await repository.list_permissions(tx, connection_id)
            await repository.delete_all_permissions(tx, connection_id)
        await self._tell(connection_id, before, ())

    async def _tell(self, connection_id: str, before: Sequence[Permission], after: Sequence[Permission]) -> None:
        await self._notifications.publish(TOPIC, connection_id)
        if _blocked(before) != _blocked(after):
            await self._notifications.publish(HIDDEN, connection_id)

    async def _look_up(self, connection_id: str) -> Mapping[str, Permission]:
        async with self._database.read() as tx:
            return {given.tool: given for given in await repository.list_permissions(tx, connection_id)}


def _blocked(given: Sequence[Permission]) -> frozenset[str]:
    return frozenset(one.tool for one in given if one.setting is Setting.BLOCK)
