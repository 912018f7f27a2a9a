"""The trail: what happened besides calls, in the database before the act it tells of is reported done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from valetkey.audit import repository
from valetkey.audit.asked import asked_from
from valetkey.audit.model import ALL_EVENTS, Scope, TrailEvent, WantedEvents
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, printable
from valetkey.store.database import Database

_LONGEST_DETAIL = 4096
_BY_ITSELF = "system"
"""What is noticed while somebody asks for something else was not asked by them."""


class Trail:
    """Writes and reads trail events."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def write(
        self,
        event: str,
        *,
        actor: str,
        organization_id: str = "",
        person_id: str = "",
        object: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Committed when this returns.

        `event` is `noun.verb`; `actor` is `person:<id>`, `client:<id>`, `operator` or `system`; `person_id` is whom it
        concerns, who can read it; `object` is what it was done to. `detail` is small JSON without secrets or contents:
        raises `BadInput` above 4 KiB.
        """
        detail = detail or {}
        if len(json.dumps(detail)) > _LONGEST_DETAIL:
            raise BadInput("The detail of a trail event is too long.", field="detail")
        async with self._database.write() as tx:
            await repository.insert_event(
                tx,
                at=self._clock.now(),
                event=event,
                actor=printable(actor, limit=79),
                organization_id=organization_id,
                person_id=person_id,
                object=printable(object, limit=199),
                detail=dict(detail),
                asked=asked_from() if actor != _BY_ITSELF else None,
            )

    async def list(
        self, scope: Scope, *, before: int = 0, limit: int = 100, wanted: WantedEvents = ALL_EVENTS
    ) -> Sequence[TrailEvent]:
        """The newest first; `before` is the `seq` of the last one seen, 0 for the beginning."""
        async with self._database.read() as tx:
            return await repository.find_events(tx, scope, before=before, limit=limit, wanted=wanted)
