"""Renewing an access token: exactly once for all who wait for it, in all processes, and never losing what is held.

    1. in this process, who comes while a refresh is under way waits for that one
    2. over all processes, one holds the lease; the others watch the connection until it has changed
    3. with the lease: read again, and look again whether it still is needed
    4. ask the token endpoint; no transaction is open meanwhile
    5. seal what came if nothing was shredded or sealed since 3 (the vault's mark), then write it into the connection if
       that is as it was read (`Seen`), and only while the lease is ours: who was overtaken changes nothing

Of the ways to fail only `invalid_grant` ends a connection; then the tokens are destroyed. After any other the tokens
stay, and the next try waits a little longer each time (CON-21 to CON-23, security.md 2.6).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from weakref import WeakValueDictionary

import structlog

from valetkey.audit.trail import Trail
from valetkey.connections import repository
from valetkey.connections.accounts import TOPIC, ConnectorBook
from valetkey.connections.methods import oauth
from valetkey.connections.model import Connection, State
from valetkey.connections.repository import Seen
from valetkey.connections.token_endpoint import TokenEndpoint, tokens_of, words_of
from valetkey.connections.trace import Steps, Trace
from valetkey.directory.model import Connector
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import VaultFailed
from valetkey.oauth.model import AuthorizationServer, TokenFailure, TokenFailureKind, TokenSet
from valetkey.oauth.scopes import beyond
from valetkey.store.database import Database
from valetkey.store.leases import Lease, Leases
from valetkey.store.notify import Notifications
from valetkey.vault.broker import Vault
from valetkey.vault.model import Mark, NothingSealed, Overtaken

LEASE_SECONDS = 45.0
"""The 30 s a refresh may take, enforced by `net`, and a margin of 15 for clocks and pauses."""

RECENT = timedelta(seconds=10)
"""A token this young is not renewed again, whatever its expiry says: some servers give out tokens already expired."""

_POLL_SECONDS = 0.03
_PATIENCE_SECONDS = 60.0
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 300.0
_AT_ONCE_PER_SERVER = 4
_REMEMBERED = 10_000
_MARGIN = timedelta(minutes=5)


class Outcome(Enum):
    """How a refresh ended for whoever waited for it."""

    FRESH = auto()  # there is a newer token
    ENDED = auto()  # the person must reconnect
    UNAVAILABLE = auto()  # not now; everything is kept


@dataclass(slots=True)
class _Memory:
    """What this process remembers of one connection's refreshes; safe to lose."""

    lifetime: float = 0.0
    renewed_at: float = float("-inf")
    wait: float = 0.0
    not_before: float = float("-inf")


class Refreshing:
    """Refreshes. One object for the process: it knows what is under way."""

    def __init__(
        self,
        database: Database,
        *,
        vault: Vault,
        leases: Leases,
        notifications: Notifications,
        clock: Clock,
        connectors: ConnectorBook,
        tokens: TokenEndpoint,
        trail: Trail,
        trace: Trace,
    ) -> None:
        self._database = database
        self._vault = vault
        self._leases = leases
        self._notifications = notifications
        self._clock = clock
        self._connectors = connectors
        self._tokens = tokens
        self._trail = trail
        self._trace = trace
        self._running: dict[str, asyncio.Task[Outcome]] = {}
        self._memory: OrderedDict[str, _Memory] = OrderedDict()
        self._at_once: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    # --- for whoever hands out tickets ------------------------------------------------------------------------------

    async def refresh(self, seen: Seen) -> Outcome:
        """A newer token than the one `seen`, got by whoever is first. A caller's cancellation does not stop it."""
        return await asyncio.shield(self.begin(seen))

    def begin(self, seen: Seen) -> asyncio.Task[Outcome]:
        """Starts a refresh, or finds the one that is under way."""
        running = self._running.get(seen.id)
        if running is None:
            running = asyncio.get_running_loop().create_task(self._run(seen))
            self._running[seen.id] = running
            running.add_done_callback(lambda done: self._done(seen.id, done))
        return running

    async def settle(self, connection_id: str, *, seconds: float) -> None:
        """Waits, at most so long, for a refresh under way in this process to end."""
        if running := self._running.get(connection_id):
            await asyncio.wait([running], timeout=seconds)

    async def stop(self) -> None:
        """Lets what is under way come to its end: a rotation that is not written down is a token lost."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=LEASE_SECONDS)

    def learn(self, connection_id: str, usable_for: float) -> None:
        """Remembers how long this connection's tokens live, when one has just come."""
        self._memory[connection_id] = _Memory(usable_for, self._clock.monotonic())
        self._memory.move_to_end(connection_id)
        while len(self._memory) > _REMEMBERED:
            self._memory.popitem(last=False)

    def margin(self, connection_id: str) -> timedelta:
        """How long before its expiry a token is renewed: five minutes, half its life if that is shorter (CON-21)."""
        memory = self._memory.get(connection_id)
        return _MARGIN if memory is None else min(_MARGIN, timedelta(seconds=memory.lifetime / 2))

    def is_recent(self, connection_id: str) -> bool:
        """Whether the token has just been renewed here."""
        memory = self._memory.get(connection_id)
        return memory is not None and self._clock.monotonic() - memory.renewed_at < RECENT.total_seconds()

    # --- the refresh ------------------------------------------------------------------------------------------------

    async def _run(self, seen: Seen) -> Outcome:
        memory = self._memory.get(seen.id)
        if memory is not None and self._clock.monotonic() < memory.not_before:
            return Outcome.UNAVAILABLE
        until = self._clock.monotonic() + _PATIENCE_SECONDS
        while (lease := await self._leases.take(f"refresh:{seen.id}", seconds=LEASE_SECONDS)) is None:
            await self._clock.sleep(_POLL_SECONDS)
            moved = await self._moved_on(seen)
            if moved is not None:
                return moved
            if self._clock.monotonic() > until:
                return Outcome.UNAVAILABLE
        try:
            return await self._with_lease(lease, seen)
        finally:
            await self._leases.give_back(lease)

    async def _moved_on(self, seen: Seen) -> Outcome | None:
        """What has become of a connection since it was seen; `None` while it is the same."""
        async with self._database.read() as tx:
            now = await repository.find_connection(tx, seen.id)
        if now is None or now.state is not State.CONNECTED:
            return Outcome.ENDED
        return None if Seen.of(now) == seen else Outcome.FRESH

    async def _with_lease(self, lease: Lease, seen: Seen) -> Outcome:
        mark = await self._vault.mark(seen.id)  # before reading: what happens from here on is noticed
        if (moved := await self._moved_on(seen)) is not None:
            return moved
        async with self._database.read() as tx:
            connection = await repository.find_connection(tx, seen.id)
        assert connection is not None  # `_moved_on` found it
        connector = await self._connectors.by_id(connection.connector_id)
        steps = self._trace.of(person_id=connection.person_id, connection_id=connection.id)
        server = await self._tokens.server_of(connection, connector)
        if server is None:
            return await self._end(connection, "What was known of the authorization server is lost.", purge=False)
        try:
            # Written down before the refresh token leaves: what cannot be recorded does not happen (I4, S-22).
            await self._trail.write(
                "connection.refresh",
                actor="system",
                organization_id=connection.organization_id,
                person_id=connection.person_id,
                object=connection.id,
                detail={"origin": server.token_endpoint.origin},
            )
            async with self._at_once.setdefault(server.issuer, asyncio.Semaphore(_AT_ONCE_PER_SERVER)):
                reply, server = await self._tokens.refresh(connection, connector, server, steps)
        except NothingSealed:
            return await self._end(connection, "There is no refresh token any more.", purge=False)
        except VaultFailed as failed:
            return await self._end(connection, f"The refresh token cannot be opened. {failed.message}", purge=False)
        if not await self._leases.is_current(lease):
            await steps.note("refresh", "", reason="Another process took over; what came is not used.")
            return await self._moved_on(seen) or Outcome.UNAVAILABLE
        if isinstance(reply, TokenFailure):
            return await self._failed(connection, connector, server, reply, steps)
        try:
            return await self._keep(connection, connector, server, reply, mark, steps)
        finally:
            oauth.wipe(reply)

    async def _keep(
        self,
        connection: Connection,
        connector: Connector,
        server: AuthorizationServer,
        tokens: TokenSet,
        mark: Mark,
        steps: Steps,
    ) -> Outcome:
        received_at = self._clock.now()
        try:
            generation = await oauth.seal(self._vault, connection, connector, server, tokens, since=mark)
        except Overtaken:
            return await self._came_too_late(connection, connector, server, tokens, steps)
        wider = beyond(tokens.granted(""), connection.granted_scope.split()) if connection.granted_scope else ()
        values: dict[str, object] = {"state_reason": ""}
        if not connection.granted_scope:
            values = {**values, "granted_scope": tokens.granted("")}
        if wider:  # S-17: a token that can do more than was granted is not used until the person has said so
            reason = f"The service gave more than you granted: {' '.join(wider)}."[:200]
            values = {"state": State.RECONNECT.value, "state_reason": reason, "granted_scope": tokens.scope}
        async with self._database.write() as tx:
            written = await repository.update_connection(
                tx,
                Seen.of(connection),
                generation=generation,
                expires_at=received_at + timedelta(seconds=tokens.usable_for),
                **values,
            )
        if not written:
            return await self._came_too_late(connection, connector, server, tokens, steps)
        self.learn(connection.id, tokens.usable_for)
        await self._notifications.publish(TOPIC, connection.person_id)
        if wider:
            await self._tell(connection, str(values["state_reason"]))
        return Outcome.ENDED if wider else Outcome.FRESH

    async def _came_too_late(
        self,
        connection: Connection,
        connector: Connector,
        server: AuthorizationServer,
        tokens: TokenSet,
        steps: Steps,
    ) -> Outcome:
        """The tombstone wins (S-20): what came for a connection that was ended goes back to the server."""
        moved = await self._moved_on(Seen.of(connection))
        if moved is Outcome.ENDED:
            await steps.note("refresh", "", reason="Disconnected meanwhile; the new token is not kept.")
            await self._tokens.revoke(connector, server, tokens_of(tokens), steps)
        return moved or Outcome.UNAVAILABLE

    async def _failed(
        self,
        connection: Connection,
        connector: Connector,
        server: AuthorizationServer,
        failure: TokenFailure,
        steps: Steps,
    ) -> Outcome:
        host = server.token_endpoint.host
        if failure.kind is TokenFailureKind.GRANT_ENDED:
            return await self._end(connection, f"{host} has ended what you granted.", purge=True)
        memory = self._memory.setdefault(connection.id, _Memory(lifetime=_MARGIN.total_seconds() * 2))
        memory.wait = min(_LONGEST_WAIT, memory.wait * 2 or _FIRST_WAIT)
        memory.not_before = self._clock.monotonic() + memory.wait
        reason = f"Temporarily unavailable: {host} {words_of(failure)}"[:200]
        async with self._database.write() as tx:
            await repository.update_connection(tx, Seen.of(connection), state_reason=reason)
        await self._notifications.publish(TOPIC, connection.person_id)
        return Outcome.UNAVAILABLE

    async def _end(self, connection: Connection, reason: str, *, purge: bool) -> Outcome:
        """The person must reconnect; told once, by whoever's write finds the connection as it was."""
        async with self._database.write() as tx:
            ended = await repository.update_connection(
                tx,
                Seen.of(connection),
                state=State.RECONNECT.value,
                state_reason=reason[:200],
                **({"has_refresh_token": False, "expires_at": None} if purge else {}),
            )
        if ended:
            if purge:
                await self._vault.shred(connection.id)
            await self._notifications.publish(TOPIC, connection.person_id)
            await self._tell(connection, reason)
        return Outcome.ENDED if ended else await self._moved_on(Seen.of(connection)) or Outcome.UNAVAILABLE

    async def _tell(self, connection: Connection, reason: str) -> None:
        await self._trail.write(
            "connection.reconnect_needed",
            actor="system",
            organization_id=connection.organization_id,
            person_id=connection.person_id,
            object=connection.id,
            detail={"reason": reason[:200]},
        )

    def _done(self, connection_id: str, done: asyncio.Task[Outcome]) -> None:
        if self._running.get(connection_id) is done:
            del self._running[connection_id]
        if not done.cancelled() and (error := done.exception()) is not None:
            # Whoever waits gets it too; a refresh that nobody waited for would fail in silence.
            structlog.get_logger(__name__).warning("refresh failed", connection=connection_id, error=repr(error))
