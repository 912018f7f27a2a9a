"""The accounts a person has: finding them, adding them, naming them. The credential of one is elsewhere."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

import structlog
from sqlalchemy.exc import IntegrityError

from valetkey.audit.trail import Trail
from valetkey.connections import repository
from valetkey.connections.model import Connection, Receipt, State
from valetkey.connections.repository import Seen
from valetkey.directory.disclosure import Disclosure
from valetkey.directory.editing import Edit, Edited
from valetkey.directory.model import Connector
from valetkey.identity.model import Person
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound, TooMany, ValetkeyError, printable
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.remembered import Remembered

TOPIC = "connections"
"""Announced with the person's id whenever one of their connections has changed."""

DEFAULT_LABEL = "main"
LIMIT = 20
"""Accounts of one person at one connector."""

_LABEL = re.compile(r"[a-z0-9]{1,12}")
_TAKEN_LABELS = frozenset({"mcp"})  # /c/<connector>/mcp is the default account
_NAME_LIMIT = 100
_REASON_LIMIT = 200


class ConnectorBook(Protocol):
    """What connections ask of the directory."""

    async def by_id(self, connector_id: str) -> Connector: ...

    async def get(self, slug: str, person: Person) -> Connector: ...

    async def take_down(self, listing: str, reason: str) -> None: ...

    async def put_back(self, listing: str) -> None: ...

    async def set_quarantine(self, connector_id: str, on: bool) -> None: ...

    async def edited(self, connector_id: str, edit: Edit) -> Edited: ...

    async def keep(self, edited: Edited) -> Connector: ...

    async def remove(self, connector_id: str) -> None: ...

    def disclosure(self, connector: Connector) -> Disclosure: ...


class Ending(Protocol):
    """What removing needs: `disconnect.Disconnecting`."""

    async def end(self, connection: Connection, *, actor: str) -> Receipt: ...


class Connections:
    """A person's connections. Another person's connection is not found.

    `on_connected` runs each time an account was connected, once everybody can see it; `on_removed` when its entry is
    gone.
    """

    def __init__(
        self,
        database: Database,
        notifications: Notifications,
        *,
        clock: Clock,
        connectors: ConnectorBook,
        trail: Trail,
        disconnecting: Ending,
        on_connected: Sequence[Callable[[Connection], Awaitable[None]]] = (),
        on_removed: Sequence[Callable[[Connection], Awaitable[None]]] = (),
    ) -> None:
        self._database = database
        self._notifications = notifications
        self._clock = clock
        self._connectors = connectors
        self._trail = trail
        self._disconnecting = disconnecting
        self._on_connected = on_connected
        self._on_removed = on_removed
        self._memory: Remembered[str, tuple[Connection, ...]] = Remembered(notifications, TOPIC, clock=clock)

    # --- finding ----------------------------------------------------------------------------------------------------

    async def list(self, person_id: str) -> tuple[Connection, ...]:
        """All of the person's connections, oldest first."""
        return await self._memory.get(person_id, self._look_up) or ()

    def list_now(self, person_id: str) -> tuple[Connection, ...] | None:
        """As `list`, if it is in memory; `None` says nothing but "ask `list`"."""
        return self._memory.now(person_id)

    async def get(self, person_id: str, connection_id: str) -> Connection:
        """Raises `NotFound`, for another person's too."""
        async with self._database.read() as tx:
            found = await repository.find_connection(tx, connection_id)
        if found is None or found.person_id != person_id:
            raise NotFound("There is no such connection.")
        return found

    async def find(self, person: Person, connector_slug: str, label: str = "") -> Connection:
        """The person's account at a connector: the one with this label, or with none given the default one."""
        connector = await self._connectors.get(connector_slug, person)
        return self.pick(await self.list(person.id), connector.id, label)

    @staticmethod
    def pick(connections: tuple[Connection, ...], connector_id: str, label: str) -> Connection:
        """The one of `connections` that a connector and a label (empty: the default) mean. Raises `NotFound`."""
        for one in connections:
            if one.connector_id == connector_id and (one.label == label if label else one.is_default):
                return one
        raise NotFound("There is no such connection.", hint="Connect the service on the connections page.")

    # --- changing ---------------------------------------------------------------------------------------------------

    async def add(self, person: Person, connector: Connector, *, label: str = "", display_name: str = "") -> Connection:
        """The entry for an account, connected to nothing yet; the one that is there, if label or default fits one.

        The first account at a connector is its default and needs no label. Raises `BadInput` naming `label` or
        `display_name`, `NotFound` for another organization's connector, `TooMany`.
        """
        _check_label(label)
        name = _check_name(display_name)
        if connector.organization_id != person.organization_id:
            raise NotFound("There is no such connector.")
        for _ in range(2):  # a second time if somebody else added the same one in between
            async with self._database.read() as tx:
                mine = [
                    one for one in await repository.list_connections(tx, person.id) if one.connector_id == connector.id
                ]
            has_default = any(one.is_default for one in mine)
            for one in mine:
                if one.label == label if label else one.is_default:
                    return one
            if len(mine) >= LIMIT:
                raise TooMany(f"You have {LIMIT} accounts at {connector.name} already.", hint="Remove one first.")
            new = self._new(person, connector, label=label or _free_label(mine), name=name, is_default=not has_default)
            try:
                async with self._database.write() as tx:
                    await repository.insert_connection(tx, new)
            except IntegrityError:
                continue
            await self._notifications.publish(TOPIC, person.id)
            return new
        raise TooMany("This account is being added somewhere else.", retry_after=1.0)

    async def rename(self, person_id: str, connection_id: str, display_name: str) -> Connection:
        """Changes the display name; the label stays, since names of tools are made of it."""
        found = await self.get(person_id, connection_id)
        name = _check_name(display_name)
        async with self._database.write() as tx:
            await repository.set_connection(tx, connection_id, display_name=name)
        await self._notifications.publish(TOPIC, person_id)
        return replace(found, display_name=name)

    async def remove(self, person_id: str, connection_id: str, *, by: str) -> Receipt:
        """Disconnects, then drops the entry with all that hangs on it. What the disconnect did.

        `by` is the actor, for the trail: the person, or whoever acts for them.
        """
        found = await self.get(person_id, connection_id)
        done = await self._disconnecting.end(found, actor=by)
        async with self._database.write() as tx:
            await repository.delete_connection(tx, connection_id)
        for removed in self._on_removed:
            await removed(found)
        await self._notifications.publish(TOPIC, person_id)
        await self.tell("connection.removed", found, actor=by)
        return done

    # --- what has become of them: for the other files of this room, and for whoever made a call -----------------------

    async def open_entry(self, person: Person, connector: Connector, *, label: str, display_name: str) -> Connection:
        """As `add`, for connecting now: raises `Conflict` when the connector or the account is not to be connected."""
        if connector.state == "outside":
            raise Conflict(
                f"Your organization does not let connectors reach {connector.origin.partition('://')[2]}.",
                hint="An owner can put it on the list of hosts.",
            )
        if connector.state == "ruled_out":
            raise Conflict(
                f"The rules of your organization leave no room for {connector.name}.", hint="An owner can change them."
            )
        if connector.state != "enabled":
            raise Conflict(f"{connector.name} is {connector.state} here.", hint="An owner can say more.")
        found = await self.add(person, connector, label=label, display_name=display_name)
        if found.state is State.DISCONNECTING:
            raise Conflict("This account is being disconnected.", hint="Try again in a few seconds.")
        return found

    async def mark_connected(self, seen: Seen, *, at: datetime, **facts: Any) -> Connection | None:
        """Writes `facts` and that the account is connected; `None`, and nothing written, if it changed since `seen`."""
        async with self._database.write() as tx:
            written = await repository.update_connection(
                tx, seen, state=State.CONNECTED.value, state_reason="", connected_at=at, **facts
            )
            connection = await repository.find_connection(tx, seen.id)
        if not written or connection is None:
            return None
        await self._notifications.publish(TOPIC, connection.person_id)
        await self.tell(
            "connection.connected",
            connection,
            actor=f"person:{connection.person_id}",
            detail={"method": connection.method, "scope": connection.granted_scope[:500]},
        )
        for connected in self._on_connected:
            try:
                await connected(connection)
            except (
                ValetkeyError
            ) as error:  # say a list of tools that did not come: the account is connected all the same
                structlog.get_logger(__name__).warning(
                    "after connecting", connection=connection.id, error=error.message
                )
        return connection

    async def mark_reconnect(self, connection: Connection, reason: str) -> bool:
        """Stops handing out this connection's credential until the person reconnects; it is kept sealed, not deleted.

        `reason` is a sentence for them. Says so in the trail, once; false if the connection has changed since it was
        read, and then nothing happens.
        """
        marked = await self.mark_suspended(Seen.of(connection), reason=reason)
        if marked:
            await self.tell("connection.reconnect_needed", connection, actor="system", detail={"reason": reason[:200]})
        return marked

    async def mark_suspended(self, seen: Seen, *, reason: str, **facts: Any) -> bool:
        """Writes `facts` and that the person must reconnect, because of `reason`; whether it still was as `seen`."""
        shown = printable(reason, limit=_REASON_LIMIT)[:_REASON_LIMIT]
        async with self._database.write() as tx:
            written = await repository.update_connection(
                tx, seen, state=State.RECONNECT.value, state_reason=shown, **facts
            )
            connection = await repository.find_connection(tx, seen.id)
        if written and connection is not None:
            await self._notifications.publish(TOPIC, connection.person_id)
        return written

    async def tell(
        self, event: str, connection: Connection, *, actor: str, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Writes an event about a connection into the trail."""
        await self._trail.write(
            event,
            actor=actor,
            organization_id=connection.organization_id,
            person_id=connection.person_id,
            object=connection.id,
            detail=detail or {},
        )

    # --- within -----------------------------------------------------------------------------------------------------

    async def _look_up(self, person_id: str) -> tuple[Connection, ...]:
        async with self._database.read() as tx:
            return tuple(await repository.list_connections(tx, person_id))

    def _new(self, person: Person, connector: Connector, *, label: str, name: str, is_default: bool) -> Connection:
        blank: dict[str, Any] = dict.fromkeys(("issuer", "resource", "requested_scope", "granted_scope"), "")
        return Connection(
            id=new_id("cn"),
            organization_id=person.organization_id,
            person_id=person.id,
            connector_id=connector.id,
            connector_version=connector.version,
            label=label,
            display_name=name,
            is_default=is_default,
            state=State.NOT_CONNECTED,
            state_reason="",
            method=connector.auth_kind,
            has_refresh_token=False,
            expires_at=None,
            generation=0,
            created_at=self._clock.now(),
            connected_at=None,
            last_used_at=None,
            **blank,
        )


def _check_label(label: str) -> None:
    if label and (not _LABEL.fullmatch(label) or label in _TAKEN_LABELS):
        raise BadInput(
            "A label has 1 to 12 characters out of a–z and 0–9, and is not “mcp”.",
            field="label",
            hint="Tools are named after it, e.g. work or private.",
        )


def _check_name(name: str) -> str:
    stripped = name.strip()
    if len(stripped) > _NAME_LIMIT or not stripped.isprintable():
        raise BadInput(f"The name must have at most {_NAME_LIMIT} visible characters.", field="display_name")
    return stripped


def _free_label(mine: list[Connection]) -> str:
    """For a default account that nobody named: `main`, unless one that is not the default is called that."""
    taken = {one.label for one in mine}
    candidates = (DEFAULT_LABEL, *(f"{DEFAULT_LABEL}{number}" for number in range(2, LIMIT + 2)))
    return next(candidate for candidate in candidates if candidate not in taken)
