"""Telling every process that something changed, so that caches drop what they derived from it.

In one process it is a direct call. On PostgreSQL it is also `NOTIFY`: other replicas hear it within milliseconds, and
when the listening connection was lost and comes back, everything is dropped, since something may have been missed.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import structlog

from valetkey.kernel.ids import new_id
from valetkey.store.database import Database

_CHANNEL = "valetkey"
EVERYTHING = "*"

Listener = Callable[[str], None]
Relay = Callable[[str, str], None]


class Notifications:
    """A small bus: `publish(topic, key)` reaches every `subscribe(topic, listener)` here and on the other replicas.

    Listeners get the key, or `EVERYTHING` when they must drop all they hold. They are synchronous and must not fail.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._me = new_id("bus")
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        self._listening: asyncio.Task[None] | None = None
        self._relay: Relay | None = None

    def subscribe(self, topic: str, listener: Listener) -> None:
        self._listeners[topic].append(listener)

    def relay(self, to: Relay | None) -> None:
        """Passes on, at once, what is published here to another process of this hub."""
        self._relay = to

    def hear(self, topic: str, key: str) -> None:
        """What another process of this hub has passed on."""
        self._tell(topic, key)

    async def publish(self, topic: str, key: str) -> None:
        """Local listeners have run when this returns; other replicas follow."""
        self._tell(topic, key)
        if self._relay is not None:
            self._relay(topic, key)
        if self._database.dialect == "postgresql":
            from sqlalchemy import func, select

            async with self._database.write() as tx:
                await tx.execute(select(func.pg_notify(_CHANNEL, json.dumps([self._me, topic, key]))))

    async def start(self) -> None:
        """Begins to hear other replicas (PostgreSQL only)."""
        if self._database.dialect == "postgresql":
            self._listening = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    def _tell(self, topic: str, key: str) -> None:
        for listener in self._listeners[topic]:
            listener(key)

    def _drop_everything(self) -> None:
        for topic in self._listeners:
            self._tell(topic, EVERYTHING)

    async def _listen(self) -> None:
        import asyncpg

        log = structlog.get_logger(__name__)
        url = self._database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while True:
            try:
                connection: Any = await asyncpg.connect(url)
                try:
                    await self._listen_on(connection)
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresError) as error:
                log.warning("notifications lost, trying again", reason=type(error).__name__)
            self._drop_everything()
            await asyncio.sleep(1)

    async def _listen_on(self, connection: Any) -> None:
        """Returns when the connection is lost."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        await connection.add_listener(_CHANNEL, self._heard)
        self._drop_everything()
        await lost.wait()

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        sender, topic, key = json.loads(payload)
        if sender != self._me:
            self._tell(topic, key)
