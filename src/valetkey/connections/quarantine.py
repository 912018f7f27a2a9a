"""Quarantine: at once, on every replica, no call goes to a service any more, and what is under way ends (S-08).

    1. the trail, and what keeps it: a time in the connection's own row, or in the connector's
    2. tickets that are out write nothing any more
    3. everybody hears of it: memory of the connection is dropped, and sockets with calls in flight are closed

The credential stays sealed and may be renewed meanwhile: lifting it makes everything as it was. Its person sets a
connection's, who answers for the organization a connector's, and neither lifts the other's.
"""

from __future__ import annotations

from typing import Final, Protocol

from valetkey.audit.trail import Trail
from valetkey.connections import repository
from valetkey.connections.accounts import TOPIC as CONNECTIONS
from valetkey.connections.accounts import ConnectorBook
from valetkey.connections.model import Connection, OfConnector
from valetkey.directory.model import Connector
from valetkey.directory.takedowns import why_taken_down
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotFound
from valetkey.store.database import Database
from valetkey.store.notify import EVERYTHING, Notifications

TOPIC: Final = "quarantine"
"""Announced with the id of a connection, or of a connector: calls in flight are to be ended."""


class Cancels(Protocol):
    """What we need of the vault."""

    async def cancel(self, subject: str) -> None: ...


class Quarantine:
    """Begins and lifts it."""

    def __init__(
        self, database: Database, *, vault: Cancels, notifications: Notifications, clock: Clock, trail: Trail,
        connectors: ConnectorBook,
    ) -> None:  # fmt: skip
        self._database = database
        self._vault = vault
        self._notifications = notifications
        self._clock = clock
        self._trail = trail
        self._connectors = connectors

    async def of_connection(self, person_id: str, connection_id: str, *, on: bool, by: str) -> Connection:
        """Puts the person's own connection into quarantine, or lifts that. Raises `NotFound`, for others' too."""
        found = await self._get(person_id, connection_id)
        if (found.quarantined_at is not None) is on:
            return found
        await self._trail.write(
            _event("connection", on=on),
            actor=by,
            organization_id=found.organization_id,
            person_id=person_id,
            object=connection_id,
        )
        at = self._clock.now() if on else None
        async with self._database.write() as tx:
            await repository.set_connection(tx, connection_id, quarantined_at=at)
        await self._notifications.publish(CONNECTIONS, person_id)
        if on:
            await self._cut(connection_id, [connection_id])
        return await self._get(person_id, connection_id)

    async def why_down(self, connector: Connector) -> str:
        """What the operator said when they took its listing down; empty if they did not (DIR-15)."""
        return await why_taken_down(self._database, connector.listing) if connector.state == "delisted" else ""

    async def of_connector(self, connector: Connector, *, on: bool, by: str, person_id: str) -> None:
        """The same for everybody's connections to a connector of an organization."""
        if (connector.state == "quarantined") is on:
            return
        await self._trail.write(
            _event("connector", on=on),
            actor=by,
            organization_id=connector.organization_id,
            person_id=person_id,
            object=connector.id,
            detail={"slug": connector.slug, "origin": connector.origin},
        )
        await self._connectors.set_quarantine(connector.id, on)
        if on:
            await self._vault.cancel(connector.id)  # the organization's own key, if it goes with one
            await self._cut(connector.id, await self.affected(connector.id))

    async def of_listing(self, listing: str, *, reason: str, by: str) -> None:
        """Takes a listing down: its connections are frozen, in every organization of this hub (DIR-15)."""
        await self._trail.write("listing.taken_down", actor=by, object=listing, detail={"reason": reason})
        await self._connectors.take_down(listing, reason)
        await self._cut(EVERYTHING, await self.affected(EVERYTHING))

    async def put_listing_back(self, listing: str, *, by: str) -> None:
        """Everything is as it was before. Raises `NotFound` for what was not taken down."""
        await self._connectors.put_back(listing)
        await self._trail.write("listing.put_back", actor=by, object=listing)

    async def affected(self, key: str) -> list[str]:
        """The connections whose calls are to end when `key` was announced; with `EVERYTHING`, all that

        are in quarantine or of a listing that was taken down.
        """
        async with self._database.read() as tx:
            if key == EVERYTHING:
                return await repository.list_quarantined(tx)
            if await repository.find_connection(tx, key) is not None:
                return [key]
            return [one.id for one in await repository.list_among(tx, OfConnector(key))]

    async def _cut(self, announced: str, connections: list[str]) -> None:
        for connection_id in connections:
            await self._vault.cancel(connection_id)
        await self._notifications.publish(TOPIC, announced)

    async def _get(self, person_id: str, connection_id: str) -> Connection:
        async with self._database.read() as tx:
            found = await repository.find_connection(tx, connection_id)
        if found is None or found.person_id != person_id:
            raise NotFound("There is no such connection.", hint="`valetkey connection list` shows yours.")
        return found


def _event(noun: str, *, on: bool) -> str:
    return f"{noun}.quarantined" if on else f"{noun}.quarantine_lifted"
