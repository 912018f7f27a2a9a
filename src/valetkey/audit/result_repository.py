"""The SQL of results that were kept whole because they were too large to pass on: sealed parts, by call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.audit.model import KeptOf
from valetkey.store.schema import kept_result

_OF = [kept_result.c[name] for name in ("call_id", "person_id", "organization_id", "day", "parts")]


async def add_parts(tx: AsyncConnection, of: KeptOf, first: int, sealed: Sequence[bytes]) -> None:
    rows = [{**asdict(of), "part": first + number, "sealed": one} for number, one in enumerate(sealed)]
    await tx.execute(insert(kept_result), rows)


async def count_parts(tx: AsyncConnection, person_id: str) -> int:
    query = select(func.count()).select_from(kept_result).where(kept_result.c.person_id == person_id)
    return int((await tx.execute(query)).scalar_one())


async def find_after(tx: AsyncConnection, person_id: str, call_id: str) -> KeptOf | None:
    """The person's next by id, which sorts by time, if all of its parts are there."""
    query = select(*_OF).where(kept_result.c.person_id == person_id, kept_result.c.call_id > call_id)
    whole = query.group_by(*_OF).having(func.count() == kept_result.c.parts).order_by(kept_result.c.call_id).limit(1)
    row = (await tx.execute(whole)).first()
    return KeptOf(*row) if row is not None else None


async def find(tx: AsyncConnection, call_id: str, person_id: str) -> KeptOf | None:
    """What is kept of a call of the person's, if all of its parts are there."""
    query = select(*_OF, func.count()).where(kept_result.c.call_id == call_id, kept_result.c.person_id == person_id)
    row = (await tx.execute(query.group_by(*_OF))).first()
    return KeptOf(*row[:-1]) if row is not None and row[-1] == row[-2] else None


async def part(tx: AsyncConnection, call_id: str, number: int) -> bytes | None:
    query = select(kept_result.c.sealed).where(kept_result.c.call_id == call_id, kept_result.c.part == number)
    return (await tx.execute(query)).scalar()


async def days(tx: AsyncConnection) -> list[tuple[str, str, str]]:
    """Person, organization and day of everything that is kept."""
    query = select(kept_result.c.person_id, kept_result.c.organization_id, kept_result.c.day).distinct()
    return [(row.person_id, row.organization_id, row.day) for row in await tx.execute(query)]


async def delete_day(tx: AsyncConnection, person_id: str, day: str) -> int:
    gone = await tx.execute(delete(kept_result).where(kept_result.c.person_id == person_id, kept_result.c.day == day))
    return gone.rowcount


async def delete_of_person(tx: AsyncConnection, person_id: str) -> int:
    return (await tx.execute(delete(kept_result).where(kept_result.c.person_id == person_id))).rowcount
