"""Browser sessions in the database, found by the hash of their cookie."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, delete, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.identity.model import BrowserSession, Role
from valetkey.identity.model import Person as PersonValue
from valetkey.store.schema import browser_session, membership, passkey, person, sign_in_provider


def _sessions() -> Select[Any]:
    return (
        select(
            browser_session,
            person.c.login,
            person.c.display_name,
            person.c.state,
            person.c.created_at.label("person_created_at"),
            membership.c.organization_id,
            membership.c.role,
            exists().where(passkey.c.person_id == browser_session.c.person_id).label("has_passkey"),
        )
        .join(person, person.c.id == browser_session.c.person_id)
        .join(membership, membership.c.person_id == person.c.id)
        .where(person.c.state == "active")
    )


def _as_session(row: Row[Any]) -> BrowserSession:
    return BrowserSession(
        id=row.id,
        person=PersonValue(
            id=row.person_id,
            login=row.login,
            display_name=row.display_name,
            state=row.state,
            organization_id=row.organization_id,
            role=Role(row.role),
            created_at=row.person_created_at,
        ),
        method=row.method,
        csrf=row.csrf,
        user_agent=row.user_agent,
        created_at=row.created_at,
        authenticated_at=row.authenticated_at,
        last_seen_at=row.last_seen_at,
        powers_seen_at=row.powers_seen_at,
        expires_at=row.expires_at,
        has_passkey=bool(row.has_passkey),
    )


async def add(tx: AsyncConnection, digest: str, new: BrowserSession) -> None:
    await tx.execute(
        insert(browser_session).values(
            hash=digest,
            id=new.id,
            person_id=new.person.id,
            method=new.method,
            csrf=new.csrf,
            user_agent=new.user_agent,
            created_at=new.created_at,
            authenticated_at=new.authenticated_at,
            last_seen_at=new.last_seen_at,
            powers_seen_at=new.powers_seen_at,
            expires_at=new.expires_at,
        )
    )


async def must_use_provider(tx: AsyncConnection, person_id: str) -> bool:
    """Whether the person's organization lets them in through its provider only. Owners put right what is set wrong."""
    query = (
        select(sign_in_provider.c.organization_id)
        .join(membership, membership.c.organization_id == sign_in_provider.c.organization_id)
        .where(
            membership.c.person_id == person_id,
            membership.c.role != Role.OWNER,
            sign_in_provider.c.is_required.is_(True),
        )
    )
    return (await tx.execute(query)).first() is not None


async def find(tx: AsyncConnection, digest: str) -> BrowserSession | None:
    row = (await tx.execute(_sessions().where(browser_session.c.hash == digest))).first()
    return _as_session(row) if row else None


async def list_of(tx: AsyncConnection, person_id: str, now: datetime, seen_after: datetime) -> list[BrowserSession]:
    rows = await tx.execute(
        _sessions()
        .where(
            browser_session.c.person_id == person_id,
            browser_session.c.expires_at > now,
            browser_session.c.last_seen_at > seen_after,
        )
        .order_by(browser_session.c.last_seen_at.desc())
    )
    return [_as_session(row) for row in rows]


async def touch(tx: AsyncConnection, session_id: str, now: datetime, *, powers_seen_after: datetime) -> None:
    """Seen now; and its powers too, unless they have come to rest: what was idle too long is not revived by use."""
    touched = update(browser_session).where(browser_session.c.id == session_id)
    await tx.execute(touched.values(last_seen_at=now))
    awake = browser_session.c.powers_seen_at > powers_seen_after
    await tx.execute(touched.where(awake).values(powers_seen_at=now))


async def rest_powers(tx: AsyncConnection, person_id: str) -> None:
    """Lets the administrative powers of all sessions of a person rest, as if they had been away for long."""
    long_ago = datetime(1970, 1, 1, tzinfo=UTC)
    theirs = browser_session.c.person_id == person_id
    await tx.execute(update(browser_session).where(theirs).values(powers_seen_at=long_ago))


async def end(tx: AsyncConnection, session_id: str) -> str | None:
    """The person whose session it was."""
    ended = await tx.execute(
        delete(browser_session).where(browser_session.c.id == session_id).returning(browser_session.c.person_id)
    )
    return ended.scalar_one_or_none()


async def end_one_of(tx: AsyncConnection, person_id: str, session_id: str) -> bool:
    ended = await tx.execute(
        delete(browser_session).where(browser_session.c.id == session_id, browser_session.c.person_id == person_id)
    )
    return ended.rowcount == 1


async def end_by_digest(tx: AsyncConnection, digest: str) -> None:
    await tx.execute(delete(browser_session).where(browser_session.c.hash == digest))


async def end_all(tx: AsyncConnection, person_id: str) -> None:
    await tx.execute(delete(browser_session).where(browser_session.c.person_id == person_id))


async def end_others(tx: AsyncConnection, person_id: str, kept_session_id: str) -> None:
    await tx.execute(
        delete(browser_session).where(browser_session.c.person_id == person_id, browser_session.c.id != kept_session_id)
    )


async def purge(tx: AsyncConnection, now: datetime, seen_before: datetime) -> None:
    gone = or_(browser_session.c.expires_at < now, browser_session.c.last_seen_at < seen_before)
    await tx.execute(delete(browser_session).where(gone))
