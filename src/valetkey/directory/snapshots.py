"""The tools of each connection as last seen and accepted: kept, remembered, and dropped when they change.

What is listed first, after the person has passed the page on which they were shown, is what they accepted. From then on
what differs is held back, before anybody is shown it (CUS-11): a snapshot's `tools` are always accepted ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy.exc import IntegrityError

from valetkey.directory import repository
from valetkey.directory.drift import accepted_server, judged
from valetkey.directory.fingerprint import read_tool
from valetkey.directory.listed import Listed, OnDrift
from valetkey.directory.listed_repository import Transaction
from valetkey.directory.model import Drift, Pin, Snapshot, Tool
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.remembered import Remembered

TOPIC = "snapshots"
"""Announced with the connection's id whenever its snapshot was written or forgotten."""
LISTS = "lists"
"""The same of its prompts and templates: accepted, or told by the service to have changed."""


class Snapshots:
    """Keeps one snapshot for each connection."""

    def __init__(
        self, database: Database, notifications: Notifications, *, clock: Clock, on_drift: Sequence[OnDrift] = ()
    ) -> None:
        self._on_drift = on_drift
        self._database = database
        self._notifications = notifications
        self._clock = clock
        self._memory: Remembered[str, Snapshot] = Remembered(notifications, TOPIC, clock=clock)
        self._listed = Listed(database, clock=clock, on_drift=on_drift)

    @property
    def listed(self) -> Listed:
        """What was accepted of prompts and templates."""
        return self._listed

    def get_now(self, connection_id: str) -> Snapshot | None:
        """The snapshot if it is in memory; `None` says nothing but "ask `get`"."""
        return self._memory.now(connection_id)

    async def get(self, connection_id: str) -> Snapshot | None:
        """The snapshot, however old; `None` when the connection's tools have never been seen."""
        return await self._memory.get(connection_id, self._look_up)

    async def put(
        self, connection_id: str, tools_raw: Sequence[bytes], server: bytes, fresh_seconds: float
    ) -> Snapshot:
        """Keeps `tools_raw` (one JSON object each, as the server gave them) and `server` (JSON) as what was last seen.

        A definition that cannot be read, or that repeats a name, is left out: what cannot be pinned cannot be offered.
        Raises `NotFound` when the connection is gone.
        """
        now = self._clock.now()
        seen = Snapshot(
            connection_id=connection_id,
            tools=_readable(tools_raw),
            server=server,
            fetched_at=now,
            fresh_until=now + timedelta(seconds=fresh_seconds),
        )
        try:
            async with self._database.write() as tx:
                await repository.put_snapshot(tx, seen, self._database.dialect)
                await repository.pin_first(tx, seen, self._database.dialect)
                pin = await repository.find_pin(tx, connection_id)
        except IntegrityError as error:
            raise NotFound("There is no such connection.") from error
        await self._notifications.publish(TOPIC, connection_id)
        snapshot = judged(seen, pin)
        if snapshot.held:
            for tell in self._on_drift:
                await tell(connection_id, snapshot.held)
            return await self._look_up(connection_id) or snapshot  # who was told may have accepted it
        return snapshot

    async def held(self, connection_id: str) -> tuple[Drift, ...]:
        """All that is held of the connection: tools, what the service says of itself, prompts and templates."""
        snapshot = await self.get(connection_id)
        return (*(snapshot.held if snapshot is not None else ()), *await self._listed.held(connection_id))

    async def accept(self, connection_id: str, looked_at: Mapping[str, str]) -> Sequence[Drift]:
        """Accepts the named tools (no name: what the service says of itself), each exactly as its `Drift.seen` says,
        and prompts and templates likewise.

        Returns what was accepted, for the trail. It gives no permission: what was said about another definition lapses.
        Raises `NotFound` for what is not held, `Conflict` for what is another by now than was looked at.
        """
        if not looked_at:
            raise BadInput("It is not said what to accept.", field="accept")
        async with self._database.write() as tx:
            others = await self._listed.accept(tx, connection_id, looked_at)
            tools = {name: seen for name, seen in looked_at.items() if name not in {one.tool for one in others}}
            accepted = [*others, *(await self._accept_tools(tx, connection_id, tools) if tools else ())]
        for topic in (TOPIC, LISTS):
            await self._notifications.publish(topic, connection_id)
        return accepted

    async def _accept_tools(self, tx: Transaction, connection_id: str, looked_at: Mapping[str, str]) -> Sequence[Drift]:
        seen = await repository.find_snapshot(tx, connection_id)
        pin = await repository.find_pin(tx, connection_id)
        if seen is None or pin is None:
            raise NotFound("The tools of this connection have not been listed yet.")
        held = {one.tool: one for one in judged(seen, pin).held}
        accepted = [_exactly(held, name, looked_at[name]) for name in looked_at]
        tools = {**pin.tools, **{one.tool: one.new for one in accepted if one.new is not None}}
        for one in accepted:
            if one.kind == "renamed" and one.old is not None:
                tools.pop(one.old.name, None)
        server = accepted_server(seen.server, pin.server, looked_at)
        await repository.set_pin(tx, Pin(connection_id, tools, server), self._clock.now())
        return accepted

    async def forget(self, connection_id: str) -> None:
        """Deletes the snapshot, here and in every memory. What was accepted stands."""
        async with self._database.write() as tx:
            await repository.delete_snapshot(tx, connection_id)
        await self._notifications.publish(TOPIC, connection_id)

    async def _look_up(self, connection_id: str) -> Snapshot | None:
        async with self._database.read() as tx:
            seen = await repository.find_snapshot(tx, connection_id)
            return judged(seen, await repository.find_pin(tx, connection_id)) if seen is not None else None


def _readable(tools_raw: Sequence[bytes]) -> tuple[Tool, ...]:
    tools: dict[str, Tool] = {}
    for raw in tools_raw:
        try:
            tool = read_tool(raw)
        except BadInput:
            continue
        tools.setdefault(tool.name, tool)
    return tuple(tools.values())


def _exactly(held: Mapping[str, Drift], name: str, seen: str) -> Drift:
    drift = held.get(name)
    if drift is None:
        raise NotFound("There is nothing to accept of this name.", hint="Look at the connection again.")
    if drift.seen != seen:
        raise Conflict("A tool is not what it was when you looked at it.", hint="Look at the difference again.")
    return drift
