"""A person has erased what is kept of them here; their account stays, and so do their settings.

    1. that it begins goes to the trail
    2. every connection is ended as they would end it, revoked at its service, destroyed; approvals go with it
    3. what their calls sent and got cannot be opened any more: the keys of their days are destroyed
    4. a yes to training is taken back, and receipts of earlier disconnects are forgotten
    5. piece by piece, what the log tells of them: of each record its hash stays, and the log verifies
    6. the receipt: in numbers, for them to keep; and in the trail

What was cut off is gone on with by asking once more; the receipt says how far it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from valetkey.audit.erasure import Erasure
from valetkey.audit.kept_results import KeptResults
from valetkey.audit.trail import Trail
from valetkey.connections.model import Connection, Receipt
from valetkey.identity.model import Person
from valetkey.kernel.clock import Clock
from valetkey.kernel.ids import new_id
from valetkey.privacy import erase_repository as repository
from valetkey.privacy.consent import Consents
from valetkey.privacy.holds import Holds
from valetkey.store.database import Database
from valetkey.vault.day_keys import FindsDayKeys

_CONFIRMED = ("confirmed", "not_needed")
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Erased:
    """The receipt: what went, and how far it is. `next_from` and `end` are places in the log."""

    id: str
    person_id: str
    began_at: datetime
    finished_at: datetime | None
    connections: int
    unconfirmed: int
    days: int
    calls: int
    events: int
    next_from: int
    end: int

    @property
    def percent(self) -> int:
        """How much of the log was gone through."""
        return 100 if self.finished_at is not None or self.end == 0 else self.next_from * 100 // self.end


class Connections(Protocol):
    """What erasing needs of `connections.accounts`."""

    async def list(self, person_id: str) -> Sequence[Connection]: ...

    async def remove(self, person_id: str, connection_id: str, *, by: str) -> Receipt: ...


class ForgetsReceipts(Protocol):
    """What erasing needs of `connections.disconnect`."""

    async def forget_receipts(self, person_id: str) -> None: ...


class Erasing:
    """Erases, step by step. Who asks, the door has made sure of: the person, who proved it just now."""

    def __init__(
        self,
        database: Database,
        *,
        connections: Connections,
        receipts: ForgetsReceipts,
        day_keys: FindsDayKeys,
        consents: Consents,
        holds: Holds,
        flush_calls: Callable[[], Awaitable[None]],
        trail: Trail,
        clock: Clock,
    ) -> None:
        self._database = database
        self._connections = connections
        self._receipts = receipts
        self._day_keys = day_keys
        self._consents = consents
        self._holds = holds
        self._flush_calls = flush_calls
        self._trail = trail
        self._clock = clock
        self._erasure = Erasure(database)

    async def step(self, person: Person, *, by: str) -> Erased:
        """The next step of the erasure that is under way, or the first of a new one. `by` is the actor.

        Raises `Conflict` under a hold of their organization, with its reason; one that was begun is done.
        """
        async with self._database.read() as tx:
            found = await repository.find_unfinished(tx, person.id)
        if found is None:
            await self._holds.demand_none(person, "Erasing")
            return await self._begin(person, by)
        return await self._go_on(person, Erased(*found), by)

    async def receipts(self, person_id: str, *, before: str = "", limit: int = _SHOWN) -> Sequence[Erased]:
        """What the person had erased, newest first; `before` is the id of the last one seen."""
        async with self._database.read() as tx:
            return [Erased(*row) for row in await repository.list_of(tx, person_id, before=before, limit=limit)]

    async def _begin(self, person: Person, by: str) -> Erased:
        await self._tell("data.erasure_began", person, by, {})  # 1.
        ended = [
            await self._connections.remove(person.id, one.id, by=by)  # 2.
            for one in await self._connections.list(person.id)
        ]
        days = await self._day_keys.destroy(person.id)  # 3.
        await KeptResults(self._database).forget(person.id)
        await self._consents.withdraw(person, actor=by)  # 4.
        await self._receipts.forget_receipts(person.id)
        await self._flush_calls()  # so that no call that ended before is written after
        unconfirmed = sum(one.revocation not in _CONFIRMED for one in ended)
        begun = Erased(
            id=new_id("erasure"), person_id=person.id, began_at=self._clock.now(), finished_at=None,
            connections=len(ended), unconfirmed=unconfirmed, days=days, calls=0, events=0, next_from=0,
            end=await self._erasure.end(),
        )  # fmt: skip
        async with self._database.write() as tx:
            await repository.add(tx, begun)
        told = {"connections": begun.connections, "unconfirmed": unconfirmed, "days": days}
        await self._tell("data.connections_ended", person, by, told)  # newer than all that is erased now
        return begun

    async def _go_on(self, person: Person, before: Erased, by: str) -> Erased:
        piece = await self._erasure.piece(person.id, start=before.next_from, end=before.end)  # 5.
        now = replace(
            before, calls=before.calls + piece.calls, events=before.events + piece.events,
            next_from=piece.next_from if piece.next_from >= 0 else before.end,
        )  # fmt: skip
        if piece.next_from < 0:
            now = replace(now, finished_at=self._clock.now())
            counts = {"connections": now.connections, "unconfirmed": now.unconfirmed, "days": now.days}
            await self._tell("data.erased", person, by, {**counts, "calls": now.calls, "events": now.events})  # 6.
        async with self._database.write() as tx:
            await repository.set_progress(tx, now)
        return now

    async def _tell(self, event: str, person: Person, by: str, detail: Mapping[str, object]) -> None:
        await self._trail.write(
            event, actor=by, organization_id=person.organization_id, person_id=person.id, object=person.id,
            detail=dict(detail),
        )  # fmt: skip
