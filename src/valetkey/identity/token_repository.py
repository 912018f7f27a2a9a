"""Access and personal tokens in the database, found by their hash."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, and_, bindparam, delete, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.identity.model import Role, TokenInfo
from valetkey.store.schema import access_token, membership, oauth_client, person, refresh_token, token_family


@dataclass(frozen=True, slots=True)
class StoredToken:
    """What the token table knows about a presented token, with its person and client."""

    id: str
    kind: Literal["access", "personal"]
    person_id: str
    organization_id: str
    role: Role
    client_id: str
    client_name: str
    name: str
    audience: str
    scope: str
    expires_at: datetime
    first_use: bool
    family_id: str | None
    refresh_hash: str | None


async def find(tx: AsyncConnection, digest: str) -> StoredToken | None:
    """The token with this hash, of an active person, and of a family that has not ended."""
    row = (
        await tx.execute(
            select(
                access_token,
                membership.c.organization_id,
                membership.c.role,
                token_family.c.client_id,
                oauth_client.c.name.label("client_name"),
            )
            .join(person, person.c.id == access_token.c.person_id)
            .join(membership, membership.c.person_id == person.c.id)
            .outerjoin(token_family, token_family.c.id == access_token.c.family_id)
            .outerjoin(oauth_client, oauth_client.c.id == token_family.c.client_id)
            .where(access_token.c.hash == digest, person.c.state == "active", token_family.c.ended_at.is_(None))
        )
    ).first()
    return _as_token(row) if row else None


def _as_token(row: Row[Any]) -> StoredToken:
    return StoredToken(
        id=row.id,
        kind=row.kind,
        person_id=row.person_id,
        organization_id=row.organization_id,
        role=Role(row.role),
        client_id=row.client_id or "",
        client_name=row.client_name or "",
        name=row.name,
        audience=row.audience,
        scope=row.scope,
        expires_at=row.expires_at,
        first_use=row.last_used_at is None,
        family_id=row.family_id,
        refresh_hash=row.refresh_hash,
    )


async def add_personal(tx: AsyncConnection, digest: str, person_id: str, new: TokenInfo) -> None:
    await tx.execute(
        insert(access_token).values(
            hash=digest,
            id=new.id,
            kind="personal",
            person_id=person_id,
            family_id=None,
            refresh_hash=None,
            name=new.name,
            audience=new.audience,
            scope=new.scope,
            created_at=new.created_at,
            expires_at=new.expires_at,
            last_used_at=None,
        )
    )


async def list_personal(tx: AsyncConnection, person_id: str) -> list[TokenInfo]:
    rows = await tx.execute(
        select(access_token)
        .where(access_token.c.person_id == person_id, access_token.c.kind == "personal")
        .order_by(access_token.c.created_at.desc())
    )
    return [
        TokenInfo(
            id=row.id,
            name=row.name,
            audience=row.audience,
            scope=row.scope,
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
        )
        for row in rows
    ]


async def remove_personal(tx: AsyncConnection, person_id: str, token_id: str) -> bool:
    removed = await tx.execute(
        delete(access_token).where(
            access_token.c.id == token_id, access_token.c.person_id == person_id, access_token.c.kind == "personal"
        )
    )
    return removed.rowcount == 1


async def write_used(tx: AsyncConnection, used: dict[str, datetime]) -> None:
    """When each token, by id, was last used."""
    statement = (
        update(access_token)
        .where(access_token.c.id == bindparam("token_id"))
        .values(last_used_at=bindparam("used_at", type_=access_token.c.last_used_at.type))
    )
    await tx.execute(statement, [{"token_id": key, "used_at": at} for key, at in used.items()])


async def confirm_rotation(tx: AsyncConnection, token: StoredToken, now: datetime) -> None:
    """The first use of an access token: the client has the refresh token beside it, so the one before is done with.

    Only while that refresh token is the current one: a late use of an older access token says nothing about it.
    """
    beside = refresh_token.alias("beside")
    is_current = select(beside.c.hash).where(beside.c.hash == token.refresh_hash, beside.c.rotated_at.is_(None))
    await tx.execute(
        update(refresh_token)
        .where(
            refresh_token.c.family_id == token.family_id,
            refresh_token.c.rotated_at.is_not(None),
            refresh_token.c.successor_used_at.is_(None),
            exists(is_current),
        )
        .values(successor_used_at=now)
    )


async def end_everything(tx: AsyncConnection, person_id: str, now: datetime, because: str) -> None:
    """Ends every token of the person, personal ones and assistants'."""
    await tx.execute(
        update(token_family)
        .where(token_family.c.person_id == person_id, token_family.c.ended_at.is_(None))
        .values(ended_at=now, ended_because=because)
    )
    await tx.execute(delete(access_token).where(access_token.c.person_id == person_id))


async def purge(tx: AsyncConnection, now: datetime, listed_until: datetime) -> None:
    """Access tokens go when they expire; personal ones stay in their owner's list until `listed_until`."""
    gone = or_(
        and_(access_token.c.kind == "access", access_token.c.expires_at < now),
        access_token.c.expires_at < listed_until,
    )
    await tx.execute(delete(access_token).where(gone))
