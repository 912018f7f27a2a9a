"""The SQL of rotation: what hangs on which key, and moving it from one to the next. All in the keyring's store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, bindparam, delete, exists, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import data_key, tenant_key
from valetkey.vault.model import EveryTenant, Tenants
from valetkey.vault.repository import Hanging, TenantKeyRow


@dataclass(frozen=True, slots=True)
class Counts:
    """How many keys there are, and how many hang on an older key than the newest above them."""

    tenants: int
    tenant_keys: int
    tenant_keys_on_older_roots: int
    data_keys: int
    data_keys_on_older_keys: int
    oldest: datetime | None
    """When the oldest of the keys that wrap now was made."""


def _among(table: Table, tenants: Tenants) -> ColumnElement[bool]:
    return true() if isinstance(tenants, EveryTenant) else table.c.tenant == tenants.tenant


async def count(tx: AsyncConnection, tenants: Tenants, *, root_version: int) -> Counts:
    per_version = await tx.execute(
        select(data_key.c.tenant, data_key.c.tenant_key_version, func.count())
        .where(_among(data_key, tenants))
        .group_by(data_key.c.tenant, data_key.c.tenant_key_version)
    )
    hanging = {(tenant, version): number for tenant, version, number in per_version}
    columns = (tenant_key.c.tenant, tenant_key.c.version, tenant_key.c.root_version, tenant_key.c.created_at)
    rows = (await tx.execute(select(*columns).where(_among(tenant_key, tenants)).order_by(tenant_key.c.version))).all()
    newest = {row.tenant: row for row in rows}
    return Counts(
        tenants=len(newest),
        tenant_keys=len(rows),
        tenant_keys_on_older_roots=sum(row.root_version < root_version for row in rows),
        data_keys=sum(hanging.values()),
        data_keys_on_older_keys=sum(
            number
            for (tenant, version), number in hanging.items()
            if tenant not in newest or version != newest[tenant].version
        ),
        oldest=min((row.created_at for row in newest.values()), default=None),
    )


async def count_by_root(tx: AsyncConnection) -> dict[int, int]:
    """How many tenant keys hang on each version of the root key."""
    rows = await tx.execute(select(tenant_key.c.root_version, func.count()).group_by(tenant_key.c.root_version))
    return {version: hanging for version, hanging in rows}  # noqa: C416 – rows are no pairs to the type checker


# --- tenant keys, from one root key to the next ----------------------------------------------------------------------


async def find_tenant_keys_before(
    tx: AsyncConnection, tenants: Tenants, root_version: int, limit: int
) -> list[TenantKeyRow]:
    query = select(tenant_key).where(_among(tenant_key, tenants), tenant_key.c.root_version < root_version)
    return [TenantKeyRow(*row) for row in await tx.execute(query.limit(limit))]


async def rewrap_tenant_keys(tx: AsyncConnection, rows: Sequence[TenantKeyRow]) -> None:
    statement = (
        update(tenant_key)
        .where(tenant_key.c.tenant == bindparam("of"), tenant_key.c.version == bindparam("at"))
        .where(tenant_key.c.root_version < bindparam("under"))
        .values(wrapped=bindparam("new"), root_version=bindparam("under"))
    )
    await tx.execute(
        statement,
        [{"of": row.tenant, "at": row.version, "under": row.root_version, "new": row.wrapped} for row in rows],
    )


# --- data keys, from one tenant key to the next ----------------------------------------------------------------------


async def find_tenants_with_older_keys(tx: AsyncConnection, tenants: Tenants) -> list[str]:
    several = select(tenant_key.c.tenant).where(_among(tenant_key, tenants)).group_by(tenant_key.c.tenant)
    return list(await tx.scalars(several.having(func.count() > 1).order_by(tenant_key.c.tenant)))


_OLDER = (  # as `Hanging` has them
    "select subject, purpose, generation, tenant_key_version, wrapped, commitment from data_key"
    " where tenant = {} and tenant_key_version < {} limit {}"
)
_ROWS = 500
_MOVE = (  # placeholders only are put in
    "with moved(subject, purpose, commitment, wrapped) as (select * from {0})"
    " update data_key set wrapped = moved.wrapped, tenant_key_version = {1} from moved"
    " where data_key.subject = moved.subject and data_key.purpose = moved.purpose"
    " and data_key.commitment = moved.commitment and data_key.tenant_key_version < {1}"
)


class Moved(NamedTuple):
    """A data key wrapped anew, and which one it is."""

    subject: str
    purpose: str
    commitment: bytes
    wrapped: bytes


# Both in the driver's own words: of a hundred thousand rows, taking each apart and binding it one by one takes longer
# than encrypting it. And both leave no work for each row to the thread in which calls are answered.


async def find_data_keys_before(tx: AsyncConnection, tenant: str, version: int, limit: int) -> list[Hanging]:
    driver: Any = (await tx.get_raw_connection()).driver_connection
    if tx.dialect.name == "postgresql":
        found = await driver.fetch(_OLDER.format("$1", "$2", "$3"), tenant, version, limit)
    else:
        found = await driver.execute_fetchall(_OLDER.format("?", "?", "?"), (tenant, version, limit))
    return await asyncio.to_thread(lambda: [Hanging(*row) for row in found])


async def rewrap_data_keys(tx: AsyncConnection, moved: Sequence[Moved], *, version: int) -> None:
    """Replaces what is still the same key under an older one. A key sealed anew or shredded since is left alone."""
    if not moved:
        return
    if tx.dialect.name == "postgresql":
        columns = tuple(zip(*moved, strict=True))
        new = "unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[])"
        await tx.exec_driver_sql(_MOVE.format(new, "$5"), (*columns, version))
        return
    # Many rows a statement, not one each: between any two statements SQLite's thread waits for its turn with Python.
    for first in range(0, len(moved), _ROWS):
        values = tuple(chain.from_iterable(moved[first : first + _ROWS]))
        new = f"(values {', '.join(['(?, ?, ?, ?)'] * (len(values) // 4))})"
        await tx.exec_driver_sql(_MOVE.format(new, f"?{len(values) + 1}"), (*values, version))


async def destroy_tenant_keys_before(tx: AsyncConnection, tenant: str, version: int) -> int:
    """Destroys the tenant's older keys that nothing hangs on. How many."""
    older = (tenant_key.c.tenant == tenant, tenant_key.c.version < version)
    # Locked before looking: who is adding a data key holds the row, and is then seen by the next statement.
    found = list(await tx.scalars(select(tenant_key.c.version).where(*older).with_for_update()))
    destroyed = 0
    for one in found:
        hanging = exists().where(data_key.c.tenant == tenant, data_key.c.tenant_key_version == one)
        if not await tx.scalar(select(hanging)):
            where = (tenant_key.c.tenant == tenant, tenant_key.c.version == one)
            destroyed += (await tx.execute(delete(tenant_key).where(*where))).rowcount
    return destroyed
