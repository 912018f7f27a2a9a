"""Ending, on this replica, what is under way at a service that somebody put into quarantine anywhere (S-08)."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from valetkey.gateway.door import Gateway


class Affected(Protocol):
    """What we need of `connections.quarantine`."""

    async def affected(self, key: str) -> list[str]: ...


class ClosesPools(Protocol):
    """What we need of `net`."""

    def close_pool(self, pool: str) -> None: ...


class Cutting:
    """Hears of quarantines (`connections.quarantine.TOPIC`). That no new call begins is seen to elsewhere."""

    def __init__(self, quarantine: Affected, gateway: Gateway, calls: ClosesPools) -> None:
        self._quarantine = quarantine
        self._gateway = gateway
        self._calls = calls
        self._under_way: set[asyncio.Task[None]] = set()

    def heard(self, key: str) -> None:
        """A connection, a connector, or everything that may have been missed."""
        task = asyncio.get_running_loop().create_task(self._cut(key))
        self._under_way.add(task)
        task.add_done_callback(self._done)

    async def stop(self) -> None:
        """Lets what is being ended end."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _cut(self, key: str) -> None:
        for connection_id in await self._quarantine.affected(key):
            self._calls.close_pool(connection_id)
            await self._gateway.cut(connection_id)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            structlog.get_logger(__name__).error("a quarantine did not end what was under way", error=repr(error))
