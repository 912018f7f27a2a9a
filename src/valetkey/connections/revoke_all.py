"""Ending everybody's connections at once: of the hub, of an organization, or to one connector (security.md 2.8).

    1. a tombstone for each: from here on nobody gets a ticket, however long the rest takes
    2. each is ended as its own person would end it, revocation, keys, receipt and all, some at a time
    3. when the caller's time is up, what is under way goes on; what is left waits for the next call, or the next start

Who connects anew meanwhile is not chased: only what was connected before the beginning is ended.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from valetkey.connections import repository
from valetkey.connections.disconnect import Disconnecting
from valetkey.connections.model import Connection, Everyones, State
from valetkey.kernel.clock import Clock
from valetkey.store.acting import as_the_hub
from valetkey.store.database import Database

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Progress:
    """What one run did. `unconfirmed` are those of `ended` whose service did not say that it has forgotten them."""

    began_at: datetime
    ended: int
    unconfirmed: int
    left: int

    @property
    def is_done(self) -> bool:
        return self.left == 0


class RevokingAll:
    """Ends many connections. Who may ask for it is for the door to check."""

    def __init__(self, database: Database, disconnecting: Disconnecting, *, clock: Clock) -> None:
        self._database = database
        self._disconnecting = disconnecting
        self._clock = clock

    def begin(self) -> datetime:
        """The instant that `run` wants: what is connected later stays."""
        return self._clock.now()

    async def run(self, among: Everyones, *, began_at: datetime, by: str, seconds: float) -> Progress:
        """Goes on for `seconds`; ask again with the same `began_at` until `is_done`. `by` is the actor."""
        with as_the_hub():  # whoever began it, it is everybody's connections that end
            return await self._run(among, began_at, by, seconds)

    async def _run(self, among: Everyones, began_at: datetime, by: str, seconds: float) -> Progress:
        held = await self._held(among, began_at)
        for connection in held:  # 1.
            if connection.state is not State.DISCONNECTING:
                await self._disconnecting.bury(connection, by)
        until = self._clock.monotonic() + seconds
        gate = asyncio.Semaphore(_AT_ONCE)
        ended = unconfirmed = 0

        async def end(connection: Connection) -> None:
            nonlocal ended, unconfirmed
            async with gate:
                if self._clock.monotonic() >= until:
                    return
                receipt = await self._disconnecting.end(connection, actor=by)
            ended += 1
            unconfirmed += receipt.revocation not in ("confirmed", "not_needed")

        await asyncio.gather(*(end(connection) for connection in held))  # 2.
        return Progress(began_at, ended, unconfirmed, left=len(await self._held(among, began_at)))

    async def entries(self, among: Everyones) -> list[Connection]:
        """Every entry, connected or not: for whoever is about to remove what they are entries of."""
        async with self._database.read() as tx:
            return await repository.list_among(tx, among)

    async def _held(self, among: Everyones, began_at: datetime) -> list[Connection]:
        return [
            one
            for one in await self.entries(among)
            if one.state is State.DISCONNECTING
            or (one.state is not State.NOT_CONNECTED and (one.connected_at is None or one.connected_at <= began_at))
        ]
