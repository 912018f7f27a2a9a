"""What people sign in with, in the database: links, passwords, passkeys, challenges, and failed attempts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.identity.model import LinkPurpose, Passkey
from valetkey.kernel.errors import Conflict
from valetkey.store.schema import passkey, passkey_challenge, password, signin_failure, signin_link

# --- links --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredLink:
    person_id: str
    purpose: LinkPurpose
    expires_at: datetime


async def replace_link(tx: AsyncConnection, digest: str, link: StoredLink, now: datetime) -> None:
    """Stores the link as the person's only one."""
    await tx.execute(delete(signin_link).where(signin_link.c.person_id == link.person_id))
    await tx.execute(
        insert(signin_link).values(
            hash=digest, person_id=link.person_id, purpose=link.purpose, created_at=now, expires_at=link.expires_at
        )
    )


async def take_link(tx: AsyncConnection, digest: str) -> StoredLink | None:
    """Using up is deleting: of many who ask at once, one gets the row."""
    taken = await tx.execute(delete(signin_link).where(signin_link.c.hash == digest).returning(signin_link))
    row = taken.first()
    return StoredLink(row.person_id, row.purpose, row.expires_at) if row else None


# --- passwords ----------------------------------------------------------------------------------------------------


async def set_password(tx: AsyncConnection, person_id: str, hashed: str, now: datetime) -> None:
    changed = await tx.execute(
        update(password).where(password.c.person_id == person_id).values(hash=hashed, changed_at=now)
    )
    if changed.rowcount == 0:
        await tx.execute(insert(password).values(person_id=person_id, hash=hashed, changed_at=now))


async def find_password(tx: AsyncConnection, person_id: str) -> str | None:
    return (await tx.execute(select(password.c.hash).where(password.c.person_id == person_id))).scalar_one_or_none()


async def remove_password(tx: AsyncConnection, person_id: str) -> bool:
    return (await tx.execute(delete(password).where(password.c.person_id == person_id))).rowcount > 0


# --- failed attempts ----------------------------------------------------------------------------------------------


async def add_failures(tx: AsyncConnection, attempts: dict[str, str], now: datetime) -> None:
    """`attempts`: id of the row to subject (`account:<login>`, `network:<prefix>`)."""
    rows = [{"id": key, "subject": subject, "at": now} for key, subject in attempts.items()]
    await tx.execute(insert(signin_failure), rows)


async def count_failures(tx: AsyncConnection, subject: str, since: datetime) -> tuple[int, datetime | None]:
    """How many since then, and when the oldest of them was."""
    row = (
        await tx.execute(
            select(func.count(), func.min(signin_failure.c.at)).where(
                signin_failure.c.subject == subject, signin_failure.c.at > since
            )
        )
    ).one()
    return row[0], row[1]


async def forget_attempts(tx: AsyncConnection, ids: list[str]) -> None:
    await tx.execute(delete(signin_failure).where(signin_failure.c.id.in_(ids)))


async def forget_failures(tx: AsyncConnection, subject: str) -> None:
    await tx.execute(delete(signin_failure).where(signin_failure.c.subject == subject))


# --- passkeys -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Challenge:
    challenge: bytes
    purpose: str
    person_id: str | None
    expires_at: datetime


async def add_challenge(tx: AsyncConnection, digest: str, new: Challenge) -> None:
    await tx.execute(
        insert(passkey_challenge).values(
            hash=digest,
            challenge=new.challenge,
            purpose=new.purpose,
            person_id=new.person_id,
            expires_at=new.expires_at,
        )
    )


async def take_challenge(tx: AsyncConnection, digest: str) -> Challenge | None:
    taken = await tx.execute(
        delete(passkey_challenge).where(passkey_challenge.c.hash == digest).returning(passkey_challenge)
    )
    row = taken.first()
    return Challenge(row.challenge, row.purpose, row.person_id, row.expires_at) if row else None


async def count_challenges(tx: AsyncConnection, purpose: str, now: datetime) -> int:
    counted = select(func.count()).where(passkey_challenge.c.purpose == purpose, passkey_challenge.c.expires_at > now)
    return (await tx.execute(counted)).scalar_one()


async def add_passkey(tx: AsyncConnection, new: Passkey) -> None:
    """Raises `Conflict` when the authenticator is registered already."""
    try:
        await tx.execute(
            insert(passkey).values(
                id=new.id,
                person_id=new.person_id,
                credential_id=new.credential_id,
                public_key=new.public_key,
                sign_count=new.sign_count,
                name=new.name,
                created_at=new.created_at,
                last_used_at=new.last_used_at,
            )
        )
    except IntegrityError as error:
        raise Conflict("This passkey is registered already.") from error


async def find_passkey(tx: AsyncConnection, credential_id: bytes) -> Passkey | None:
    row = (await tx.execute(select(passkey).where(passkey.c.credential_id == credential_id))).first()
    return _as_passkey(row) if row else None


async def list_passkeys(tx: AsyncConnection, person_id: str) -> list[Passkey]:
    rows = await tx.execute(select(passkey).where(passkey.c.person_id == person_id).order_by(passkey.c.created_at))
    return [_as_passkey(row) for row in rows]


async def count_up(tx: AsyncConnection, used: Passkey, sign_count: int, now: datetime) -> bool:
    """Writes the new counter if nobody else did since `used` was read."""
    done = await tx.execute(
        update(passkey)
        .where(passkey.c.id == used.id, passkey.c.sign_count == used.sign_count)
        .values(sign_count=sign_count, last_used_at=now)
    )
    return done.rowcount == 1


async def remove_passkey(tx: AsyncConnection, person_id: str, passkey_id: str) -> bool:
    removed = await tx.execute(delete(passkey).where(passkey.c.id == passkey_id, passkey.c.person_id == person_id))
    return removed.rowcount == 1


def _as_passkey(row: Row[Any]) -> Passkey:
    return Passkey(
        id=row.id,
        person_id=row.person_id,
        credential_id=bytes(row.credential_id),
        public_key=bytes(row.public_key),
        sign_count=row.sign_count,
        name=row.name,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )


async def purge(tx: AsyncConnection, now: datetime, failures_before: datetime) -> None:
    """Drops what has expired."""
    await tx.execute(delete(signin_link).where(signin_link.c.expires_at < now))
    await tx.execute(delete(passkey_challenge).where(passkey_challenge.c.expires_at < now))
    await tx.execute(delete(signin_failure).where(signin_failure.c.at < failures_before))
