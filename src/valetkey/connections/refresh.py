"""Renewing an access token: exactly once for all who wait for it, in all processes, and never losing what is held.

    1. in this process, who comes while a refresh is under way waits for that one
    2. over all processes, one holds the lease; the others watch the connection until it has changed
    3. with the lease: read again, and look again whether it still is needed
    4. make room in the vault's spool, ask the token endpoint, and put what came into the spool: from here on nothing is
       lost, whatever becomes of this process or the database. No transaction is open meanwhile
    5. seal what came if nothing was shredded or sealed since 3 (the vault's mark), then write it into the connection if
       that is as it was read (`Seen`), and only while the lease is ours: who was overtaken changes nothing

What is found in the spool is written down first, at the start of a process and before each refresh. Killed between the
server's answer and its first byte here: only the server can mend that, and the person reconnects.

Of the ways to fail only `invalid_grant` ends a connection; then the tokens are destroyed. After any other the tokens
stay, and the next try waits a little longer each time (CON-21 to CON-23, security.md 2.6); so they do when the root
key's provider, or a sealed vault, says no.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from enum import Enum, auto
from weakref import WeakValueDictionary

import structlog

from valetkey.audit.trail import Trail
from valetkey.connections import repository, spooled
from valetkey.connections.accounts import TOPIC, ConnectorBook
from valetkey.connections.methods import oauth
from valetkey.connections.model import Connection, State
from valetkey.connections.pace import Pace
from valetkey.connections.points import Point
from valetkey.connections.repository import Seen
from valetkey.connections.spooled import Spooled
from valetkey.connections.token_endpoint import TokenEndpoint, tokens_came, tokens_of, words_of
from valetkey.connections.trace import Steps, Trace, request_line
from valetkey.directory.model import Connector
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import RootKeyUnavailable, VaultFailed
from valetkey.kernel.failpoints import reached
from valetkey.oauth.model import AuthorizationServer, TokenFailure, TokenFailureKind
from valetkey.oauth.scopes import beyond
from valetkey.store.database import Database
from valetkey.store.leases import Lease, Leases
from valetkey.store.notify import Notifications
from valetkey.vault.envelope import wipe
from valetkey.vault.model import NothingSealed, Overtaken
from valetkey.vault.release import NotReleased
from valetkey.vault.spool import Slot
from valetkey.vault.verbs import Spool, Vault

LEASE_SECONDS = 45.0
"""The 30 s a refresh may take, enforced by `net`, and a margin of 15 for clocks and pauses."""

_POLL_SECONDS = 0.03
_PATIENCE_SECONDS = 60.0
_AT_ONCE_PER_SERVER = 4


class Outcome(Enum):
    """How a refresh ended for whoever waited for it."""

    FRESH = auto()  # there is a newer token
    ENDED = auto()  # the person must reconnect
    UNAVAILABLE = auto()  # not now; everything is kept


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
        spool: Spool,
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
        self._spool = spool
        self.pace = Pace(clock)
        self._running: dict[str, asyncio.Task[Outcome]] = {}
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

    async def recover(self, connection_id: str = "") -> int:
        """Writes down what a process got and did not write down: for one connection, or all. How many there were.

        Needs no lease: each is written only if connection and vault are as they were when it was asked for.
        """
        waiting = self._spool.waiting(connection_id)
        for one in waiting:
            async with self._database.read() as tx:
                connection = await repository.find_connection(tx, one.subject)
            if connection is None or connection.state is not State.CONNECTED:
                await self._spool.clear(one.subject)  # ended meanwhile, and with it the key of this answer
                continue
            connector = await self._connectors.by_id(connection.connector_id)
            server = await self._tokens.server_of(connection, connector)
            if server is None:
                continue
            try:
                packed = await self._spool.read(one, bound_to=spooled.binding(connection, server))
            except VaultFailed as failed:
                structlog.get_logger(__name__).warning("an answer in the spool is of no use", reason=failed.code)
                await self._spool.remove(one)
                continue
            answer = spooled.unpack(packed, one)
            wipe(packed)
            steps = self._trace.of(person_id=connection.person_id, connection_id=connection.id)
            await steps.note("refresh", "", reason="Found in the spool: an answer that had not been written down.")
            if Seen.of(connection) == answer.seen:
                await self._keep(connection, connector, server, answer, steps)
            else:
                await self._spool.remove(one)
            oauth.wipe(answer.tokens)
        return len(waiting)

    # --- the refresh ------------------------------------------------------------------------------------------------

    async def _run(self, seen: Seen) -> Outcome:
        if self.pace.must_wait(seen.id):
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
        except (RootKeyUnavailable, NotReleased) as no:
            return await self._not_now(seen, no.message)
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
        await self.recover(seen.id)
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
        slot = await self._spool.prepare(spooled.binding(connection, server))
        reached(Point.REFRESH_PREPARED)
        try:
            # Written down before the refresh token leaves: what cannot be recorded does not happen (I4, S-22).
            await self._tell(connection, "refresh", origin=server.token_endpoint.origin)
            async with self._at_once.setdefault(server.issuer, asyncio.Semaphore(_AT_ONCE_PER_SERVER)):
                reply, server = await self._tokens.refresh(connection, connector, server, steps)
        except (RootKeyUnavailable, NotReleased, VaultFailed) as failed:
            await self._spool.remove(slot.named)
            if not isinstance(failed, VaultFailed):
                raise  # not now, says the vault: nothing is wrong with the token, which has not left it
            if isinstance(failed, NothingSealed):
                return await self._end(connection, "There is no refresh token any more.", purge=False)
            return await self._end(connection, f"The refresh token cannot be opened. {failed.message}", purge=False)
        if isinstance(reply, TokenFailure):
            await self._spool.remove(slot.named)
            if not await self._leases.is_current(lease):
                return await self._moved_on(seen) or Outcome.UNAVAILABLE
            return await self._failed(connection, connector, server, reply, steps)
        answer = Spooled(reply, self._clock.now(), Seen.of(connection), mark, slot.named)
        try:
            await self._put_away(slot, answer)
            line = request_line("POST", server.token_endpoint)
            await steps.note("refresh", line, status=200, reason=tokens_came(reply))
            if not await self._leases.is_current(lease):
                await steps.note("refresh", "", reason="Another process took over; what came is not used.")
                await self._spool.remove(slot.named)
                return await self._moved_on(seen) or Outcome.UNAVAILABLE
            return await self._keep(connection, connector, server, answer, steps)
        finally:
            oauth.wipe(reply)

    async def _put_away(self, slot: Slot, answer: Spooled) -> None:
        """Into the spool; if the disk is full, the database is what is left."""
        reached(Point.REFRESH_ANSWERED)
        packed = spooled.pack(answer)
        try:
            await self._spool.keep(slot, packed)
        except OSError as error:
            structlog.get_logger(__name__).error("the spool cannot be written", error=repr(error))
        finally:
            wipe(packed)
        reached(Point.REFRESH_SPOOLED)

    async def _keep(
        self, connection: Connection, connector: Connector, server: AuthorizationServer, answer: Spooled, steps: Steps
    ) -> Outcome:
        tokens = answer.tokens
        try:
            generation = await oauth.seal(self._vault, connection, connector, server, tokens, since=answer.mark)
        except Overtaken:
            return await self._came_too_late(connection, connector, server, answer, steps)
        wider = beyond(tokens.granted(""), connection.granted_scope.split()) if connection.granted_scope else ()
        values: dict[str, object] = {"state_reason": ""}
        if not connection.granted_scope:
            values = {**values, "granted_scope": tokens.granted("")}
        if wider:  # S-17: a token that can do more than was granted is not used until the person has said so
            reason = f"The service gave more than you granted: {' '.join(wider)}."[:200]
            values = {"state": State.RECONNECT.value, "state_reason": reason, "granted_scope": tokens.scope}
        reached(Point.REFRESH_SEALED)
        async with self._database.write() as tx:
            written = await repository.update_connection(
                tx,
                Seen.of(connection),
                generation=generation,
                expires_at=answer.received_at + timedelta(seconds=tokens.usable_for),
                **values,
            )
        if not written:
            return await self._came_too_late(connection, connector, server, answer, steps)
        reached(Point.REFRESH_WRITTEN)
        await self._spool.clear(connection.id)
        reached(Point.REFRESH_CLEARED)
        self.pace.learn(connection.id, tokens.usable_for)
        await self._notifications.publish(TOPIC, connection.person_id)
        if wider:
            await self._tell(connection, "reconnect_needed", reason=str(values["state_reason"]))
        return Outcome.ENDED if wider else Outcome.FRESH

    async def _came_too_late(
        self, connection: Connection, connector: Connector, server: AuthorizationServer, answer: Spooled, steps: Steps
    ) -> Outcome:
        """The tombstone wins (S-20): what came for a connection that was ended goes back to the server."""
        await self._spool.remove(answer.place)
        moved = await self._moved_on(Seen.of(connection))
        if moved is Outcome.ENDED:
            await steps.note("refresh", "", reason="Disconnected meanwhile; the new token is not kept.")
            await self._tokens.revoke(connector, server, tokens_of(answer.tokens), steps)
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
        return await self._not_now(Seen.of(connection), f"{host} {words_of(failure)}")

    async def _not_now(self, seen: Seen, why: str) -> Outcome:
        """Everything is kept, what came and lies in the spool too; the next try is a little later."""
        self.pace.fail(seen.id)
        async with self._database.write() as tx:
            await repository.update_connection(tx, seen, state_reason=f"Temporarily unavailable: {why}"[:200])
            connection = await repository.find_connection(tx, seen.id)
        if connection is not None:
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
        reached(Point.REFRESH_ENDED)
        if ended:
            if purge:
                await self._vault.shred(connection.id)
            await self._notifications.publish(TOPIC, connection.person_id)
            await self._tell(connection, "reconnect_needed", reason=reason[:200])
        return Outcome.ENDED if ended else await self._moved_on(Seen.of(connection)) or Outcome.UNAVAILABLE

    async def _tell(self, connection: Connection, event: str, **detail: str) -> None:
        await self._trail.write(
            f"connection.{event}",
            actor="system",
            organization_id=connection.organization_id,
            person_id=connection.person_id,
            object=connection.id,
            detail=detail,
        )

    def _done(self, connection_id: str, done: asyncio.Task[Outcome]) -> None:
        if self._running.get(connection_id) is done:
            del self._running[connection_id]
        if not done.cancelled() and (error := done.exception()) is not None:
            # Whoever waits gets it too; a refresh that nobody waited for would fail in silence.
            structlog.get_logger(__name__).warning("refresh failed", connection=connection_id, error=repr(error))
