"""What may be learned from: of people who said yes, of calls since they did, and of those the little they said yes to.

An item is made field by field of our own words and of numbers, never by leaving something out of a record: no text that
a person, an assistant or a service wrote can be in it. Every attempt stands in the trail, with its counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from valetkey.audit.model import CallRecord, OfPerson, Wanted
from valetkey.audit.repository import CallRecords
from valetkey.identity.model import Person
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotFound
from valetkey.kernel.ids import new_id
from valetkey.privacy import consent_repository as repository
from valetkey.privacy.consent import Consents
from valetkey.privacy.levels import TrailWriter
from valetkey.store.database import Database

_AT_ONCE: Final = 200
_BETWEEN: Final = "/"  # is in no id


@dataclass(frozen=True, slots=True)
class Item:
    """One call as it may be learned from. `id` and `consent` are ours, and name nobody outside this hub."""

    id: str
    consent: str
    day: str
    outcome: str
    tool_class: str
    duration_ms: int
    request_bytes: int
    response_bytes: int


@dataclass(frozen=True, slots=True)
class Exported:
    """A part of an export; `next_after` asks for the next one, and is empty at the end."""

    items: Sequence[Item]
    next_after: str


class FindsPeople(Protocol):
    """What we need of `identity.people`."""

    async def get(self, person_id: str) -> Person: ...


class TrainingExport:
    """Yields what consent covers, part by part."""

    def __init__(
        self, database: Database, people: FindsPeople, consents: Consents, calls: CallRecords, *, clock: Clock,
        trail: TrailWriter,
    ) -> None:  # fmt: skip
        self._database = database
        self._people = people
        self._consents = consents
        self._calls = calls
        self._clock = clock
        self._trail = trail

    async def refuse(self, *, actor: str, organization_id: str, person_id: str) -> None:
        """Somebody tried who may not."""
        await self._trail.write(
            "training.export_refused", actor=actor, organization_id=organization_id, person_id=person_id,
            detail={"items": 0},
        )  # fmt: skip

    async def part(self, after: str = "", *, actor: str) -> Exported:
        """The next calls of one person who said yes. It is in the trail before it is handed out."""
        consent_id, _, before = after.partition(_BETWEEN)
        async with self._database.read() as tx:
            row = await repository.find_live(tx, consent_id) if before else await repository.next_live(tx, consent_id)
            if row is None and before:  # taken back since the last part
                row, before = await repository.next_live(tx, consent_id), ""
        items: list[Item] = []
        following = ""
        if row is not None:
            consent_id = row[0]
            items, last = await self._items(consent_id, row[1], before)
            following = f"{consent_id}{_BETWEEN}{last}" if last else consent_id
        detail: dict[str, object] = {"items": len(items), "consent": consent_id if row is not None else ""}
        await self._trail.write("training.exported", actor=actor, detail=detail)
        return Exported(items, following)

    async def withdrawn(self, after: str = "", *, limit: int = _AT_ONCE) -> Sequence[str]:
        """Items whose person took their yes back: whoever has them is to delete them."""
        async with self._database.read() as tx:
            return await repository.withdrawn_items(tx, after=after, limit=limit)

    async def _items(self, consent_id: str, person_id: str, before: str) -> tuple[list[Item], str]:
        """Of one person; and the id to go on from. Asked anew for each part: a yes can be taken back in between."""
        try:
            person = await self._people.get(person_id)
        except NotFound:
            return [], ""
        consent = await self._consents.of(person)
        if consent is None or consent.id != consent_id:
            return [], ""
        calls = await self._calls.list(
            OfPerson(person_id), wanted=Wanted(since=consent.given_at), before=before, limit=_AT_ONCE
        )
        covered = [call for call in calls if call.organization_id == consent.organization_id]
        now = self._clock.now()
        async with self._database.write() as tx:
            known = await repository.items_of(tx, [call.id for call in covered])
            new = [(call.id, new_id("item")) for call in covered if call.id not in known]
            await repository.add_items(tx, new, consent_id, now=now)
        named = {**known, **dict(new)}
        return [_item(call, named[call.id], consent_id) for call in covered], (
            calls[-1].id if len(calls) == _AT_ONCE else ""
        )


def _item(call: CallRecord, item_id: str, consent_id: str) -> Item:
    return Item(
        id=item_id,
        consent=consent_id,
        day=call.started_at.date().isoformat(),
        outcome=call.outcome.value,
        tool_class=call.tool_class,
        duration_ms=call.duration_us // 1000,
        request_bytes=call.request_bytes,
        response_bytes=call.response_bytes,
    )
