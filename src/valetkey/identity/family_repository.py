"""Token families in the database: a person's grant to an assistant, its code, its refresh and access tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.identity.model import Grant
from valetkey.store.schema import access_token, authorization_code, oauth_client, refresh_token, token_family

Transaction = AsyncConnection
"""What a use case passes on without looking into it."""


@dataclass(frozen=True, slots=True)
class Family:
    id: str
    person_id: str
    client_id: str
    resource: str
    scope: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Code:
    family_id: str
    redirect_uri: str
    redirect_uri_given: bool
    code_challenge: str
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    family_id: str
    expires_at: datetime
    rotated_at: datetime | None
    successor_used_at: datetime | None
    retries: int


async def add_family(tx: AsyncConnection, new: Family) -> None:
    await tx.execute(
        insert(token_family).values(
            id=new.id,
            person_id=new.person_id,
            client_id=new.client_id,
            resource=new.resource,
            scope=new.scope,
            created_at=new.created_at,
            last_used_at=new.created_at,
        )
    )


async def lock_family(tx: AsyncConnection, family_id: str) -> Family | None:
    """The family, locked until the transaction ends: everything about one family happens one after the other."""
    row = (
        await tx.execute(select(token_family).where(token_family.c.id == family_id).with_for_update(key_share=True))
    ).first()
    if row is None:
        return None
    return Family(row.id, row.person_id, row.client_id, row.resource, row.scope, row.created_at, row.ended_at)


async def end_family(tx: AsyncConnection, family_id: str, now: datetime, because: str) -> None:
    """Its access tokens go at once; its refresh tokens stay as tombstones, refused by `ended_at`."""
    await tx.execute(
        update(token_family)
        .where(token_family.c.id == family_id, token_family.c.ended_at.is_(None))
        .values(ended_at=now, ended_because=because)
    )
    await tx.execute(delete(access_token).where(access_token.c.family_id == family_id))


async def list_grants(tx: AsyncConnection, person_id: str, now: datetime) -> list[Grant]:
    """Families that still have a refresh token to go on with."""
    alive = exists().where(refresh_token.c.family_id == token_family.c.id, refresh_token.c.expires_at > now)
    rows = await tx.execute(
        select(token_family, oauth_client.c.name, oauth_client.c.kind)
        .join(oauth_client, oauth_client.c.id == token_family.c.client_id)
        .where(token_family.c.person_id == person_id, token_family.c.ended_at.is_(None), alive)
        .order_by(token_family.c.last_used_at.desc())
    )
    return [
        Grant(
            id=row.id,
            client_id=row.client_id,
            client_name=row.name,
            client_kind=row.kind,
            resource=row.resource,
            scope=row.scope,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
        )
        for row in rows
    ]


async def add_code(tx: AsyncConnection, digest: str, new: Code) -> None:
    await tx.execute(
        insert(authorization_code).values(
            hash=digest,
            family_id=new.family_id,
            redirect_uri=new.redirect_uri,
            redirect_uri_given=new.redirect_uri_given,
            code_challenge=new.code_challenge,
            expires_at=new.expires_at,
        )
    )


async def find_code(tx: AsyncConnection, digest: str) -> Code | None:
    row = (await tx.execute(select(authorization_code).where(authorization_code.c.hash == digest))).first()
    if row is None:
        return None
    return Code(
        row.family_id, row.redirect_uri, row.redirect_uri_given, row.code_challenge, row.expires_at, row.used_at
    )


async def use_code(tx: AsyncConnection, digest: str, now: datetime) -> None:
    await tx.execute(update(authorization_code).where(authorization_code.c.hash == digest).values(used_at=now))


async def add_refresh_token(
    tx: AsyncConnection, digest: str, family_id: str, now: datetime, expires_at: datetime
) -> None:
    await tx.execute(
        insert(refresh_token).values(hash=digest, family_id=family_id, created_at=now, expires_at=expires_at, retries=0)
    )


async def find_refresh_token(tx: AsyncConnection, digest: str) -> RefreshToken | None:
    row = (await tx.execute(select(refresh_token).where(refresh_token.c.hash == digest))).first()
    if row is None:
        return None
    return RefreshToken(row.family_id, row.expires_at, row.rotated_at, row.successor_used_at, row.retries)


async def rotate(tx: AsyncConnection, digest: str, family_id: str, now: datetime) -> None:
    """The current refresh token is being used for the first time.

    The one before it is done with (its successor is in use), and so are its other successors, which were handed out to
    retries: whoever presents one of those from now on holds a copy.
    """
    of_family = refresh_token.c.family_id == family_id
    await tx.execute(
        update(refresh_token)
        .where(of_family, refresh_token.c.rotated_at.is_not(None), refresh_token.c.successor_used_at.is_(None))
        .values(successor_used_at=now)
    )
    await tx.execute(
        update(refresh_token)
        .where(of_family, refresh_token.c.rotated_at.is_(None), refresh_token.c.hash != digest)
        .values(rotated_at=now, successor_used_at=now)
    )
    await tx.execute(update(refresh_token).where(refresh_token.c.hash == digest).values(rotated_at=now))


async def count_retry(tx: AsyncConnection, digest: str) -> None:
    await tx.execute(
        update(refresh_token).where(refresh_token.c.hash == digest).values(retries=refresh_token.c.retries + 1)
    )


async def add_access_token(
    tx: AsyncConnection,
    digest: str,
    *,
    token_id: str,
    family: Family,
    refresh_digest: str,
    now: datetime,
    expires_at: datetime,
) -> None:
    await tx.execute(
        insert(access_token).values(
            hash=digest,
            id=token_id,
            kind="access",
            person_id=family.person_id,
            family_id=family.id,
            refresh_hash=refresh_digest,
            name="",
            audience=family.resource,
            scope=family.scope,
            created_at=now,
            expires_at=expires_at,
        )
    )
    await tx.execute(update(token_family).where(token_family.c.id == family.id).values(last_used_at=now))


async def find_family_of_access_token(tx: AsyncConnection, digest: str) -> str | None:
    found = select(access_token.c.family_id).where(access_token.c.hash == digest, access_token.c.kind == "access")
    return (await tx.execute(found)).scalar_one_or_none()


async def remove_access_token(tx: AsyncConnection, digest: str) -> None:
    await tx.execute(delete(access_token).where(access_token.c.hash == digest))


async def purge(tx: AsyncConnection, now: datetime, *, ended_before: datetime, unredeemed_before: datetime) -> None:
    """Drops what can no longer matter: tombstones stay as long as the token they stand for would have lived."""
    await tx.execute(delete(refresh_token).where(refresh_token.c.expires_at < now))
    has_tokens = exists().where(refresh_token.c.family_id == token_family.c.id)
    gone = or_(token_family.c.ended_at < ended_before, and_(token_family.c.created_at < unredeemed_before, ~has_tokens))
    await tx.execute(delete(token_family).where(gone))
