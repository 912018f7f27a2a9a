"""Open invitations. Each function runs in the transaction it is given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.identity.model import Invitation, Role
from valetkey.store.schema import invitation


async def add(tx: AsyncConnection, new: Invitation) -> None:
    values = {column.name: getattr(new, column.name) for column in invitation.columns}
    await tx.execute(insert(invitation).values(values))


async def list_of(tx: AsyncConnection, organization_id: str, now: datetime) -> list[Invitation]:
    return await _list(tx, [invitation.c.organization_id == organization_id, invitation.c.expires_at > now])


async def list_to(tx: AsyncConnection, person_id: str, now: datetime) -> list[Invitation]:
    return await _list(tx, [invitation.c.person_id == person_id, invitation.c.expires_at > now])


async def remove(tx: AsyncConnection, invitation_id: str) -> bool:
    return (await tx.execute(delete(invitation).where(invitation.c.id == invitation_id))).rowcount == 1


async def remove_between(tx: AsyncConnection, organization_id: str, person_id: str) -> None:
    """The one that is open, or ran out."""
    await tx.execute(
        delete(invitation).where(invitation.c.organization_id == organization_id, invitation.c.person_id == person_id)
    )


async def _list(tx: AsyncConnection, conditions: Sequence[ColumnElement[Any]]) -> list[Invitation]:
    query = select(invitation).where(*conditions).order_by(invitation.c.created_at, invitation.c.id)
    return [
        Invitation(row.id, row.organization_id, row.person_id, Role(row.role), row.invited_by, row.created_at,
                   row.expires_at)
        for row in await tx.execute(query)
    ]  # fmt: skip
