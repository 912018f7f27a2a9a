"""The SQL of the log: `trail_leaf` and `trail_head`."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.audit.leaves import Leaf, placed
from valetkey.audit.merkle import Frontier, leaf_hash
from valetkey.store.schema import trail_head, trail_leaf

StoreFailed = SQLAlchemyError
"""What reading or writing the log raises when the database does not answer, or does not take it."""

_COLUMNS = ("seq", "kind", "reference", "hash", "record")
_SIZES = (500, 250, 100, 50, 20, 10, 5, 2, 1)  # few, so that every statement stays prepared


async def lock_head(tx: AsyncConnection) -> Frontier:
    """The log as it stands. Until this transaction ends, nobody else appends."""
    query = select(trail_head.c.size, trail_head.c.peaks).where(trail_head.c.id == 1).with_for_update()
    head = (await tx.execute(query)).one()
    return Frontier.from_bytes(head.size, bytes(head.peaks))


async def append(tx: AsyncConnection, frontier: Frontier, records: Sequence[Leaf]) -> None:
    """Appends a leaf for each record. `frontier` is from `lock_head` of the same transaction."""
    if not records:
        return
    on_postgresql = tx.dialect.name == "postgresql"
    for some in _in_sizes(records):  # also made in portions: the event loop has other things to do in between
        rows = [_row(frontier, record) for record in some]
        values = tuple(chain.from_iterable(rows))
        await tx.exec_driver_sql(_statement(len(rows), on_postgresql=on_postgresql), values)
    await tx.execute(
        update(trail_head).where(trail_head.c.id == 1).values(size=frontier.size, peaks=frontier.to_bytes())
    )


async def find_head(tx: AsyncConnection) -> Frontier:
    """The log as it stands, for reading."""
    head = (await tx.execute(select(trail_head.c.size, trail_head.c.peaks).where(trail_head.c.id == 1))).one()
    return Frontier.from_bytes(head.size, bytes(head.peaks))


def _row(frontier: Frontier, leaf: Leaf) -> tuple[Any, ...]:
    kind, reference, record = leaf
    seq = frontier.size
    written = placed(record, seq)
    hashed = leaf_hash(written)
    frontier.append(hashed)
    return seq, kind, reference, hashed, written


async def find_hashes(tx: AsyncConnection, size: int) -> list[bytes]:
    """The first `size` leaves."""
    return await find_hashes_between(tx, 0, size)


async def find_hashes_between(tx: AsyncConnection, start: int, end: int) -> list[bytes]:
    """The leaves from `start` on, before `end`."""
    where = (trail_leaf.c.seq >= start, trail_leaf.c.seq < end)
    query = select(trail_leaf.c.hash).where(*where).order_by(trail_leaf.c.seq)
    return [bytes(leaf) for leaf in (await tx.execute(query)).scalars()]


async def find_known(tx: AsyncConnection, kind: str, references: Sequence[str]) -> set[str]:
    """Those of `references` that have a leaf."""
    query = select(trail_leaf.c.reference).where(trail_leaf.c.kind == kind, trail_leaf.c.reference.in_(references))
    return set((await tx.execute(query)).scalars())


def _in_sizes(records: Sequence[Leaf]) -> Iterator[list[Leaf]]:
    left = iter(records)
    count = len(records)
    while count:
        size = next(size for size in _SIZES if size <= count)
        yield list(islice(left, size))
        count -= size


@functools.cache
def _statement(rows: int, *, on_postgresql: bool) -> str:
    width = len(_COLUMNS)
    if on_postgresql:
        marks = (", ".join(f"${row * width + column}" for column in range(1, width + 1)) for row in range(rows))
    else:
        marks = (", ".join("?" * width) for _ in range(rows))
    places = ", ".join(f"({row})" for row in marks)
    # Only our own column names and placeholders are put together here.
    return f"insert into trail_leaf ({', '.join(_COLUMNS)}) values {places}"  # noqa: S608 – ours
