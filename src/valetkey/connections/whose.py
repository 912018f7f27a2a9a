"""Which connector a person's connection is to: what the vault's own rule looks up, in whatever process that is."""

from __future__ import annotations

from typing import Protocol

from valetkey.connections import repository
from valetkey.directory.model import Connector
from valetkey.kernel.errors import NotFound
from valetkey.store.database import Database


class Connectors(Protocol):
    async def by_id(self, connector_id: str) -> Connector: ...


class ConnectorOf:
    """Looks it up anew each time."""

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
