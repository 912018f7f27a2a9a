"""Alerts (S-08): what a service does that it did not do before, noted once for each cause, and counted from then on.

Who notices must not wait for it: `notice` returns at once, and the first of a cause is written beside. An alert says
what was noticed in words of ours; what a result said stays in the record of its call, sealed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import structlog

from valetkey.audit import alert_repository as repository
from valetkey.audit.log_repository import StoreFailed
from valetkey.audit.trail import Trail
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotFound, ValetkeyError, printable
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database

QUIET: Final = 60.0
"""Seconds in which the same again is counted in memory."""
AGAIN: Final = timedelta(days=1)
"""After so long without it, what was dismissed is news once more."""
KEPT: Final = timedelta(days=90)
_MOST: Final = 10_000
_SUBJECT: Final = 255
_WORDS: Final = 400


class AlertKind(StrEnum):
    """What was noticed."""

    DRIFT = "drift"
    HOST = "new_host"
    SCOPE = "new_scope"
    ERRORS = "errors"
    SIZE = "size"
    USES = "uses"
    HOUR = "hour"
    ORDERS = "orders"
    ECHO = "echo"
    NAME = "same_name"
    PROTOCOL = "protocol"
    CERTIFICATE = "certificate"
    REPORT = "reported"

    @property
    def label(self) -> str:
        """In a few words, for people."""
        return _LABELS[self]


_LABELS: Final = {
    AlertKind.DRIFT: "Tool changed",
    AlertKind.HOST: "New address",
    AlertKind.SCOPE: "More granted than asked",
    AlertKind.ERRORS: "Many errors",
    AlertKind.SIZE: "Unusually large result",
    AlertKind.USES: "Used unusually often",
    AlertKind.HOUR: "Used at an unusual hour",
    AlertKind.NAME: "Name of another's tool",
    AlertKind.PROTOCOL: "Another revision of MCP",
    AlertKind.CERTIFICATE: "Certificate by another issuer",
    AlertKind.ORDERS: "Reads like orders",
    AlertKind.ECHO: "Credential said back",
    AlertKind.REPORT: "Reported by a person",
}


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something unusual about a connection. `subject` is what tells causes of one kind apart: a tool, a host, a scope.

    `call_id` is the call it was noticed in, if it was one.
    """

    organization_id: str
    person_id: str
    connection_id: str
    connector: str
    kind: AlertKind
    subject: str
    words: str
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """One cause, as its person sees it. `call_id` is the last call it was noticed in."""

    id: str
    organization_id: str
    person_id: str
    connection_id: str
    connector: str
    kind: AlertKind
    subject: str
    words: str
    call_id: str
    first_at: datetime
    last_at: datetime
    times: int
    dismissed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Summed:
    """What those see who answer for the organization: of how many people's connections, how often; never whose."""

    connector: str
    kind: AlertKind
    people: int
    times: int
    first_at: datetime
    last_at: datetime


@dataclass(slots=True)
class _Counted:
    until: float
    noticed: Noticed
    more: int = 0


class Alerts:
    """Keeps alerts. A connection's go when the connection's entry does."""

    def __init__(self, database: Database, *, clock: Clock, trail: Trail) -> None:
        self._database = database
        self._clock = clock
        self._trail = trail
        self._counted: OrderedDict[tuple[str, str, str], _Counted] = OrderedDict()
        self._writing: set[asyncio.Task[None]] = set()

    def notice(self, noticed: Noticed) -> None:
        """Counts it; the first of its cause within a minute is written down, beside."""
        key = (noticed.connection_id, noticed.kind.value, noticed.subject)
        now = self._clock.monotonic()
        known = self._counted.get(key)
        if known is not None and now < known.until:
            known.more += 1
            known.noticed = noticed
            return
        times = 1 + (known.more if known is not None else 0)
        self._counted[key] = _Counted(now + QUIET, noticed)
        self._counted.move_to_end(key)
        if len(self._counted) > _MOST:
            self._counted.popitem(last=False)
        self._begin(noticed, times)

    async def settle(self) -> None:
        """Returns when everything noticed so far is written down."""
        for counted in self._counted.values():
            if counted.more:
                self._begin(counted.noticed, counted.more)
                counted.more = 0
        while self._writing:
            await asyncio.gather(*self._writing)

    async def list(
        self, person_id: str, *, connection_id: str = "", dismissed: bool = False, limit: int = 100
    ) -> Sequence[Alert]:
        """The person's alerts, the newest first; of one connection, if it is named; with `dismissed` those too."""
        await self.settle()
        async with self._database.read() as tx:
            rows = await repository.list_alerts(
                tx, person_id, connection_id=connection_id, dismissed=dismissed, limit=limit
            )
        return [_alert(row) for row in rows]

    async def page(
        self, person_id: str, *, connection_id: str = "", dismissed: bool = False, before: str = "", limit: int
    ) -> Sequence[Alert]:
        """The same by when each was first noticed, the newest first; `before` is the id of the last one seen."""
        await self.settle()
        async with self._database.read() as tx:
            rows = await repository.page_of_alerts(
                tx, person_id, connection_id=connection_id, dismissed=dismissed, before=before, limit=limit
            )
        return [_alert(row) for row in rows]

    async def get(self, person_id: str, alert_id: str) -> Alert:
        """Raises `NotFound`, for another person's too."""
        async with self._database.read() as tx:
            row = await repository.find_alert(tx, person_id, alert_id)
        if row is None:
            raise NotFound("There is no such alert.", hint="`valetkey alert list` shows yours.")
        return _alert(row)

    async def summed(self, organization_id: str) -> Sequence[Summed]:
        """What was noticed at the organization's connectors in the time that alerts are kept, the newest first.

        That its person dismissed an alert does not hide it here.
        """
        await self.settle()
        async with self._database.read() as tx:
            rows = await repository.sum_alerts(tx, organization_id)
        return [Summed(row[0], AlertKind(row[1]), *row[2:]) for row in rows]

    async def dismiss(self, person_id: str, alert_id: str, *, by: str) -> Alert:
        """The person has seen it. The same cause is news again when it was quiet for a day. Raises `NotFound`."""
        found = await self.get(person_id, alert_id)
        if found.dismissed_at is None:
            await self._tell("alert.dismissed", found, actor=by)
            async with self._database.write() as tx:
                await repository.dismiss(tx, found.id, self._clock.now())
        return await self.get(person_id, alert_id)

    async def sweep(self) -> int:
        """Lets go of those that were last noticed before the time they are kept for; how many."""
        async with self._database.write() as tx:
            return await repository.delete_before(tx, self._clock.now() - KEPT)

    # --- within -------------------------------------------------------------------------------------------------------

    def _begin(self, noticed: Noticed, times: int) -> None:
        task = asyncio.get_running_loop().create_task(self._write(noticed, times))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, noticed: Noticed, times: int) -> None:
        now = self._clock.now()
        new = Alert(
            id=new_id("alert"),
            organization_id=noticed.organization_id,
            person_id=noticed.person_id,
            connection_id=noticed.connection_id,
            connector=noticed.connector,
            kind=noticed.kind,
            subject=printable(noticed.subject, limit=_SUBJECT - 1) if noticed.subject else "",
            words=printable(noticed.words, limit=_WORDS),
            call_id=noticed.call_id,
            first_at=now,
            last_at=now,
            times=times,
            dismissed_at=None,
        )
        try:
            async with self._database.write() as tx:
                is_news = await repository.note(tx, new, quiet_since=now - AGAIN, kept_since=now - KEPT)
            if is_news:
                await self._tell("alert.raised", new, actor="system")
        except (ValetkeyError, StoreFailed, OSError) as error:  # say the connection was removed meanwhile
            structlog.get_logger(__name__).warning(
                "an alert was not written", kind=new.kind.value, connection=new.connection_id, why=type(error).__name__
            )

    async def _tell(self, event: str, alert: Alert, *, actor: str) -> None:
        await self._trail.write(
            event,
            actor=actor,
            organization_id=alert.organization_id,
            person_id=alert.person_id,
            object=alert.connection_id,
            detail={"kind": alert.kind.value, "connector": alert.connector},
        )


def _alert(row: Sequence[object]) -> Alert:
    values = dict(zip(Alert.__slots__, row, strict=True))
    return Alert(**values | {"kind": AlertKind(values["kind"])})  # type: ignore[arg-type]  # columns in their order
