"""The SQL of erasing records of the log, by a person's wish or by age: the hash of each stays, and the record goes.

What erased it is in the record's place: the id of the deletion, which is itself a record, and says of how many leaves
and of which. So the tree stays what was signed, and nobody hides a leaf that they blanked behind somebody's erasure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.audit import log_repository
from valetkey.audit.leaves import CALL, DELETION, EVENT, RECORDS, Erasing, erased
from valetkey.audit.merkle import Frontier
from valetkey.audit.verify_repository import LeafRow
from valetkey.kernel.ids import new_id
from valetkey.store.schema import call_record, trail_event, trail_leaf

_PLACES = select(trail_leaf.c.seq, trail_leaf.c.hash).order_by(trail_leaf.c.seq)


async def find_last_event(tx: AsyncConnection) -> str:
    """The reference of the newest event, empty for none."""
    return str((await tx.execute(select(func.max(trail_event.c.seq)))).scalar() or "")


@dataclass(frozen=True, slots=True)
class OldCall:
    """What of a call says whether it is to go."""

    id: str
    organization_id: str
    person_id: str
    started_at: datetime


async def count_calls_before(tx: AsyncConnection, instant: datetime) -> int:
    return int((await tx.execute(select(func.count()).where(call_record.c.started_at < instant))).scalar_one())


async def find_calls_before(tx: AsyncConnection, instant: datetime, *, after: str, limit: int) -> list[OldCall]:
    """Begun before `instant`, by id, from the one after `after` on."""
    columns = (call_record.c.id, call_record.c.organization_id, call_record.c.person_id, call_record.c.started_at)
    query = select(*columns).where(call_record.c.id > after, call_record.c.started_at < instant)
    return [OldCall(*row) for row in await tx.execute(query.order_by(call_record.c.id).limit(limit))]


async def erase_old_calls(tx: AsyncConnection, call_ids: Sequence[str], *, before: int) -> int:
    """As `erase_records`, of calls that are too old: all of them begun before `before`. How many there were.

    One that is older than the log has no leaf, and just goes.
    """
    log = await log_repository.lock_head(tx)
    which = (trail_leaf.c.kind == CALL, trail_leaf.c.reference.in_(call_ids))
    leaves = [(row.seq, bytes(row.hash)) for row in await tx.execute(_PLACES.where(*which))]
    deleted = (await tx.execute(delete(call_record).where(call_record.c.id.in_(call_ids)))).rowcount
    await _blank(tx, log, leaves, {"person_id": "", "before": before, "calls": deleted})
    return deleted


async def erase_records(tx: AsyncConnection, leaves: Sequence[LeafRow], person_id: str) -> None:
    """Lets go of what these leaves tell, in the log and in the tables, and says so in the log."""
    log = await log_repository.lock_head(tx)
    calls = [leaf.reference for leaf in leaves if leaf.kind == CALL]
    events = [int(leaf.reference) for leaf in leaves if leaf.kind == EVENT]
    deleted = (await tx.execute(delete(call_record).where(call_record.c.id.in_(calls)))).rowcount if calls else 0
    if events:
        await tx.execute(delete(trail_event).where(trail_event.c.seq.in_(events)))
    places = [(leaf.seq, leaf.hash) for leaf in leaves]
    await _blank(tx, log, places, {"person_id": person_id, "before": 0, "calls": deleted})


async def _blank(
    tx: AsyncConnection, log: Frontier, leaves: Sequence[tuple[int, bytes]], told: dict[str, str | int]
) -> None:
    """`leaves` are place and hash, in order."""
    deletion = new_id("del")
    where = trail_leaf.c.seq.in_([seq for seq, _ in leaves])
    await tx.execute(update(trail_leaf).where(where).values(record=erased(deletion)))
    digest = Erasing()
    for seq, leaf in leaves:
        digest.add(seq, leaf)
    record: dict[str, str | int] = {
        "kind": DELETION, "id": deletion, "only": RECORDS, "leaves": digest.leaves, "digest": digest.hex(), **told,
    }  # fmt: skip
    await log_repository.append(tx, log, [(DELETION, deletion, record)])
