"""The SQL of erasing what the log tells of one person: the hash of each record stays, and the record goes.

What erased it is in the record's place: the id of the deletion, which is itself a record, and says of how many leaves
and of which. So the tree stays what was signed, and nobody hides a leaf that they blanked behind somebody's erasure.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.audit import log_repository
from valetkey.audit.leaves import CALL, DELETION, EVENT, RECORDS, Erasing, erased
from valetkey.audit.verify_repository import LeafRow
from valetkey.kernel.ids import new_id
from valetkey.store.schema import call_record, trail_event, trail_leaf


async def find_last_event(tx: AsyncConnection) -> str:
    """The reference of the newest event, empty for none."""
    return str((await tx.execute(select(func.max(trail_event.c.seq)))).scalar() or "")


async def erase_records(tx: AsyncConnection, leaves: Sequence[LeafRow], person_id: str) -> None:
    """Lets go of what these leaves tell, in the log and in the tables, and says so in the log."""
    log = await log_repository.lock_head(tx)
    deletion = new_id("del")
    calls = [leaf.reference for leaf in leaves if leaf.kind == CALL]
    events = [int(leaf.reference) for leaf in leaves if leaf.kind == EVENT]
    deleted = (await tx.execute(delete(call_record).where(call_record.c.id.in_(calls)))).rowcount if calls else 0
    if events:
        await tx.execute(delete(trail_event).where(trail_event.c.seq.in_(events)))
    seqs = [leaf.seq for leaf in leaves]
    await tx.execute(update(trail_leaf).where(trail_leaf.c.seq.in_(seqs)).values(record=erased(deletion)))
    digest = Erasing()
    for leaf in leaves:
        digest.add(leaf.seq, leaf.hash)
    record: dict[str, str | int] = {
        "kind": DELETION, "id": deletion, "person_id": person_id, "before": 0, "calls": deleted, "only": RECORDS,
        "leaves": digest.leaves, "digest": digest.hex(),
    }  # fmt: skip
    await log_repository.append(tx, log, [(DELETION, deletion, record)])
