"""Providers, domains, attempts and identities in the database. Each function runs in the transaction it is given."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.identity.model import Person, Role
from valetkey.identity.repository import as_person, people
from valetkey.identity.signin.openid.model import Attempt, Domain, Identity, Provider
from valetkey.kernel.errors import Conflict
from valetkey.store.schema import (
    browser_session,
    external_identity,
    membership,
    organization_domain,
    person,
    sign_in_attempt,
    sign_in_provider,
)

# --- providers ------------------------------------------------------------------------------------------------------


async def set_provider(tx: AsyncConnection, new: Provider) -> None:
    await tx.execute(delete(sign_in_provider).where(sign_in_provider.c.organization_id == new.organization_id))
    await tx.execute(
        insert(sign_in_provider).values(
            organization_id=new.organization_id,
            issuer=new.issuer,
            client_id=new.client_id,
            client_auth=new.client_auth,
            sealed_for=new.sealed_for,
            is_required=new.is_required,
            adds_people=new.adds_people,
            trusts_email=new.trusts_email,
            set_at=new.set_at,
        )
    )


async def find_provider(tx: AsyncConnection, organization_id: str) -> Provider | None:
    query = select(sign_in_provider).where(sign_in_provider.c.organization_id == organization_id)
    row = (await tx.execute(query)).first()
    return Provider(**row._mapping) if row else None


async def has_provider(tx: AsyncConnection) -> bool:
    return (await tx.execute(select(sign_in_provider.c.organization_id).limit(1))).first() is not None


async def remove_provider(tx: AsyncConnection, organization_id: str) -> bool:
    removed = await tx.execute(delete(sign_in_provider).where(sign_in_provider.c.organization_id == organization_id))
    await tx.execute(delete(sign_in_attempt).where(sign_in_attempt.c.organization_id == organization_id))
    return removed.rowcount == 1


async def end_other_sessions(tx: AsyncConnection, organization_id: str) -> list[str]:
    """Ends sessions of the organization's people, owners excepted, that were not begun at its provider; whose."""
    theirs = select(membership.c.person_id).where(
        membership.c.organization_id == organization_id, membership.c.role != Role.OWNER
    )
    ended = await tx.execute(
        delete(browser_session)
        .where(browser_session.c.person_id.in_(theirs), browser_session.c.method != "openid")
        .returning(browser_session.c.person_id)
    )
    return sorted({row.person_id for row in ended})


# --- domains --------------------------------------------------------------------------------------------------------


async def add_domain(tx: AsyncConnection, new: Domain) -> None:
    """Raises `Conflict` when the organization has named it already."""
    try:
        await tx.execute(
            insert(organization_domain).values(
                organization_id=new.organization_id,
                name=new.name,
                challenge=new.challenge,
                created_at=new.created_at,
                verified_at=new.verified_at,
            )
        )
    except IntegrityError as error:
        raise Conflict("This domain is named already.") from error


async def find_domain(tx: AsyncConnection, organization_id: str, name: str) -> Domain | None:
    query = select(organization_domain).where(
        organization_domain.c.organization_id == organization_id, organization_domain.c.name == name
    )
    row = (await tx.execute(query)).first()
    return Domain(**row._mapping) if row else None


async def list_domains(tx: AsyncConnection, organization_id: str) -> list[Domain]:
    query = select(organization_domain).where(organization_domain.c.organization_id == organization_id)
    return [Domain(**row._mapping) for row in await tx.execute(query.order_by(organization_domain.c.name))]


async def verify_domain(tx: AsyncConnection, organization_id: str, name: str, now: datetime) -> None:
    """Raises `Conflict` when it is verified as somebody else's."""
    try:
        await tx.execute(
            update(organization_domain)
            .where(organization_domain.c.organization_id == organization_id, organization_domain.c.name == name)
            .values(verified_at=now)
        )
    except IntegrityError as error:
        raise Conflict("This domain is verified as another organization's.") from error


async def remove_domain(tx: AsyncConnection, organization_id: str, name: str) -> bool:
    removed = await tx.execute(
        delete(organization_domain).where(
            organization_domain.c.organization_id == organization_id, organization_domain.c.name == name
        )
    )
    return removed.rowcount == 1


async def provider_of_domain(tx: AsyncConnection, name: str) -> Provider | None:
    """The provider of the organization whose verified domain this is."""
    query = (
        select(sign_in_provider)
        .join(organization_domain, organization_domain.c.organization_id == sign_in_provider.c.organization_id)
        .where(organization_domain.c.name == name, organization_domain.c.verified_at.is_not(None))
    )
    row = (await tx.execute(query)).first()
    return Provider(**row._mapping) if row else None


# --- attempts -------------------------------------------------------------------------------------------------------


async def add_attempt(tx: AsyncConnection, state_hash: str, new: Attempt) -> None:
    await tx.execute(
        insert(sign_in_attempt).values(
            state_hash=state_hash,
            organization_id=new.organization_id,
            issuer=new.issuer,
            browser_hash=new.browser_hash,
            nonce=new.nonce,
            purpose=new.purpose,
            person_id=new.person_id,
            return_to=new.to,
            created_at=new.created_at,
            expires_at=new.expires_at,
        )
    )


async def take_attempt(tx: AsyncConnection, state_hash: str) -> Attempt | None:
    """Using up is deleting: of many who come back at once, one gets the row."""
    taken = await tx.execute(
        delete(sign_in_attempt).where(sign_in_attempt.c.state_hash == state_hash).returning(sign_in_attempt)
    )
    row = taken.first()
    return _as_attempt(row) if row else None


async def count_attempts(tx: AsyncConnection, now: datetime) -> int:
    return (
        await tx.execute(select(func.count()).where(sign_in_attempt.c.expires_at > now))
    ).scalar_one()  # counted over all organizations: the table is what is to stay small


async def purge(tx: AsyncConnection, now: datetime) -> None:
    await tx.execute(delete(sign_in_attempt).where(sign_in_attempt.c.expires_at < now))


def _as_attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        organization_id=row.organization_id,
        issuer=row.issuer,
        browser_hash=row.browser_hash,
        nonce=row.nonce,
        purpose=row.purpose,
        person_id=row.person_id,
        to=row.return_to,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


# --- identities -----------------------------------------------------------------------------------------------------


async def find_person(tx: AsyncConnection, organization_id: str, issuer: str, subject: str) -> Person | None:
    """The member whose identity this is. One who has moved to another organization is not found by it."""
    query = people().join(
        external_identity,
        and_(
            external_identity.c.person_id == person.c.id,
            external_identity.c.organization_id == membership.c.organization_id,
        ),
    )
    row = (
        await tx.execute(
            query.where(
                external_identity.c.organization_id == organization_id,
                external_identity.c.issuer == issuer,
                external_identity.c.subject == subject,
            )
        )
    ).first()
    return as_person(row) if row else None


async def add_identity(tx: AsyncConnection, new: Identity) -> None:
    """Raises `Conflict` when the account is tied to somebody, or the identity to another account."""
    try:
        await tx.execute(
            insert(external_identity).values(
                organization_id=new.organization_id,
                issuer=new.issuer,
                subject=new.subject,
                person_id=new.person_id,
                linked_at=new.linked_at,
            )
        )
    except IntegrityError as error:
        raise Conflict("This account, or this identity, is tied to another already.") from error


async def identity_of(tx: AsyncConnection, person_id: str) -> Identity | None:
    row = (await tx.execute(select(external_identity).where(external_identity.c.person_id == person_id))).first()
    return Identity(**row._mapping) if row else None


async def remove_identity(tx: AsyncConnection, person_id: str) -> bool:
    removed = await tx.execute(delete(external_identity).where(external_identity.c.person_id == person_id))
    return removed.rowcount == 1
