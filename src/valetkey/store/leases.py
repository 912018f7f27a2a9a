"""Leases: at most one holder of a name over all processes, each with a fence that only grows.

A holder writes with its fence (`where fence = mine`), so one that was slow, and has been overtaken, changes nothing.
Time is the database's neighbour, the process clock: on one machine they are the same; replicas must agree to within the
margin that callers add (security.md 2.6 R03).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from valetkey.kernel.clock import Clock
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database
from valetkey.store.schema import lease


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease held: its name, its holder and its fence."""

    name: str
    owner: str
    fence: int


class Leases:
    """Takes and gives back leases."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def take(self, name: str, *, seconds: float) -> Lease | None:
        """The lease on `name` for `seconds`, or `None` while somebody else holds it."""
        now = self._clock.now()
        owner = new_id("lease")
        insert = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        async with self._database.write() as tx:
            await tx.execute(insert(lease).values(name=name, owner="", fence=0, until=now).on_conflict_do_nothing())
            taken = await tx.execute(
                update(lease)
                .where(lease.c.name == name, or_(lease.c.owner == "", lease.c.until < now))
                .values(owner=owner, fence=lease.c.fence + 1, until=now + timedelta(seconds=seconds))
                .returning(lease.c.fence)
            )
            row = taken.first()
        return Lease(name, owner, row.fence) if row else None

    async def give_back(self, held: Lease) -> None:
        """Ends the lease if it is still ours; the fence stays, so the next holder's is higher."""
        async with self._database.write() as tx:
            await tx.execute(
                update(lease).where(lease.c.name == held.name, lease.c.owner == held.owner).values(owner="")
            )

    async def is_current(self, held: Lease) -> bool:
        """Whether nobody has taken the name since."""
        async with self._database.read() as tx:
            row = (await tx.execute(select(lease.c.fence).where(lease.c.name == held.name))).first()
        return row is not None and row.fence == held.fence

    async def forget(self, name: str) -> None:
        """Drops the row when what it guarded is gone."""
        async with self._database.write() as tx:
            await tx.execute(delete(lease).where(lease.c.name == name))
