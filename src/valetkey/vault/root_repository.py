"""The SQL of root keys and recovery: names, numbers and public keys. All in the keyring's store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import canary, recovery_kit, root_key, tenant_key
from valetkey.vault.repository import TenantKeyRow


@dataclass(frozen=True, slots=True)
class RootRow:
    """One root key there was or is: its number over all providers, and its name."""

    version: int
    key_id: str
    scheme: str
    place: str
    first_seen_at: datetime


@dataclass(frozen=True, slots=True)
class KitRow:
    """A recovery kit that was made: nothing of what its shares hold."""

    number: int
    public_key: bytes
    created_at: datetime


async def find_roots(tx: AsyncConnection) -> list[RootRow]:
    return [RootRow(*row) for row in await tx.execute(select(root_key).order_by(root_key.c.version))]


async def add_root(tx: AsyncConnection, row: RootRow) -> None:
    """Numbers a root key, unless that number or key is there already: another process may have been quicker."""
    once = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    values = {name: getattr(row, name) for name in row.__slots__}
    await tx.execute(once(root_key).values(values).on_conflict_do_nothing())


async def find_hanging(tx: AsyncConnection) -> set[int]:
    """The root key versions that tenant keys hang on."""
    return set(await tx.scalars(select(tenant_key.c.root_version).distinct()))


# --- recovery ---------------------------------------------------------------------------------------------------------


async def find_kit(tx: AsyncConnection) -> KitRow | None:
    """The newest kit."""
    row = (await tx.execute(select(recovery_kit).order_by(recovery_kit.c.number.desc()).limit(1))).first()
    return KitRow(*row) if row else None


async def add_kit(tx: AsyncConnection, row: KitRow) -> None:
    await tx.execute(
        insert(recovery_kit).values(number=row.number, public_key=row.public_key, created_at=row.created_at)
    )


async def find_tenant_keys(tx: AsyncConnection) -> list[TenantKeyRow]:
    """All of them, of all organizations."""
    return [TenantKeyRow(*row) for row in await tx.execute(select(tenant_key))]


async def put_recovery(tx: AsyncConnection, sealed: Sequence[tuple[str, int, bytes]]) -> None:
    """What opens with the kit, for each (tenant, version)."""
    if sealed:
        await tx.execute(
            update(tenant_key)
            .where(tenant_key.c.tenant == bindparam("of"), tenant_key.c.version == bindparam("at"))
            .values(recovery=bindparam("new")),
            [{"of": tenant, "at": version, "new": new} for tenant, version, new in sealed],
        )


async def put_wrapped(tx: AsyncConnection, rows: Sequence[TenantKeyRow]) -> None:
    """Tenant keys under another root key, whatever they were under: for a recovery, with the hub stopped."""
    if rows:
        await tx.execute(
            update(tenant_key)
            .where(tenant_key.c.tenant == bindparam("of"), tenant_key.c.version == bindparam("at"))
            .values(wrapped=bindparam("new"), root_version=bindparam("under")),
            [{"of": row.tenant, "at": row.version, "new": row.wrapped, "under": row.root_version} for row in rows],
        )


async def put_canary(tx: AsyncConnection, sealed: bytes) -> None:
    await tx.execute(update(canary).where(canary.c.id == 1).values(sealed=sealed))


async def count_recoverable(tx: AsyncConnection) -> tuple[int, int]:
    """How many tenant keys there are, and how many of them a kit opens."""
    row = (await tx.execute(select(func.count(), func.count(tenant_key.c.recovery)).select_from(tenant_key))).one()
    return row[0], row[1]
