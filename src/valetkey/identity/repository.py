"""People, organizations and memberships in the database. Each function runs in the transaction it is given."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.identity.model import Organization, Person, Role
from valetkey.kernel.errors import Conflict
from valetkey.store.schema import (
    external_identity,
    membership,
    organization,
    passkey,
    password,
    person,
    provisioned_member,
    provisioned_person,
)

StoreFailed = SQLAlchemyError
"""What background work survives: the database will be back."""


def people() -> Select[Any]:
    """A person with their membership; what `as_person` reads."""
    return select(
        person.c.id,
        person.c.login,
        person.c.display_name,
        person.c.state,
        person.c.created_at,
        membership.c.organization_id,
        membership.c.role,
    ).join(membership, membership.c.person_id == person.c.id)


def as_person(row: Row[Any]) -> Person:
    return Person(
        id=row.id,
        login=row.login,
        display_name=row.display_name,
        state=row.state,
        organization_id=row.organization_id,
        role=Role(row.role),
        created_at=row.created_at,
    )


async def add_organization(tx: AsyncConnection, new: Organization) -> None:
    await tx.execute(insert(organization).values(id=new.id, name=new.name, kind=new.kind, created_at=new.created_at))


async def find_organization(tx: AsyncConnection, organization_id: str) -> Organization | None:
    row = (await tx.execute(select(organization).where(organization.c.id == organization_id))).first()
    return _as_organization(row) if row else None


async def list_organizations(tx: AsyncConnection) -> list[Organization]:
    rows = await tx.execute(select(organization).order_by(organization.c.created_at, organization.c.id))
    return [_as_organization(row) for row in rows]


def _as_organization(row: Row[Any]) -> Organization:
    return Organization(id=row.id, name=row.name, kind=row.kind, created_at=row.created_at)


async def add_person(tx: AsyncConnection, new: Person) -> None:
    """Raises `Conflict` when the login is taken."""
    try:
        await tx.execute(
            insert(person).values(
                id=new.id,
                login=new.login,
                display_name=new.display_name,
                state=new.state,
                created_at=new.created_at,
            )
        )
    except IntegrityError as error:
        raise Conflict("Somebody has this login already.", hint="Choose another one.") from error
    await tx.execute(
        insert(membership).values(
            organization_id=new.organization_id, person_id=new.id, role=new.role, created_at=new.created_at
        )
    )


async def find_person(tx: AsyncConnection, person_id: str) -> Person | None:
    row = (await tx.execute(people().where(person.c.id == person_id))).first()
    return as_person(row) if row else None


async def find_login(tx: AsyncConnection, login: str) -> Person | None:
    row = (await tx.execute(people().where(person.c.login == login))).first()
    return as_person(row) if row else None


async def list_people(tx: AsyncConnection, organization_id: str) -> list[Person]:
    rows = await tx.execute(people().where(membership.c.organization_id == organization_id).order_by(person.c.login))
    return [as_person(row) for row in rows]


async def count_people(tx: AsyncConnection) -> int:
    return (await tx.execute(select(func.count()).select_from(person))).scalar_one()


async def find_first_owner(tx: AsyncConnection) -> Person | None:
    owners = people().where(membership.c.role == Role.OWNER, person.c.state == "active")
    row = (await tx.execute(owners.order_by(person.c.created_at, person.c.id).limit(1))).first()
    return as_person(row) if row else None


async def lock_owners(tx: AsyncConnection, organization_id: str) -> list[str]:
    """Ids of the active owners, locked, so that two of them cannot disable each other at once."""
    rows = await tx.execute(
        select(person.c.id)
        .join(membership, membership.c.person_id == person.c.id)
        .where(
            membership.c.organization_id == organization_id,
            membership.c.role == Role.OWNER,
            person.c.state == "active",
        )
        .order_by(person.c.id)
        .with_for_update(key_share=True)  # not against rows that merely refer to them, or refreshes would deadlock
    )
    return [row.id for row in rows]


async def set_state(tx: AsyncConnection, person_id: str, state: str) -> None:
    await tx.execute(update(person).where(person.c.id == person_id).values(state=state))


async def forget_names(tx: AsyncConnection, person_id: str, *, login: str) -> None:
    values = {"login": login, "display_name": "(left)", "state": "disabled"}
    await tx.execute(update(person).where(person.c.id == person_id).values(values))
    await _leave_directory(tx, person_id)


async def set_role(tx: AsyncConnection, person_id: str, role: Role) -> None:
    await tx.execute(update(membership).where(membership.c.person_id == person_id).values(role=role))


async def would_orphan(tx: AsyncConnection, leaver: Person) -> bool:
    """Whether an organization would be left without an owner; an account of one's own may be left empty."""
    if await lock_owners(tx, leaver.organization_id) != [leaver.id]:
        return False
    left = await find_organization(tx, leaver.organization_id)
    return left is None or left.kind != "personal"


async def set_membership(tx: AsyncConnection, person_id: str, organization_id: str, role: Role, now: datetime) -> None:
    """The person's only membership from now on."""
    await _leave_directory(tx, person_id)
    await tx.execute(delete(membership).where(membership.c.person_id == person_id))
    await tx.execute(
        insert(membership).values(organization_id=organization_id, person_id=person_id, role=role, created_at=now)
    )


async def _leave_directory(tx: AsyncConnection, person_id: str) -> None:
    """The provider of the organization they leave lets them in no more; what its directory said of them goes, too."""
    for table in (external_identity, provisioned_person, provisioned_member):
        await tx.execute(delete(table).where(table.c.person_id == person_id))


async def has_credential(tx: AsyncConnection, person_id: str) -> bool:
    """Whether the person has set a password or a passkey."""
    for table in (password, passkey):
        if (await tx.execute(select(table.c.person_id).where(table.c.person_id == person_id).limit(1))).first():
            return True
    return False
