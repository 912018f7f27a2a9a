"""Which connector a person's connection is to, and whose connections one has: what rooms beside this one are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from valetkey.connections import repository
from valetkey.connections.model import Connection, OfConnector
from valetkey.directory.model import Connector
from valetkey.kernel.errors import NotFound
from valetkey.store.database import Database


class Connectors(Protocol):
    async def by_id(self, connector_id: str) -> Connector: ...


class ConnectorOf:
    """Looks it up anew each time: the vault's own rule asks, in whatever process that is."""

    def __init__(self, database: Database, connectors: Connectors) -> None:
        self._database = database
        self._connectors = connectors

    async def __call__(self, person_id: str, connection_id: str) -> Connector | None:
        """The connector; `None` when that connection is none of this person's."""
        async with self._database.read() as tx:
            connection = await repository.find_connection(tx, connection_id)
        if connection is None or connection.person_id != person_id:
            return None
        try:
            return await self._connectors.by_id(connection.connector_id)
        except NotFound:
            return None


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
