"""Which connector a call of a person may go to, and whose connections one has: what rooms beside this one are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from valetkey.connections import repository
from valetkey.connections.accounts import TOPIC
from valetkey.connections.model import Connection, OfConnector, State
from valetkey.directory.connectors import TOPIC as CONNECTORS_TOPIC
from valetkey.directory.model import Connector
from valetkey.identity.provisioning.memberships import TOPIC as GROUPS_TOPIC
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotFound
from valetkey.store.database import Database
from valetkey.store.notify import EVERYTHING, Notifications
from valetkey.store.remembered import Remembered


class Connectors(Protocol):
    async def by_id(self, connector_id: str) -> Connector: ...


class Groups(Protocol):
    """`identity.provisioning.memberships`."""

    async def of(self, person_id: str) -> frozenset[str]: ...


class ConnectorOf:
    """For the vault's own rule, in whatever process that is. Goes by the rows, whatever a door has checked: nothing is
    found of a connection that is not this person's, has ended or waits to be connected anew, is in quarantine, or is to
    a connector that is, is blocked, was changed, may not be reached, or is for groups that the person is in none of.
    """

    def __init__(
        self, database: Database, connectors: Connectors, notifications: Notifications, *, groups: Groups, clock: Clock
    ) -> None:
        self._database = database
        self._connectors = connectors
        self._groups = groups
        self._memory: Remembered[str, tuple[str, Connector]] = Remembered(notifications, TOPIC, clock=clock)
        # Connectors change seldom, and one may have ten thousand connections: nobody keeps a list of them for that.
        for topic in (CONNECTORS_TOPIC, GROUPS_TOPIC):
            notifications.subscribe(topic, lambda _key: self._memory.drop(EVERYTHING))

    def now(self, person_id: str, connection_id: str) -> Connector | None:
        """The connector if it is in memory; `None` says nothing but "look it up"."""
        whose, connector = self._memory.now(connection_id) or ("", None)
        return connector if whose == person_id else None

    async def __call__(self, person_id: str, connection_id: str) -> Connector | None:
        """The connector; `None` when no call of this person's may go over that connection."""
        drops = self._memory.drops
        async with self._database.read() as tx:
            connection = await repository.find_connection(tx, connection_id)
        if connection is None or connection.person_id != person_id:
            return None
        if connection.state is not State.CONNECTED or connection.quarantined_at is not None:
            return None
        try:
            connector = await self._connectors.by_id(connection.connector_id)
        except NotFound:
            return None
        if connector.state != "enabled" or connector.version != connection.connector_version:
            return None
        if not connector.audience.is_everybody and not connector.audience.has(await self._groups.of(person_id)):
            return None
        self._memory.put(connection_id, (person_id, connector), owner=person_id, drops_before=drops)
        return connector


class Accounts:
    """Connections by what they are to, whosever they are: for what an organization says about all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def one(self, connection_id: str) -> Connection | None:
        async with self._database.read() as tx:
            return await repository.find_connection(tx, connection_id)

    async def at(self, connector_id: str) -> Sequence[Connection]:
        """Every account at this connector, which is one organization's."""
        async with self._database.read() as tx:
            return await repository.list_among(tx, OfConnector(connector_id))
