"""The SQL of the vault's tables: `secret` in the main store; `tenant_key`, `data_key` and `canary` in the keyring's.

Every function takes the transaction of the store it speaks of. Nothing here is plaintext.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Table, and_, delete, exists, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from valetkey.store.schema import canary, data_key, secret, tenant_key

STAGED = "~"
"""First character of the purpose of a data key that waits for its ciphertext to be written (see `broker`)."""


@dataclass(frozen=True, slots=True)
class SecretRow:
    """A sealed value as it lies in the main store."""

    tenant: str
    subject: str
    purpose: str
    generation: int
    ciphertext: bytes
    written_at: datetime


@dataclass(frozen=True, slots=True)
class DataKeyRow:
    """A wrapped data key as it lies in the keyring."""

    subject: str
    purpose: str
    generation: int
    tenant: str
    tenant_key_version: int
    wrapped: bytes
    commitment: bytes
    created_at: datetime


class Hanging(NamedTuple):
    """What rotation looks at of a data key. A tuple, since there are a hundred thousand of them in a second."""

    subject: str
    purpose: str
    generation: int
    tenant_key_version: int
    wrapped: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class TenantKeyRow:
    """A tenant's key, wrapped by the root key."""

    tenant: str
    version: int
    root_version: int
    wrapped: bytes
    created_at: datetime
    recovery: bytes | None = None
    """The same key sealed to the recovery kit, if there was one when it was made or when the kit was."""


def _values(row: SecretRow | DataKeyRow | TenantKeyRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}


async def _insert_once(tx: AsyncConnection, table: Table, values: dict[str, Any]) -> bool:
    """Inserts unless the key is there; whether it did."""
    once = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    done = await tx.execute(once(table).values(values).on_conflict_do_nothing())
    return done.rowcount == 1


# --- main ---------------------------------------------------------------------------------------------------------


async def find_secrets(tx: AsyncConnection, subject: str, *, for_update: bool = False) -> dict[str, SecretRow]:
    """What is sealed for `subject`, by purpose."""
    query = select(secret).where(secret.c.subject == subject)
    rows = await tx.execute(query.with_for_update() if for_update else query)
    return {row.purpose: SecretRow(*row) for row in rows}


async def find_subjects(tx: AsyncConnection, purpose: str) -> list[str]:
    """Whose value for `purpose` is sealed."""
    return list(await tx.scalars(select(secret.c.subject).where(secret.c.purpose == purpose)))


async def has_secrets(tx: AsyncConnection) -> bool:
    return bool(await tx.scalar(select(exists(select(secret.c.subject)))))


async def put_secret(tx: AsyncConnection, row: SecretRow, *, over: int) -> bool:
    """Writes `row` over generation `over` (0: over nothing); false if something else is there by now."""
    if over == 0:
        return await _insert_once(tx, secret, _values(row))
    done = await tx.execute(
        update(secret)
        .where(secret.c.subject == row.subject, secret.c.purpose == row.purpose, secret.c.generation == over)
        .values(_values(row))
    )
    return done.rowcount == 1


async def delete_secrets(tx: AsyncConnection, subject: str) -> int:
    return (await tx.execute(delete(secret).where(secret.c.subject == subject))).rowcount


# --- keyring ------------------------------------------------------------------------------------------------------


async def find_data_keys(tx: AsyncConnection, subject: str) -> list[DataKeyRow]:
    """All of a subject's keys, staged ones too."""
    return [DataKeyRow(*row) for row in await tx.execute(select(data_key).where(data_key.c.subject == subject))]


async def find_data_key(tx: AsyncConnection, subject: str, purpose: str) -> DataKeyRow | None:
    query = select(data_key).where(data_key.c.subject == subject, data_key.c.purpose == purpose)
    row = (await tx.execute(query)).first()
    return DataKeyRow(*row) if row else None


async def find_one_under(tx: AsyncConnection, tenant: str, version: int) -> DataKeyRow | None:
    """Some data key in use that hangs on this tenant key."""
    where = (
        data_key.c.tenant == tenant,
        data_key.c.tenant_key_version == version,
        ~data_key.c.purpose.startswith(STAGED),
    )
    row = (await tx.execute(select(data_key).where(*where).limit(1))).first()
    return DataKeyRow(*row) if row else None


async def add_data_keys(tx: AsyncConnection, rows: Iterable[DataKeyRow]) -> None:
    await tx.execute(insert(data_key), [_values(row) for row in rows])


async def add_data_key_once(tx: AsyncConnection, row: DataKeyRow) -> bool:
    return await _insert_once(tx, data_key, _values(row))


async def promote_data_key(tx: AsyncConnection, subject: str, staged_as: str, purpose: str, name: bytes) -> bool:
    """Puts the staged key in the place of the one before, which is destroyed; whether `name` is the key there now."""
    staged = select(data_key.c.purpose).where(data_key.c.subject == subject, data_key.c.purpose == staged_as)
    if (await tx.execute(staged.with_for_update())).first() is None:
        # Promoted by the sweep of a starting process, or shredded.
        present = await find_data_key(tx, subject, purpose)
        return present is not None and present.commitment == name
    await delete_data_key(tx, subject, purpose)
    await tx.execute(
        update(data_key).where(data_key.c.subject == subject, data_key.c.purpose == staged_as).values(purpose=purpose)
    )
    return True


async def find_staged(tx: AsyncConnection) -> list[DataKeyRow]:
    return [DataKeyRow(*row) for row in await tx.execute(select(data_key).where(data_key.c.purpose.startswith(STAGED)))]


async def delete_data_key(tx: AsyncConnection, subject: str, purpose: str) -> int:
    where = (data_key.c.subject == subject, data_key.c.purpose == purpose)
    return (await tx.execute(delete(data_key).where(*where))).rowcount


async def delete_data_keys(tx: AsyncConnection, subject: str) -> int:
    return (await tx.execute(delete(data_key).where(data_key.c.subject == subject))).rowcount


async def delete_data_keys_like(tx: AsyncConnection, subject: str, beginning: str) -> int:
    """Destroys the keys of a subject whose purpose begins so."""
    where = (data_key.c.subject == subject, data_key.c.purpose.startswith(beginning, autoescape=True))
    return (await tx.execute(delete(data_key).where(*where))).rowcount


async def delete_data_keys_before(
    tx: AsyncConnection, subject_prefix: str, purpose: str, *, but: Mapping[str, str], spare: Sequence[tuple[str, str]]
) -> dict[str, int]:
    """Destroys the keys of subjects beginning with `subject_prefix` whose purpose sorts before `purpose`, or before
    what `but` says for their tenant; none of those that `spare` names by tenant and subject. How many, by tenant.
    """
    begins = data_key.c.subject.startswith(subject_prefix, autoescape=True)
    own = {*but, *(tenant for tenant, _ in spare)}
    wheres = [and_(data_key.c.tenant.not_in(own), data_key.c.purpose < purpose)]
    for tenant in own:
        spared = [subject for named, subject in spare if named == tenant]
        before = data_key.c.purpose < but.get(tenant, purpose)
        wheres.append(and_(data_key.c.tenant == tenant, before, data_key.c.subject.not_in(spared)))
    destroyed: dict[str, int] = {}
    for where in wheres:
        gone = await tx.execute(delete(data_key).where(begins, where).returning(data_key.c.tenant))
        for tenant in gone.scalars():
            destroyed[tenant] = destroyed.get(tenant, 0) + 1
    return destroyed


async def find_tenant_key(tx: AsyncConnection, tenant: str, version: int) -> TenantKeyRow | None:
    row = (
        await tx.execute(select(tenant_key).where(tenant_key.c.tenant == tenant, tenant_key.c.version == version))
    ).first()
    return TenantKeyRow(*row) if row else None


async def find_newest_tenant_key(tx: AsyncConnection, tenant: str) -> TenantKeyRow | None:
    query = select(tenant_key).where(tenant_key.c.tenant == tenant).order_by(tenant_key.c.version.desc()).limit(1)
    row = (await tx.execute(query)).first()
    return TenantKeyRow(*row) if row else None


async def add_tenant_key(tx: AsyncConnection, row: TenantKeyRow) -> bool:
    return await _insert_once(tx, tenant_key, _values(row))


async def is_newest_tenant_key(tx: AsyncConnection, tenant: str, version: int) -> bool:
    """Whether this is the tenant's newest key; it stays there until the transaction ends."""
    newest = select(tenant_key.c.version).where(tenant_key.c.tenant == tenant)
    return version == await tx.scalar(newest.order_by(tenant_key.c.version.desc()).limit(1).with_for_update(read=True))


async def has_tenant_keys(tx: AsyncConnection) -> bool:
    return bool(await tx.scalar(select(exists(select(tenant_key.c.tenant)))))


async def find_canary(tx: AsyncConnection) -> tuple[str, bytes] | None:
    """The deployment's id and the canary sealed for it."""
    row = (await tx.execute(select(canary.c.deployment_id, canary.c.sealed).where(canary.c.id == 1))).first()
    return (row.deployment_id, row.sealed) if row else None


async def add_canary(tx: AsyncConnection, deployment_id: str, sealed: bytes) -> bool:
    return await _insert_once(tx, canary, {"id": 1, "deployment_id": deployment_id, "sealed": sealed})


async def replace_canary(tx: AsyncConnection, sealed: bytes, *, over: bytes) -> None:
    await tx.execute(update(canary).where(canary.c.id == 1, canary.c.sealed == over).values(sealed=sealed))
