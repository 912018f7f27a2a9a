"""Which deployment this database belongs to: an id made at the first start, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update

from valetkey.kernel.clock import Clock
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database
from valetkey.store.schema import deployment

_LOCK = 0x6465706C6F79  # "deploy"


@dataclass(frozen=True, slots=True)
class Deployment:
    """`public_url` is the one of the last start: changing it changes every callback, so a change is told."""

    id: str
    created_at: datetime
    public_url: str


async def find_or_create_deployment(database: Database, *, public_url: str, clock: Clock) -> Deployment:
    """The deployment as it was at the last start; the public URL of this start is kept for the next."""
    async with database.write() as tx:
        if database.dialect == "postgresql":  # replicas may start for the first time together
            await tx.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        row = (await tx.execute(select(deployment))).first()
        if row is not None:
            await tx.execute(update(deployment).values(public_url=public_url))
            return Deployment(row.id, row.created_at, row.public_url)
        new = Deployment(new_id("hub"), clock.now(), public_url)
        await tx.execute(insert(deployment).values(id=new.id, created_at=new.created_at, public_url=new.public_url))
        return new
