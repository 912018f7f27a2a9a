"""Who else reads calls: owners and auditors that they were made, and auditors, with a reason, what was in them.

What one reads beyond one's own is written down first, with who read it and why, and the person whose call it was sees
that with the call (ORG-19). No other role reads contents, and nobody does of another organization.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from valetkey.audit.model import ALL_CALLS, CallRecord, OfOrganization, OfPerson, Wanted
from valetkey.audit.repository import CallRecords, find_events_about
from valetkey.identity.model import Role
from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import BadInput, Forbidden, VaultFailed
from valetkey.privacy.levels import TrailWriter
from valetkey.store.database import Database
from valetkey.vault.day_keys import DayKey

LONGEST_REASON: Final = 300
_READ: Final = "call.read"
_MOST: Final = 200


class OpensDays(Protocol):
    """What reading needs of `vault.day_keys`."""

    async def existing(self, person_id: str, tenant: str, day: str) -> DayKey: ...


class Reader(Protocol):
    """Who reads: a person, or a token's principal."""

    @property
    def organization_id(self) -> str: ...

    @property
    def role(self) -> Role: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A call with its contents. `contents` is `shown`, `none` (nothing was kept) or `erased`."""

    call: CallRecord
    contents: str
    request: bytes | None
    response: bytes | None


@dataclass(frozen=True, slots=True)
class ReadOnce:
    """That somebody read one's call: who, when, and why they said they did."""

    seq: int
    at: datetime
    actor: str
    reason: str


async def open_call(day_keys: OpensDays, call: CallRecord) -> Opened:
    """What was sent and came back, if it still can be opened. Whose it is the caller has made sure of."""
    if call.request is None and call.response is None:
        return Opened(call, "none", None, None)
    try:
        key = await day_keys.existing(call.person_id, call.organization_id, call.day)
        halves = (("request", call.request), ("response", call.response))
        opened = [None if sealed is None else key.open(sealed, about=f"{call.id}:{half}") for half, sealed in halves]
    except VaultFailed:
        return Opened(call, "erased", None, None)
    return Opened(call, "shown", opened[0], opened[1])


class Reading:
    """Reads calls of members, for whom that is."""

    def __init__(self, database: Database, calls: CallRecords, day_keys: OpensDays, trail: TrailWriter) -> None:
        self._database = database
        self._calls = calls
        self._day_keys = day_keys
        self._trail = trail

    async def list(
        self, reader: Reader, *, wanted: Wanted = ALL_CALLS, before: str = "", limit: int = 50
    ) -> Sequence[CallRecord]:
        """Calls of the reader's organization, newest first, without contents. Raises `Forbidden`."""
        _demand(reader, Act.SEE_CALLS)
        return await self._calls.list(OfOrganization(reader.organization_id), wanted=wanted, before=before, limit=limit)

    async def find(self, reader: Reader, call_id: str) -> CallRecord:
        """One of them, without contents. Raises `Forbidden`, `NotFound`."""
        _demand(reader, Act.SEE_CALLS)
        return await self._calls.find(call_id, OfOrganization(reader.organization_id))

    async def open(self, reader: Reader, call_id: str, *, reason: str, actor: str) -> Opened:
        """One of them with its contents. It is in the trail before it is opened, and its person sees it.

        Raises `Forbidden`, `NotFound`, and `BadInput` without a reason.
        """
        _demand(reader, Act.READ_CONTENTS)
        reason = reason.strip()
        if not 0 < len(reason) <= LONGEST_REASON or not reason.isprintable():
            raise BadInput(
                f"Say why, in at most {LONGEST_REASON} characters: whose call it is reads it.", field="reason"
            )
        found = await self.find(reader, call_id)
        await self._trail.write(
            _READ, actor=actor, organization_id=found.organization_id, person_id=found.person_id, object=found.id,
            detail={"reason": reason, "connector": found.connector, "tool": found.tool[:100]},
        )  # fmt: skip
        return await open_call(self._day_keys, await self._calls.find(call_id, OfPerson(found.person_id)))

    async def of(self, person_id: str, call_id: str, *, before: int = 0, limit: int = _MOST) -> Sequence[ReadOnce]:
        """Who read this call of the person's, newest first, from before number `before` on. Raises `NotFound`."""
        await self._calls.find(call_id, OfPerson(person_id))
        async with self._database.read() as tx:
            events = await find_events_about(tx, call_id, OfPerson(person_id), before=before, limit=limit, only=_READ)
        return [ReadOnce(one.seq, one.at, one.actor, str(one.detail.get("reason", ""))) for one in events]


def _demand(reader: Reader, act: Act) -> None:
    if not may(reader.role, act):
        raise Forbidden("Your role in the organization does not allow this.")
