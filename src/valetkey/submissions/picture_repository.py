"""The SQL of pictures."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import submission_picture
from valetkey.submissions.png import Picture


async def add_picture(
    tx: AsyncConnection, submission_id: str, picture_hash: str, picture: Picture, *, bits: int | None, at: datetime
) -> None:
    """Once: the same picture again changes nothing. `bits` say how it looks; `None` where nobody told."""
    there = exists().where(
        submission_picture.c.submission_id == submission_id, submission_picture.c.hash == picture_hash
    )
    if not (await tx.execute(select(there))).scalar():
        await tx.execute(
            submission_picture.insert().values(
                submission_id=submission_id, hash=picture_hash, png=picture.png, width=picture.width,
                height=picture.height, at=at, likeness=None if bits is None else f"{bits:x}",
            )
        )  # fmt: skip


async def pictures_of(tx: AsyncConnection, submission_id: str) -> dict[str, int]:
    """Their hashes and widths."""
    query = select(submission_picture.c.hash, submission_picture.c.width).where(
        submission_picture.c.submission_id == submission_id
    )
    return {row.hash: row.width for row in await tx.execute(query)}


async def find_picture(tx: AsyncConnection, picture_hash: str) -> bytes | None:
    query = select(submission_picture.c.png).where(submission_picture.c.hash == picture_hash).limit(1)
    found = (await tx.execute(query)).scalar()
    return bytes(found) if found is not None else None


async def likenesses_of(tx: AsyncConnection, hashes: Collection[str]) -> dict[str, int | None]:
    """How these pictures look; `None` for those of which nobody told yet."""
    query = select(submission_picture.c.hash, submission_picture.c.likeness).where(
        submission_picture.c.hash.in_(hashes)
    )
    return {row.hash: None if row.likeness is None else int(row.likeness, 16) for row in await tx.execute(query)}


async def put_likeness(tx: AsyncConnection, picture_hash: str, bits: int) -> None:
    await tx.execute(
        submission_picture.update().where(submission_picture.c.hash == picture_hash).values(likeness=f"{bits:x}")
    )


async def forget_pictures(tx: AsyncConnection, submission_id: str, *, but: Collection[str]) -> None:
    await tx.execute(
        delete(submission_picture).where(
            submission_picture.c.submission_id == submission_id, submission_picture.c.hash.not_in(but)
        )
    )
