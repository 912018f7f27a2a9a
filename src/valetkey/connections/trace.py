"""Writing down each step of connecting, so that a failure can be looked up by its reference (CON-32).

A step is a request line without its query's values, a status, and a reason. What servers say about our requests may
repeat what we sent them, so anything that looks like a token is taken out of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

import structlog
from sqlalchemy.exc import IntegrityError

from valetkey.connections import repository
from valetkey.connections.model import StepFailed, TraceStep
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import printable
from valetkey.kernel.ids import new_id
from valetkey.net.model import Url
from valetkey.store.database import Database

KEPT = 200
"""Steps kept for one connection; the oldest go first."""

_LONGEST_REASON = 400
_STEP = timedelta(microseconds=1)
# A word with digits in it, or a very long one, is more likely a token than a word.
_TOKENLIKE = re.compile(r"(?=[^\s\"'<>]*\d)[^\s\"'<>]{10,}|[^\s\"'<>]{40,}")


class Trace:
    """The steps of all connections."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._last = clock.now()

    def of(self, *, person_id: str, connection_id: str) -> Steps:
        """Where one flow of this connection writes its steps."""
        return Steps(self._database, self._stamp, person_id=person_id, connection_id=connection_id)

    def _stamp(self) -> datetime:
        """Now, but never the same instant twice: steps are shown in their order, however fast they come."""
        self._last = max(self._clock.now(), self._last + _STEP)
        return self._last

    async def list(self, person_id: str, connection_id: str) -> list[TraceStep]:
        """The steps of this person's connection, oldest first; none for another person's."""
        async with self._database.read() as tx:
            return await repository.list_steps(tx, person_id=person_id, connection_id=connection_id)


class Steps:
    """One flow's steps, written as they happen: what broke off is on record too."""

    def __init__(
        self, database: Database, stamp: Callable[[], datetime], *, person_id: str, connection_id: str
    ) -> None:
        self._database = database
        self._stamp = stamp
        self._person_id = person_id
        self._connection_id = connection_id
        self.stage = ""
        """The stage entered last; what a deadline that passes is blamed on."""

    async def note(self, stage: str, request: str, *, status: int | None = None, reason: str = "") -> str:
        """Writes one step; its id, which is a reference."""
        self.stage = stage
        step = TraceStep(
            at=self._stamp(),
            stage=stage,
            request=printable(request, limit=_LONGEST_REASON),
            status=status,
            reason=printable(reason, limit=_LONGEST_REASON),
            id=new_id("step"),
        )
        try:
            async with self._database.write() as tx:
                await repository.insert_step(tx, step, person_id=self._person_id, connection_id=self._connection_id)
                await repository.prune_steps(tx, connection_id=self._connection_id, keep=KEPT)
        except IntegrityError:
            # The connection was removed while this went on: its trace went with it, and so may this step.
            structlog.get_logger(__name__).info("step of a removed connection", stage=stage)
        return step.id

    async def failed(
        self,
        message: str,
        *,
        kind: str,
        stage: str,
        party: str,
        hint: str = "",
        request: str = "",
        status: int | None = None,
    ) -> StepFailed:
        """Writes the step that ends a flow, naming `party`; the error to raise."""
        reference = await self.note(stage, request, status=status, reason=f"{party}: {message}" if party else message)
        return StepFailed(message, kind=kind, stage=stage, party=party, hint=hint, reference=reference)


def request_line(method: str, url: Url) -> str:
    """`GET https://host/path?name=…`: the values of a query may be secrets, its names are not."""
    names = "&".join(f"{name}=…" for name, _ in parse_qsl(url.query, keep_blank_values=True))
    return f"{method} {url.origin}{url.path or '/'}" + (f"?{names}" if names else "")


def scrubbed(text: str) -> str:
    """A server's own words, bounded, without anything in them that looks like a token."""
    return _TOKENLIKE.sub("…", printable(text))
