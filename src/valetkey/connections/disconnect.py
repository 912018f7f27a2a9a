"""Ending a connection: the service is told, the keys are destroyed, and the person gets a receipt (security.md 2.8).

    1. the tombstone: from here on nobody gets a ticket, and nobody who was slower can write a token back
    2. tickets that are out are cancelled; attempts to connect are dropped
    3. the service is told to forget: refresh token, then access token, five seconds each, and whatever comes of it
    4. the keys are destroyed, then what they sealed
    5. everyone who derived something from the connection drops it
    6. the connection says *not connected*; receipt; trail

It works while the service is down, and when the connector is delisted or blocked. It needs nobody's permission. Once
begun it is finished: beside the caller if the caller goes away, and by the next start if this process goes away. The
tombstone says who began it, and whether the service was told already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import structlog

from valetkey.audit.trail import Trail
from valetkey.connections import repository
from valetkey.connections import tombstone_repository as tombstones
from valetkey.connections.accounts import TOPIC, ConnectorBook
from valetkey.connections.model import Connection, Receipt, State
from valetkey.connections.points import Point
from valetkey.connections.refresh import Refreshing
from valetkey.connections.token_endpoint import Revoked, TokenEndpoint
from valetkey.connections.tombstone_repository import Tombstone
from valetkey.connections.trace import Trace
from valetkey.directory.model import Connector
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotFound, VaultFailed, printable
from valetkey.kernel.failpoints import reached
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database
from valetkey.store.leases import Leases
from valetkey.store.notify import Notifications
from valetkey.vault.verbs import Vault

_RECEIPTS = 200
_SETTLE_SECONDS = 5.0
_AT_ONCE = 8
_NOTHING = Revoked("not_needed", "No token was held.")


class Disconnecting:
    """Disconnects. `on_ended` runs for each connection, after its keys are gone and before its receipt."""

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
        refreshing: Refreshing,
        trail: Trail,
        trace: Trace,
        on_ended: Sequence[Callable[[Connection], Awaitable[None]]] = (),
        keyring_backups_kept: timedelta = timedelta(days=7),
    ) -> None:
        self._database = database
        self._vault = vault
        self._leases = leases
        self._notifications = notifications
        self._clock = clock
        self._connectors = connectors
        self._tokens = tokens
        self._refreshing = refreshing
        self._trail = trail
        self._trace = trace
        self._on_ended = on_ended
        self._keyring_backups_kept = keyring_backups_kept
        self._under_way: set[asyncio.Task[Receipt]] = set()

    async def disconnect(self, person_id: str, connection_id: str, *, by: str) -> Receipt:
        """Ends this person's connection. `by` is the actor, for the trail. Raises `NotFound`, for others' too."""
        async with self._database.read() as tx:
            connection = await repository.find_connection(tx, connection_id)
        if connection is None or connection.person_id != person_id:
            raise NotFound("There is no such connection.")
        return await self.end(connection, actor=by)

    async def disconnect_all(self, person_id: str, *, by: str) -> list[Receipt]:
        """Ends all of a person's connections that hold anything."""
        async with self._database.read() as tx:
            theirs = await repository.list_connections(tx, person_id)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def end(connection: Connection) -> Receipt:
            async with gate:
                return await self.end(connection, actor=by)

        held = [connection for connection in theirs if connection.state is not State.NOT_CONNECTED]
        for connection in held:  # before anybody waits for any service
            await self.bury(connection, by)
        return list(await asyncio.gather(*(end(connection) for connection in held)))

    async def shared_with(self, connection: Connection) -> list[Connection]:
        """The person's other live connections at the same authorization server: some servers end those grants too.

        For the page to say before the click (CON-34); the receipt says it after.
        """
        if not connection.issuer:
            return []
        async with self._database.read() as tx:
            theirs = await repository.list_connections(tx, connection.person_id)
        return [
            one
            for one in theirs
            if one.id != connection.id and one.issuer == connection.issuer and one.state is State.CONNECTED
        ]

    async def receipt(self, person_id: str, receipt_id: str) -> Receipt:
        """Raises `NotFound`, for another person's too."""
        async with self._database.read() as tx:
            found = await repository.find_receipt(tx, person_id=person_id, receipt_id=receipt_id)
        if found is None:
            raise NotFound("There is no such receipt.")
        return found

    async def receipts(self, person_id: str, *, before: str = "", limit: int = _RECEIPTS) -> list[Receipt]:
        """The person's receipts, the newest first; `before` is the id of the last one seen."""
        async with self._database.read() as tx:
            return await repository.list_receipts(tx, person_id, before=before, limit=limit)

    async def forget_receipts(self, person_id: str) -> None:
        """The person has erased what is kept of them."""
        async with self._database.write() as tx:
            await repository.delete_receipts(tx, person_id)

    async def resume(self) -> int:
        """At the start: takes up what a crash cut off, and destroys what no connection owns up to. How many.

        What is taken up is finished beside the caller, since a service may be slow to forget; `stop` waits for it.
        """
        async with self._database.read() as tx:
            cut_off = await repository.list_in_states(tx, [State.DISCONNECTING])
            idle = await repository.list_in_states(tx, [State.NOT_CONNECTED, State.RECONNECT])
            attempts = await repository.list_attempts(tx)
        for connection in cut_off:
            self._begin(connection, "system")
        orphans = 0
        for connection in idle:
            if connection.state is State.RECONNECT and not _is_over(connection):
                continue
            if (await self._vault.mark(connection.id)).names:
                orphans += 1
                await self._vault.shred(connection.id)
        for attempt_id in set(await self._vault.subjects("pkce_verifier")) - set(attempts):
            await self._vault.shred(attempt_id)
        return len(cut_off) + orphans

    async def stop(self) -> None:
        """Lets what is under way come to its end."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    # --- the steps --------------------------------------------------------------------------------------------------

    async def end(self, connection: Connection, *, actor: str) -> Receipt:
        """All the steps; they go on if the caller is cancelled."""
        return await asyncio.shield(self._begin(connection, actor))

    async def forget(self, connection: Connection) -> None:
        """For a connection that was removed: only now may its lease be dropped, since fences then begin anew."""
        await self._leases.forget(f"refresh:{connection.id}")

    def _begin(self, connection: Connection, actor: str) -> asyncio.Task[Receipt]:
        task = asyncio.get_running_loop().create_task(self._end(connection, actor))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    async def _end(self, connection: Connection, actor: str) -> Receipt:
        tombstone = await self.bury(connection, actor)  # 1.
        await self._vault.cancel(connection.id)  # 2.
        async with self._database.write() as tx:
            attempts = await repository.take_attempts_of(tx, connection.id)
        for attempt in attempts:
            if attempt.was_accepted:
                await self._vault.shred(attempt.id)
        reached(Point.DISCONNECT_CANCELLED)
        await self._refreshing.settle(connection.id, seconds=_SETTLE_SECONDS)
        if tombstone.revocation:  # before a crash, and its tokens may be gone since
            revoked = Revoked(tombstone.revocation, tombstone.revocation_detail)
        else:
            revoked = await self._revoke(connection)  # 3.
            reached(Point.DISCONNECT_REVOKED)
            async with self._database.write() as tx:
                await tombstones.update_tombstone(
                    tx, connection.id, revocation=revoked.outcome, revocation_detail=revoked.detail
                )
        reached(Point.DISCONNECT_NOTED)
        return await self._finish(connection, tombstone, revoked)

    async def bury(self, connection: Connection, actor: str) -> Tombstone:
        """The first step alone: nobody gets a ticket any more, and the rest is finished by `end` or the next start."""
        try:
            keys = len((await self._vault.mark(connection.id)).names)
        except VaultFailed:
            keys = 0  # what lies there is nothing of ours; it goes all the same
        new = Tombstone(connection.id, printable(actor, limit=79), self._clock.now(), keys, "", "")
        async with self._database.write() as tx:
            exists = await repository.set_connection(tx, connection.id, state=State.DISCONNECTING.value)
            if exists:
                await tombstones.add_tombstone_once(tx, new)
            found = await tombstones.find_tombstone(tx, connection.id)
        reached(Point.DISCONNECT_BURIED)
        await self._notifications.publish(TOPIC, connection.person_id)
        return found or new

    async def _revoke(self, connection: Connection) -> Revoked:
        if connection.method != "oauth" or not connection.issuer:
            return _NOTHING
        connector = await self._connector(connection)
        if connector is None:
            return Revoked("failed", "The connector is gone: end the access at the service yourself.")
        steps = self._trace.of(person_id=connection.person_id, connection_id=connection.id)
        server = await self._tokens.server_of(connection, connector)
        revoked = await self._tokens.revoke_sealed(connection, connector, server, steps)
        shared = await self.shared_with(connection) if revoked.outcome == "confirmed" else []
        if shared:
            names = ", ".join(one.display_name or one.label for one in shared)
            return Revoked(revoked.outcome, f"{revoked.detail} It may have ended there for {names} too.")
        return revoked

    async def _finish(self, connection: Connection, tombstone: Tombstone, revoked: Revoked) -> Receipt:
        destroyed = await self._vault.shred(connection.id)  # 4.
        if tombstone.revocation:  # taken up after a crash, which may have come after the keys had gone
            destroyed = max(destroyed, tombstone.keys)
        reached(Point.DISCONNECT_SHREDDED)
        for ended in self._on_ended:  # 5.
            await ended(connection)
        now = self._clock.now()
        connector = await self._connector(connection)
        receipt = Receipt(
            id=new_id("rcpt"),
            person_id=connection.person_id,
            at=now,
            connector_name=connector.name if connector else "(removed)",
            connector_host=connector.origin.partition("://")[2] if connector else "",
            label=connection.label,
            keys_destroyed=destroyed,
            revocation=revoked.outcome,
            revocation_detail=printable(revoked.detail, limit=400),
            unrecoverable_after=now + self._keyring_backups_kept,
        )
        # Before the tombstone goes: rather twice in the trail, should we be cut off here, than not at all.
        await self._trail.write(
            "connection.disconnected",
            actor=tombstone.actor,
            organization_id=connection.organization_id,
            person_id=connection.person_id,
            object=connection.id,
            detail={"receipt": receipt.id, "keys_destroyed": destroyed, "revocation": revoked.outcome},
        )
        reached(Point.DISCONNECT_TOLD)
        async with self._database.write() as tx:  # 6.
            await repository.set_connection(tx, connection.id, **_BLANK)
            await repository.insert_receipt(tx, receipt)
            await tombstones.delete_tombstone(tx, connection.id)
        reached(Point.DISCONNECT_WRITTEN)
        await self._notifications.publish(TOPIC, connection.person_id)
        return receipt

    async def _connector(self, connection: Connection) -> Connector | None:
        try:
            return await self._connectors.by_id(connection.connector_id)
        except NotFound:
            return None

    def _ended(self, task: asyncio.Task[Receipt]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Whoever waits gets it too; the connection stays *disconnecting* and the next start finishes it.
            structlog.get_logger(__name__).error("disconnecting was cut off", error=repr(error))


def _is_over(connection: Connection) -> bool:
    """Whether the server has ended what was granted, so that what is still held of it is of no use to anybody."""
    return connection.method == "oauth" and not connection.has_refresh_token and connection.expires_at is None


_BLANK = {
    "state": State.NOT_CONNECTED.value,
    "state_reason": "",
    "issuer": "",
    "resource": "",
    "requested_scope": "",
    "granted_scope": "",
    "has_refresh_token": False,
    "expires_at": None,
    "generation": 0,
    "connected_at": None,
    "quarantined_at": None,
}
