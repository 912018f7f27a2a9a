"""The SQL of profiles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.directory.model import Choice, Profile, ToolAccess
from valetkey.store.schema import profile, profile_choice


async def list_profiles(tx: AsyncConnection, person_id: str) -> list[Profile]:
    """The person's profiles, by name."""
    rows = (await tx.execute(select(profile).where(profile.c.person_id == person_id).order_by(profile.c.name))).all()
    chosen: dict[str, dict[str, Choice]] = defaultdict(dict)
    for row in await tx.execute(
        select(profile_choice)
        .join(profile, profile.c.id == profile_choice.c.profile_id)
        .where(profile.c.person_id == person_id)
        .order_by(profile_choice.c.connection_id)
    ):
        chosen[row.profile_id][row.connection_id] = Choice(row.connection_id, row.whole, frozenset(row.tools))
    return [
        Profile(
            id=row.id,
            person_id=row.person_id,
            name=row.name,
            title=row.title,
            access=ToolAccess(row.access),
            choices=chosen.get(row.id, {}),
            created_at=row.created_at,
            changed_at=row.changed_at,
        )
        for row in rows
    ]


async def count_profiles(tx: AsyncConnection, person_id: str) -> int:
    counted = select(func.count()).select_from(profile).where(profile.c.person_id == person_id)
    return int((await tx.execute(counted)).scalar_one())


async def insert_profile(tx: AsyncConnection, new: Profile) -> None:
    await tx.execute(
        profile.insert().values(
            id=new.id,
            person_id=new.person_id,
            name=new.name,
            title=new.title,
            access=new.access.value,
            created_at=new.created_at,
            changed_at=new.changed_at,
        )
    )
    await insert_choices(tx, new.id, new.choices)


async def update_profile(
    tx: AsyncConnection, person_id: str, name: str, *, title: str, access: ToolAccess, now: datetime
) -> str | None:
    """The id of the profile that was changed, if there is one."""
    done: str | None = await tx.scalar(
        update(profile)
        .where(profile.c.person_id == person_id, profile.c.name == name)
        .values(title=title, access=access.value, changed_at=now)
        .returning(profile.c.id)
    )
    return done


async def insert_choices(tx: AsyncConnection, profile_id: str, choices: Mapping[str, Choice]) -> None:
    rows = [
        {"profile_id": profile_id, "connection_id": one.connection_id, "whole": one.whole, "tools": sorted(one.tools)}
        for one in choices.values()
    ]
    if rows:
        await tx.execute(profile_choice.insert(), rows)


async def delete_choices(tx: AsyncConnection, profile_id: str) -> None:
    await tx.execute(delete(profile_choice).where(profile_choice.c.profile_id == profile_id))


async def delete_profile(tx: AsyncConnection, person_id: str, name: str) -> str | None:
    """The id of the profile that was deleted, if there was one."""
    done: str | None = await tx.scalar(
        delete(profile).where(profile.c.person_id == person_id, profile.c.name == name).returning(profile.c.id)
    )
    return done


async def delete_connection(tx: AsyncConnection, connection_id: str) -> Iterable[str]:
    """Takes the connection out of every profile; whose profiles those were."""
    left = (
        await tx.execute(
            delete(profile_choice)
            .where(profile_choice.c.connection_id == connection_id)
            .returning(profile_choice.c.profile_id)
        )
    ).scalars()
    owners = await tx.execute(select(profile.c.person_id).where(profile.c.id.in_(left.all())).distinct())
    return owners.scalars().all()
