"""Provisioning tokens, what a directory says of people, and its groups. Each function runs in the given transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.identity.model import Role
from valetkey.identity.provisioning.model import Group, ProvisioningToken
from valetkey.store.schema import (
    membership,
    person,
    provisioned_group,
    provisioned_member,
    provisioned_person,
    provisioning_token,
)

# --- tokens ---------------------------------------------------------------------------------------------------------


async def add_token(tx: AsyncConnection, digest: str, new: ProvisioningToken) -> None:
    await tx.execute(
        insert(provisioning_token).values(
            hash=digest,
            id=new.id,
            organization_id=new.organization_id,
            name=new.name,
            created_at=new.created_at,
            expires_at=new.expires_at,
            last_used_at=None,
        )
    )


async def find_token(tx: AsyncConnection, digest: str) -> ProvisioningToken | None:
    row = (await tx.execute(select(provisioning_token).where(provisioning_token.c.hash == digest))).first()
    return _as_token(row) if row else None


async def list_tokens(tx: AsyncConnection, organization_id: str) -> list[ProvisioningToken]:
    query = select(provisioning_token).where(provisioning_token.c.organization_id == organization_id)
    return [_as_token(row) for row in await tx.execute(query.order_by(provisioning_token.c.created_at))]


async def touch_token(tx: AsyncConnection, token_id: str, now: datetime) -> None:
    await tx.execute(update(provisioning_token).where(provisioning_token.c.id == token_id).values(last_used_at=now))


async def remove_token(tx: AsyncConnection, organization_id: str, token_id: str) -> bool:
    removed = await tx.execute(
        delete(provisioning_token).where(
            provisioning_token.c.id == token_id, provisioning_token.c.organization_id == organization_id
        )
    )
    return removed.rowcount == 1


def _as_token(row: Row[Any]) -> ProvisioningToken:
    return ProvisioningToken(row.id, row.organization_id, row.name, row.created_at, row.expires_at, row.last_used_at)


# --- people ---------------------------------------------------------------------------------------------------------


async def set_said(tx: AsyncConnection, person_id: str, said: Mapping[str, Any], now: datetime) -> None:
    await tx.execute(delete(provisioned_person).where(provisioned_person.c.person_id == person_id))
    await tx.execute(insert(provisioned_person).values(person_id=person_id, said=dict(said), changed_at=now))


async def said_of(tx: AsyncConnection, person_ids: Sequence[str]) -> dict[str, tuple[Mapping[str, Any], datetime]]:
    query = select(provisioned_person).where(provisioned_person.c.person_id.in_(person_ids))
    return {row.person_id: (row.said, row.changed_at) for row in await tx.execute(query)}


async def forget(tx: AsyncConnection, person_id: str) -> None:
    await tx.execute(delete(provisioned_person).where(provisioned_person.c.person_id == person_id))
    await tx.execute(delete(provisioned_member).where(provisioned_member.c.person_id == person_id))


async def rename(tx: AsyncConnection, person_id: str, *, login: str, display_name: str) -> None:
    """Raises `IntegrityError` when somebody has the login."""
    values = {"login": login, "display_name": display_name}
    await tx.execute(update(person).where(person.c.id == person_id).values(values))


# --- groups ---------------------------------------------------------------------------------------------------------


async def add_group(tx: AsyncConnection, new: Group) -> None:
    await tx.execute(
        insert(provisioned_group).values(
            id=new.id,
            organization_id=new.organization_id,
            name=new.name,
            external_id=new.external_id,
            role=new.role,
            created_at=new.created_at,
            changed_at=new.changed_at,
        )
    )
    await set_members(tx, new.id, new.members)


async def set_group(tx: AsyncConnection, group: Group) -> None:
    values = {"name": group.name, "external_id": group.external_id, "role": group.role, "changed_at": group.changed_at}
    await tx.execute(update(provisioned_group).where(provisioned_group.c.id == group.id).values(values))
    await set_members(tx, group.id, group.members)


async def set_members(tx: AsyncConnection, group_id: str, members: Sequence[str]) -> None:
    await tx.execute(delete(provisioned_member).where(provisioned_member.c.group_id == group_id))
    if members:
        await tx.execute(insert(provisioned_member), [{"group_id": group_id, "person_id": one} for one in members])


async def remove_group(tx: AsyncConnection, group_id: str) -> None:
    await tx.execute(delete(provisioned_member).where(provisioned_member.c.group_id == group_id))
    await tx.execute(delete(provisioned_group).where(provisioned_group.c.id == group_id))


async def groups_of(tx: AsyncConnection, person_id: str) -> list[str]:
    """Those of the person's organization that they are in."""
    query = (
        select(provisioned_member.c.group_id)
        .join(provisioned_group, provisioned_group.c.id == provisioned_member.c.group_id)
        .join(membership, membership.c.person_id == provisioned_member.c.person_id)
        .where(
            provisioned_member.c.person_id == person_id,
            membership.c.organization_id == provisioned_group.c.organization_id,
        )
    )
    return list((await tx.execute(query)).scalars())


async def list_groups(tx: AsyncConnection, organization_id: str) -> list[Group]:
    """With their members: of these only who is one of the organization's."""
    own = provisioned_group.c.organization_id == organization_id
    members: dict[str, list[str]] = defaultdict(list)
    pairs = (
        select(provisioned_member.c.group_id, provisioned_member.c.person_id)
        .join(provisioned_group, provisioned_group.c.id == provisioned_member.c.group_id)
        .join(membership, membership.c.person_id == provisioned_member.c.person_id)
        .where(own, membership.c.organization_id == organization_id)
        .order_by(provisioned_member.c.person_id)
    )
    for row in await tx.execute(pairs):
        members[row.group_id].append(row.person_id)
    query = select(provisioned_group).where(own).order_by(provisioned_group.c.created_at, provisioned_group.c.id)
    return [
        Group(
            row.id, row.organization_id, row.name, row.external_id, Role(row.role) if row.role else None,
            tuple(members[row.id]), row.created_at, row.changed_at,
        )
        for row in await tx.execute(query)
    ]  # fmt: skip
