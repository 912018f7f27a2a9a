"""The SQL of accepted prompts and templates."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.directory.fingerprint import read_listed
from valetkey.directory.model import PINNED, Kept, Tool
from valetkey.store.schema import listed_pin

Transaction = AsyncConnection
"""What verbs hand on that do several things in one."""
_RAW = msgspec.json.Decoder(list[msgspec.Raw])


async def find_listed(tx: AsyncConnection, connection_id: str, method: str) -> Kept:
    """What is kept of the list; nothing, when it was never seen."""
    of_list = (listed_pin.c.connection_id == connection_id) & (listed_pin.c.method == method)
    row = (await tx.execute(select(listed_pin).where(of_list))).first()
    if row is None:
        return Kept(connection_id, method)
    accepted, held = (
        {tool.name: tool for tool in (read_listed(bytes(raw), PINNED[method]) for raw in _RAW.decode(column))}
        for column in (row.accepted, row.held)
    )
    return Kept(connection_id, method, accepted, held, row.is_whole, row.began_at)


async def put_listed(tx: AsyncConnection, kept: Kept, dialect: str) -> None:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    values = {
        "accepted": _array(kept.accepted.values()),
        "held": _array(kept.held.values()),
        "is_whole": kept.is_whole,
        "began_at": kept.began_at,
    }
    await tx.execute(
        insert(listed_pin)
        .values(connection_id=kept.connection_id, method=kept.method, **values)
        .on_conflict_do_update(index_elements=[listed_pin.c.connection_id, listed_pin.c.method], set_=values)
    )


def _array(tools: Iterable[Tool]) -> bytes:
    return b"[" + b",".join(tool.raw for tool in tools) + b"]"
