"""Handing out the credential a call needs, fresh: as a ticket, to the person's own connection only.

The hot path is `ticket_now`: no await, no database, from what is in memory. What it does not know, `ticket` finds out.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from valetkey.connections import repository
from valetkey.connections.accounts import TOPIC, Connections, ConnectorBook
from valetkey.connections.guard import Guard
from valetkey.connections.methods import header, none, oauth
from valetkey.connections.model import Connection, State, TemporarilyUnavailable
from valetkey.connections.refresh import Outcome, Refreshing
from valetkey.connections.repository import Seen
from valetkey.connections.step_up import MoreNeeded, StepUp
from valetkey.directory.connectors import TOPIC as CONNECTORS_TOPIC
from valetkey.directory.model import Connector
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotConnected, RootKeyUnavailable, VaultFailed
from valetkey.store.database import Database
from valetkey.store.notify import EVERYTHING, Notifications
from valetkey.vault.model import Binding, HeaderTemplate
from valetkey.vault.verbs import Ticket, Vault

_METHODS = {
    "oauth": oauth.parts,
    "header": header.parts,
    header.ORGANIZATION: header.shared_parts,
    "none": none.parts,
}
_SECONDS = 30.0
_PEOPLE = 10_000
_USED = timedelta(minutes=5)  # how exactly "last used" is kept


@dataclass(frozen=True, slots=True)
class _Ready:
    """What a ticket for a connection is made of, until then. No parts: the service wants no credential."""

    parts: tuple[tuple[HeaderTemplate, Binding], ...]
    origin: str
    until: float


class Credentials:
    """Tickets for calls."""

    def __init__(
        self,
        database: Database,
        *,
        vault: Vault,
        clock: Clock,
        notifications: Notifications,
        connectors: ConnectorBook,
        connections: Connections,
        refreshing: Refreshing,
        step_up: StepUp,
        guard: Guard,
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._connectors = connectors
        self._connections = connections
        self._refreshing = refreshing
        self._step_up = step_up
        self._guard = guard
        self._ready: OrderedDict[str, dict[str, _Ready]] = OrderedDict()
        self._drops = 0
        notifications.subscribe(TOPIC, self._changed)
        notifications.subscribe(CONNECTORS_TOPIC, lambda _key: self._changed(EVERYTHING))
        notifications.subscribe("people", self._changed)  # their role says how far they reach

    def ticket_now(self, connection_id: str, *, person_id: str, call_id: str) -> Ticket | None:
        """A ticket from what is in memory; `None` says nothing but "ask `ticket`"."""
        mine = self._ready.get(person_id)
        ready = mine.get(connection_id) if mine is not None else None
        if ready is None or not ready.parts or ready.until <= self._clock.monotonic():
            return None
        otherwise = partial(self.ticket, connection_id, person_id=person_id, call_id=call_id)
        return self._vault.ticket_now(ready.parts, origin=ready.origin, call_id=call_id, otherwise=otherwise)

    async def ticket(self, connection_id: str, *, person_id: str, call_id: str) -> Ticket | None:
        """A ticket for one request of this person's to the connection's service, renewed first if it must be.

        `None` when the service wants no credential. Raises `NotConnected`, whose `reason` is `not_connected`,
        `reconnect`, `disconnecting`, `blocked`, `outside`, `quarantined`, `changed` or `no_key`; for another
        person's, too. `TemporarilyUnavailable` when the root key's provider says no; `NotReleased` when the
        vault's rule does.
        """
        try:
            while True:
                ready = (self._ready.get(person_id) or {}).get(connection_id)
                if ready is None or ready.until <= self._clock.monotonic():
                    ready = await self._make_ready(connection_id, person_id)
                if not ready.parts:
                    return None
                drops = self._drops
                made = await self._vault.ticket(ready.parts, origin=ready.origin, call_id=call_id)
                if drops == self._drops:  # else it may have been made after somebody disconnected: look again
                    return made
        except RootKeyUnavailable as no:
            raise TemporarilyUnavailable(
                f"What is kept for this connection cannot be opened just now. {no.message}",
                hint="It is kept; try again in a minute, or ask who runs this hub to look at its root key.",
            ) from no
        except VaultFailed as failed:
            # What people see follows from the vault (CON-01): what cannot be opened is not connected.
            self._changed(person_id)
            connection = await self._find(connection_id, person_id)
            if connection.state is State.CONNECTED:
                await self._connections.mark_reconnect(connection, f"What was kept cannot be opened. {failed.message}")
            raise _not_connected(connection, "reconnect") from failed

    async def refused(self, connection_id: str, ticket_generation: int) -> bool:
        """The service answered 401 to a ticket of this generation (`Ticket.generation`).

        True: there is a newer credential, try once more with a new ticket. False: the person must reconnect. Raises
        `TemporarilyUnavailable` when the credential could not be renewed now; nothing was changed then. If the second
        try is refused too, `Connections.mark_reconnect` is what is left.
        """
        async with self._database.read() as tx:
            connection = await repository.find_connection(tx, connection_id)
        if connection is None or connection.state is not State.CONNECTED:
            return False
        if connection.method != "oauth":  # CON-39: no sign-in is begun instead of a key that does not work
            words = "The service does not accept the key any more."
            if connection.method == header.ORGANIZATION:
                words = "The service does not accept the organization's key any more. An owner can enter another."
            await self._connections.mark_reconnect(connection, words)
            return False
        if connection.generation != ticket_generation:
            return True
        if not connection.has_refresh_token:
            await self._connections.mark_reconnect(connection, "The sign-in has expired.")
            return False
        outcome = await self._refreshing.refresh(Seen.of(connection))
        if outcome is Outcome.UNAVAILABLE:
            raise TemporarilyUnavailable(
                "The sign-in could not be renewed just now.", hint="It is kept; try again in a minute."
            )
        return outcome is Outcome.FRESH

    async def forbidden(self, connection_id: str, challenge: str) -> MoreNeeded | None:
        """The service answered 403 with this `WWW-Authenticate` value.

        What to say instead when more can be granted, or was to no avail (CON-17); `None` for any other 403, which is
        the end of that call. The connection stays as it is: other calls go on.
        """
        async with self._database.read() as tx:
            connection = await repository.find_connection(tx, connection_id)
        if connection is None or connection.state is not State.CONNECTED:
            return None
        return await self._step_up.refused(connection, await self._connectors.by_id(connection.connector_id), challenge)

    # --- within -----------------------------------------------------------------------------------------------------

    async def _make_ready(self, connection_id: str, person_id: str) -> _Ready:
        drops = self._drops
        connection = await self._find(connection_id, person_id)
        connector = await self._connectors.by_id(connection.connector_id)
        _check(connection, connector)
        if why := await self._guard.outgrown(connection, connector):
            await self._connections.mark_reconnect(connection, why)
            raise _not_connected(replace(connection, state_reason=why), "reconnect")
        connection = await self._fresh(connection)
        now = self._clock.now()
        until = now + timedelta(seconds=_SECONDS)
        if connection.expires_at is not None and connection.has_refresh_token:
            until = min(until, connection.expires_at - self._refreshing.pace.margin(connection.id))
        shared = connection.method == header.ORGANIZATION
        sealed = [purpose for purpose, _ in (await self._vault.mark(connector.id if shared else connection.id)).names]
        parts = _METHODS[connection.method](connection, connector, sealed)
        if shared and not parts:  # not a service that wants none: nothing may go there without
            raise _not_connected(connection, "no_key")
        ready = _Ready(
            parts=parts,
            origin=connector.origin,
            until=self._clock.monotonic() + (until - now).total_seconds(),
        )
        if drops == self._drops:  # else it may have been read just before the change that was announced
            self._ready.setdefault(person_id, {})[connection_id] = ready
            self._ready.move_to_end(person_id)
            while len(self._ready) > _PEOPLE:
                self._ready.popitem(last=False)
        if connection.last_used_at is None or connection.last_used_at + _USED < now:
            async with self._database.write() as tx:
                await repository.set_connection(tx, connection.id, last_used_at=now)
        return ready

    async def _fresh(self, connection: Connection) -> Connection:
        """The connection with a token that is good for a while, as far as we know."""
        expires_at = connection.expires_at
        if expires_at is None or not connection.has_refresh_token or self._refreshing.pace.is_recent(connection.id):
            return connection  # of a token without expiry or refresh only a 401 tells that it is over
        now = self._clock.now()
        if now >= expires_at:
            outcome = await self._refreshing.refresh(Seen.of(connection))
            # If it is unavailable the old token is tried: only the service knows whether it still is good.
            if outcome is not Outcome.UNAVAILABLE:
                connection = await self._find(connection.id, connection.person_id)
                _check_state(connection)
        elif now >= expires_at - self._refreshing.pace.margin(connection.id):
            self._refreshing.begin(Seen.of(connection))  # beside the call, which goes with the token there is
        return connection

    async def _find(self, connection_id: str, person_id: str) -> Connection:
        async with self._database.read() as tx:
            found = await repository.find_connection(tx, connection_id)
        if found is None or found.person_id != person_id:
            raise NotConnected("You are not connected to this service.", path="/connections")
        return found

    def _changed(self, person_id: str) -> None:
        self._drops += 1
        if person_id == EVERYTHING:
            self._ready.clear()
        else:
            self._ready.pop(person_id, None)


def _check(connection: Connection, connector: Connector) -> None:
    _check_state(connection)
    if connector.state != "enabled":
        raise _not_connected(
            connection, connector.state if connector.state in ("quarantined", "outside", "ruled_out") else "blocked"
        )
    if connection.issuer and not connector.reach.permits(urlsplit(connection.issuer).hostname or ""):
        raise _not_connected(connection, "outside")
    if connector.version != connection.connector_version:
        # U07, CUS-05: the person consented to the connector as it was; its address may be another one now.
        raise _not_connected(connection, "changed")


def _check_state(connection: Connection) -> None:
    if connection.state is not State.CONNECTED:
        raise _not_connected(connection, connection.state.value)
    if connection.quarantined_at is not None:
        raise _not_connected(connection, "quarantined")


def _not_connected(connection: Connection, reason: str) -> NotConnected:
    sentences = {
        "not_connected": f"You are not connected to this service. {connection.state_reason}".strip(),
        "reconnect": f"You have to reconnect this service. {connection.state_reason}".strip(),
        "disconnecting": "This connection is being ended.",
        "blocked": "This service is blocked here.",
        "outside": "Your organization does not let connectors reach this service's hosts; an owner can change that.",
        "ruled_out": "The rules of your organization leave no room for this service; an owner can change them.",
        "quarantined": "This service is in quarantine: no call goes to it until that is lifted.",
        "no_key": "There is no key of the organization for this service now; an owner can enter one.",
        "changed": "This service was changed since you connected it; look at it again and reconnect.",
    }
    return NotConnected(sentences[reason], path=f"/connections/{connection.id}", reason=reason)
