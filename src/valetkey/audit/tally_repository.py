"""Counting the calls of a connector, for whoever asks how it does: numbers only, and nobody's contents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from valetkey.audit.model import Outcome
from valetkey.store.database import Database
from valetkey.store.schema import call_record

_MOST_TIMES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Tally:
    """How many calls of one person, tool and outcome there were. `went_out`: a credential went to the service."""

    person_id: str
    tool: str
    outcome: Outcome
    went_out: bool
    calls: int


class Tallies:
    """Reads the call log, of every organization of this hub."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, connector: str, *, since: datetime) -> tuple[Sequence[Tally], Sequence[int]]:
        """Tallies of the connector of this slug; and how long the newest 10,000 calls took that went well, in µs."""
        columns = call_record.c
        wanted = (columns.connector == connector, columns.started_at >= since, columns.method == "tools/call")
        went_out = (columns.origin != "").label("went_out")
        keys = (columns.person_id, columns.tool, columns.outcome, went_out)
        async with self._database.read() as tx:
            rows = (await tx.execute(select(*keys, func.count().label("calls")).where(*wanted).group_by(*keys))).all()
            times = select(columns.duration_us).where(*wanted, columns.outcome == Outcome.OK.value)
            took = (await tx.scalars(times.order_by(columns.id.desc()).limit(_MOST_TIMES))).all()
        return [Tally(row[0], row[1], Outcome(row[2]), bool(row[3]), int(row[4])) for row in rows], took
