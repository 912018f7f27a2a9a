"""Counting an organization's calls, day by day: who made how many with what, and never what was in them (ORG-15)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.audit.model import Outcome
from valetkey.store.schema import call_record

_ANSWERED: Final = [
    outcome.value
    for outcome in (
        *(Outcome.OK, Outcome.TOOL_ERROR, Outcome.PROTOCOL_ERROR, Outcome.HTTP_ERROR, Outcome.TIMEOUT),
        Outcome.TOO_LARGE,
    )
]
"""What only a service that was asked leads to. Of the others that a credential went there says so: also of questions,

which the hub asks as well; one by a service that wants no credential is not counted.
"""
_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Used:
    """How many calls of a connector one person made on a day by one client; `carried`: those that reached it."""

    day: date
    connector: str
    client: str
    person_id: str
    calls: int
    carried: int


async def find_used(
    tx: AsyncConnection, organization_id: str, *, first: date, last: date, connector: str = ""
) -> AsyncIterator[Used]:
    """Of these days, both with them, in order of day and connector; of every connector, if none is named."""
    columns = call_record.c
    wanted = [
        columns.organization_id == organization_id,
        columns.day.between(first.isoformat(), last.isoformat()),
        columns.method == "tools/call",
        columns.connector == connector if connector else columns.connector != "",
    ]
    carried = case((or_(columns.outcome.in_(_ANSWERED), columns.origin != ""), 1), else_=0)
    keys = (columns.day, columns.connector, columns.client, columns.person_id)
    query = (
        select(*keys, func.count().label("calls"), func.sum(carried).label("carried"))
        .where(and_(*wanted))
        .group_by(*keys)
        .order_by(columns.day, columns.connector)
    )
    async with tx.stream(query.execution_options(yield_per=_AT_ONCE)) as rows:
        async for day, slug, client, person_id, calls, reached in rows:
            yield Used(date.fromisoformat(day), slug, client, person_id, calls, int(reached))
