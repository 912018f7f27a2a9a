"""Accepting what a service changed: a person looked at exactly this difference, and from now on it is what holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from valetkey.audit.trail import Trail
from valetkey.directory import repository
from valetkey.directory.drift import judged
from valetkey.directory.model import Drift, Pin
from valetkey.directory.snapshots import TOPIC
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound, printable
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

_IN_TRAIL: Final = 20


class Whose(Protocol):
    """The person whose connection it is."""

    @property
    def id(self) -> str: ...

    @property
    def organization_id(self) -> str: ...


class Pins:
    """Looks at what is held, and accepts it. Whose connection it is, the caller has made sure of."""

    def __init__(self, database: Database, notifications: Notifications, *, clock: Clock, trail: Trail) -> None:
        self._database = database
        self._notifications = notifications
        self._clock = clock
        self._trail = trail

    async def held(self, connection_id: str) -> Sequence[Drift]:
        """What is not accepted of what the service listed last, as it is now."""
        async with self._database.read() as tx:
            seen = await repository.find_snapshot(tx, connection_id)
            return judged(seen, await repository.find_pin(tx, connection_id)).held if seen is not None else ()

    async def accept(
        self, person: Whose, connection_id: str, looked_at: Mapping[str, str], *, by: str
    ) -> Sequence[Drift]:
        """Accepts the named tools (no name: what the service says of itself), each as its `Drift.seen` says; returns
        what was accepted. It gives no permission: what was said about another definition lapses.

        Raises `NotFound` for what is not held, `Conflict` for what is another now than was looked at.
        """
        if not looked_at:
            raise BadInput("It is not said what to accept.", field="accept")
        async with self._database.write() as tx:
            seen = await repository.find_snapshot(tx, connection_id)
            pin = await repository.find_pin(tx, connection_id)
            if seen is None or pin is None:
                raise NotFound("The tools of this connection have not been listed yet.")
            held = {one.tool: one for one in judged(seen, pin).held}
            accepted = [_looked_at(held, name, hash) for name, hash in looked_at.items()]
            tools = {**pin.tools, **{one.tool: one.new for one in accepted if one.new is not None}}
            for one in accepted:
                if one.kind == "renamed" and one.old is not None:
                    tools.pop(one.old.name, None)
            server = seen.server if "" in looked_at else pin.server
            await repository.set_pin(tx, Pin(connection_id, tools, server), self._clock.now())
        await self._notifications.publish(TOPIC, connection_id)
        await self._trail.write(
            "tools.accepted",
            actor=by,
            organization_id=person.organization_id,
            person_id=person.id,
            object=connection_id,
            detail={
                "tools": [printable(one.tool or "(server)", limit=60) for one in accepted[:_IN_TRAIL]],
                "kinds": sorted({one.kind for one in accepted}),
                "count": len(accepted),
            },
        )
        return accepted


def _looked_at(held: Mapping[str, Drift], name: str, seen: str) -> Drift:
    drift = held.get(name)
    if drift is None:
        raise NotFound("There is nothing to accept of this name.", hint="Look at the connection again.")
    if drift.seen != seen:
        raise Conflict("A tool is not what it was when you looked at it.", hint="Look at the difference again.")
    return drift
