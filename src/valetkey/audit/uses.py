"""Every use of one connection's credential (S-22): calls it went out with, renewals, and what began and ended it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from valetkey.audit.model import CallRecord, OfPerson, TrailEvent
from valetkey.audit.repository import find_calls_with_credential, find_events_about
from valetkey.kernel.errors import BadInput
from valetkey.store.database import Database

_CURSOR = re.compile(r"([a-z0-9_]{0,40})\.([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Use:
    """One use. `what` is `call`, or the event of the trail; `origin` is where the credential went, empty for nowhere.

    For a call `call_id`, `tool`, `client` and `outcome` say which, by whom, and how it ended.
    """

    at: datetime
    what: str
    origin: str
    client: str = ""
    call_id: str = ""
    tool: str = ""
    outcome: str = ""
    actor: str = ""


class Uses:
    """Reads them, for the person alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, connection_id: str, person_id: str, *, before: str, limit: int) -> tuple[Sequence[Use], str]:
        """The newest first, and what to give as `before` for the next page, empty at the end.

        Calls refused before the credential left are no uses. Raises `BadInput` for a place that was never given out.
        """
        found = _CURSOR.fullmatch(before or ".0")
        if found is None:
            raise BadInput("The place in the list is not one that was given out.", field="cursor")
        call_id, seq = found[1], int(found[2])
        scope = OfPerson(person_id)
        async with self._database.read() as tx:
            calls = await find_calls_with_credential(tx, connection_id, scope, before=call_id, limit=limit)
            events = await find_events_about(tx, connection_id, scope, before=seq, limit=limit)
        uses: list[Use] = []
        for call, event in _newest_first(calls, events):
            if len(uses) == limit:
                break
            if call is not None:
                uses.append(_of_call(call))
                call_id = call.id
            elif event is not None:
                uses.append(_of_event(event))
                seq = event.seq
        is_more = len(calls) + len(events) > len(uses) or limit in (len(calls), len(events))
        return uses, f"{call_id}.{seq}" if is_more else ""


def _newest_first(
    calls: Sequence[CallRecord], events: Sequence[TrailEvent]
) -> Iterator[tuple[CallRecord | None, TrailEvent | None]]:
    """Both lists as one; each keeps its own order, by which the next page goes on."""
    at = of_events = 0
    while at < len(calls) or of_events < len(events):
        call = calls[at] if at < len(calls) else None
        event = events[of_events] if of_events < len(events) else None
        if call is not None and (event is None or call.started_at >= event.at):
            at += 1
            yield call, None
        else:
            of_events += 1
            yield None, event


def _of_call(call: CallRecord) -> Use:
    return Use(
        at=call.started_at,
        what="call",
        origin=call.origin,
        client=call.client,
        call_id=call.id,
        tool=call.tool or call.method,
        outcome=call.outcome.value,
    )


def _of_event(event: TrailEvent) -> Use:
    return Use(at=event.at, what=event.event, origin=str(event.detail.get("origin", "")), actor=event.actor)
