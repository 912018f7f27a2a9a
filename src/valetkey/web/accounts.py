"""Connections together with their connectors, as every page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from valetkey.connections.model import Connection, State
from valetkey.directory.model import Connector, Tool
from valetkey.policy.gate import Subject
from valetkey.web.visit import Visit

LIVE = frozenset({State.CONNECTED, State.RECONNECT, State.DISCONNECTING})
"""States in which a credential is, or may still be, held: these can be disconnected."""


@dataclass(frozen=True, slots=True)
class Account:
    """One person's connection, and what it is a connection to."""

    connection: Connection
    connector: Connector

    @property
    def name(self) -> str:
        """What the person calls the account, or its label."""
        return self.connection.display_name or self.connection.label

    @property
    def is_live(self) -> bool:
        return self.connection.state in LIVE


async def read_accounts(visit: Visit) -> list[Account]:
    """The person's connections, by connector name, then label."""
    connections = await visit.services.connections.list(visit.person.id)
    accounts = [Account(one, await visit.services.connectors.by_id(one.connector_id)) for one in connections]
    return sorted(accounts, key=lambda one: (one.connector.name.lower(), one.connector.id, one.connection.label))


async def read_account(visit: Visit) -> Account:
    """The connection named in the path. Raises `NotFound`, for somebody else's too."""
    connection = await visit.services.connections.get(visit.person.id, visit.path("connection"))
    return Account(connection, await visit.services.connectors.by_id(connection.connector_id))


def place_of(visit: Visit, account: Account, tool: Tool | None = None) -> Subject:
    """The account, or a tool of it, as policy is asked about it."""
    connection = account.connection
    page = f"/connections/{connection.id}"
    return Subject(connection.id, connection.label, account.connector, tool, page, visit.public_url)


def endpoint_path(account: Account) -> str:
    """Where an assistant reaches just this account (design.md 2)."""
    label = "" if account.connection.is_default else f"/{account.connection.label}"
    return f"/c/{account.connector.slug}{label}/mcp"
