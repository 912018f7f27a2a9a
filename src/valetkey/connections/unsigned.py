"""Connecting without signing in anywhere: with a key in a header, or with nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from valetkey.connections.accounts import TOPIC, Connections
from valetkey.connections.callback import changed_meanwhile
from valetkey.connections.discover import Discovery
from valetkey.connections.methods import header
from valetkey.connections.model import Connection, State
from valetkey.connections.repository import Seen
from valetkey.connections.trace import Steps, Trace
from valetkey.directory.model import Connector
from valetkey.identity.model import Person
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict
from valetkey.kernel.secret import Secret
from valetkey.store.notify import Notifications
from valetkey.vault.verbs import Vault

_NO_OAUTH: Mapping[str, Any] = {
    "issuer": "",
    "resource": "",
    "requested_scope": "",
    "granted_scope": "",
    "has_refresh_token": False,
    "expires_at": None,
}


class Unsigned:
    """Connects accounts that no authorization server knows of."""

    def __init__(
        self,
        *,
        vault: Vault,
        clock: Clock,
        notifications: Notifications,
        connections: Connections,
        discovery: Discovery,
        trace: Trace,
    ) -> None:
        self._vault = vault
        self._clock = clock
        self._notifications = notifications
        self._connections = connections
        self._discovery = discovery
        self._trace = trace

    async def set_header(
        self, person: Person, connector: Connector, *, values: Mapping[str, Secret], label: str, display_name: str
    ) -> Connection:
        """Connects with request headers, or adds them to a connection that signs in by OAuth. Raises `BadInput`."""
        if connector.acts_as_organization:
            if values:
                raise BadInput(
                    "This service goes with a key of the organization, so you enter none.",
                    field="headers",
                    hint="An owner enters it, on the service's page.",
                )
            return await self._connect_held(person, connector, label=label, display_name=display_name)
        given = header.check_values(connector, values)
        connection = await self._connections.open_entry(person, connector, label=label, display_name=display_name)
        if connector.auth_kind == "oauth":
            if connection.state is not State.CONNECTED:
                raise Conflict("Sign in to the service first.", hint="The headers go with that sign-in.")
            await self._vault.seal_many(
                [(value, header.binding(connection, connector, name)) for name, value in given.items()]
            )
            await self._notifications.publish(TOPIC, connection.person_id)
            return connection
        if connector.auth_kind != "header":
            raise BadInput("This connector takes no headers.", field="headers")
        steps = self._trace.of(person_id=connection.person_id, connection_id=connection.id)
        seen = Seen.of(connection)
        connection = replace(connection, connector_version=connector.version)
        await self._vault.shred(seen.id)
        generations = await self._vault.seal_many(
            [(value, header.binding(connection, connector, name)) for name, value in given.items()]
        )
        return await self._connected(seen, connector, steps, method="header", generation=max(generations))

    async def _connect_held(self, person: Person, connector: Connector, *, label: str, display_name: str) -> Connection:
        """With the key that an owner entered for everybody (CUS-04). The connection is this person's all the same."""
        if not (await self._vault.mark(connector.id)).names:
            raise Conflict("No owner has entered the organization's key yet.", hint="Ask one of them to enter it.")
        connection = await self._connections.open_entry(person, connector, label=label, display_name=display_name)
        steps = self._trace.of(person_id=connection.person_id, connection_id=connection.id)
        await self._vault.shred(connection.id)
        return await self._connected(
            Seen.of(connection), connector, steps, method=header.ORGANIZATION, generation=connection.generation
        )

    async def connect_open(self, person: Person, connector: Connector, *, label: str, display_name: str) -> Connection:
        """Connects a service that answers without anybody signing in. Raises `Conflict` when it does not."""
        if connector.auth_kind == "header":
            raise BadInput("This connector takes a key.", field="auth_kind")
        connection = await self._connections.open_entry(person, connector, label=label, display_name=display_name)
        steps = self._trace.of(person_id=connection.person_id, connection_id=connection.id)
        # A program of the operator's is started, not looked for in the network.
        if not connector.is_local and not await self._discovery.is_open(connector, steps):
            raise Conflict(f"{connector.name} wants people to sign in.", hint="Connect it with a sign-in.")
        await self._vault.shred(connection.id)
        return await self._connected(Seen.of(connection), connector, steps, method="none", generation=0)

    async def _connected(
        self, seen: Seen, connector: Connector, steps: Steps, *, method: str, generation: int
    ) -> Connection:
        connected = await self._connections.mark_connected(
            seen,
            at=self._clock.now(),
            method=method,
            connector_version=connector.version,
            generation=generation,
            **_NO_OAUTH,
        )
        if connected is None:
            await self._vault.shred(seen.id)
            raise await changed_meanwhile(steps)
        return connected
