"""The keys and what wraps them: root key, one key per tenant (`tenant_key.py`), one data key per written value."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import RootKeyUnavailable, StartRefused, VaultFailed
from valetkey.store.database import Database
from valetkey.vault import repository, root_repository
from valetkey.vault.envelope import KEY_SIZE, new_key, wipe
from valetkey.vault.model import NothingSealed, with_lengths
from valetkey.vault.recovery_kit import seal_to
from valetkey.vault.repository import DataKeyRow, TenantKeyRow
from valetkey.vault.root_keys import RootKey
from valetkey.vault.roots import Roots, Wrapped, name_of
from valetkey.vault.tenant_key import TenantKey

_CANARY = b"valetkey canary"
_TENANTS_KEPT = 4096
_KEPT_SECONDS = 600.0
"""After so long the root key is asked again: one that its holder disables in a KMS or module locks a hub that runs."""


@dataclass(frozen=True, slots=True)
class _Kept:
    key: TenantKey
    until: float


class Keyring:
    """The tenants' keys. Unwrapped ones are kept, bounded in number and time, as cipher objects (ORG-18)."""

    def __init__(
        self,
        database: Database,
        root: RootKey,
        *,
        clock: Clock,
        former: Sequence[RootKey] = (),
    ) -> None:
        self.database = database
        self.roots = Roots(database, root, former, clock=clock)
        self._clock = clock
        self._newest: OrderedDict[str, _Kept] = OrderedDict()
        self._by_version: OrderedDict[tuple[str, int], _Kept] = OrderedDict()
        self._opening: dict[tuple[str, int], asyncio.Task[_Kept]] = {}

    async def check(self, deployment_id: str, *, secrets_exist: bool) -> None:
        """Proves that this root key opens this keyring, writing the proof at the very first start.

        Raises `StartRefused` when it does not, or when keyring and deployment are not of one piece.
        """
        async with self.database.read() as tx:
            found = await repository.find_canary(tx)
            has_keys = await repository.has_tenant_keys(tx)
        if found is None:
            if has_keys:
                raise StartRefused(
                    "The keyring holds keys but not its canary: it was edited, or restored in part.",
                    hint="Restore the keyring from one whole backup.",
                )
            if secrets_exist:
                raise StartRefused(
                    "The database holds sealed values, but the keyring is empty: they belong to another keyring.",
                    hint="Put the keyring back (keyring.db, or VALETKEY_KEYRING_DATABASE). If it is lost for good,"
                    " nothing in `secret` can ever be opened: empty that table, start, and let everybody connect anew.",
                )
            sealed = await canary_under(self.roots, deployment_id)
            async with self.database.write() as tx:
                await repository.add_canary(tx, deployment_id, sealed.content)
                found = await repository.find_canary(tx)  # another first start may have been quicker
        assert found is not None
        try:
            await self._check_canary(deployment_id, *found)
            await self.roots.check()
        except RootKeyUnavailable as error:
            raise StartRefused(error.message, hint=error.hint) from error

    async def _check_canary(self, deployment_id: str, written_for: str, sealed: bytes) -> None:
        if written_for != deployment_id:
            raise StartRefused(
                "The keyring belongs to another deployment than the database.",
                hint="Check --data, --database and VALETKEY_KEYRING_DATABASE: both must come from the same hub.",
            )
        try:
            opened = await self.roots.unwrap(sealed, context=with_lengths("canary", deployment_id))
        except VaultFailed as error:
            root = self.roots.current
            if root.scheme == "passphrase":
                raise StartRefused("The passphrase does not open this keyring.", hint="Type it again.") from error
            under = await name_of(self.database, sealed)
            raise StartRefused(
                f"This root key does not open this keyring (its id is {root.key_id})."
                + (f" The keyring is under another one ({under})." if under else ""),
                hint="Point --root-key at the key this deployment was started with, or put that key back.",
            ) from error
        if opened != _CANARY:
            raise StartRefused(
                "The keyring's canary opens to something else than was written.",
                hint="Restore the keyring from one whole backup.",
            )

    async def newest(self, tenant: str) -> TenantKey:
        """The key that wraps for `tenant` now; made when the tenant has none."""
        if (kept := self._newest.get(tenant)) and self._clock.monotonic() < kept.until:
            self._newest.move_to_end(tenant)
            return kept.key
        async with self.database.read() as tx:
            row = await repository.find_newest_tenant_key(tx, tenant)
        opened = await self._open(row or await self.make(tenant, 1))
        self._newest[tenant] = opened
        if len(self._newest) > _TENANTS_KEPT:
            self._newest.popitem(last=False)
        return opened.key

    async def version(self, tenant: str, version: int) -> TenantKey:
        """The tenant's key of that version; raises `NothingSealed` when it was destroyed."""
        if (kept := self._by_version.get((tenant, version))) and self._clock.monotonic() < kept.until:
            self._by_version.move_to_end((tenant, version))
            return kept.key
        async with self.database.read() as tx:
            row = await repository.find_tenant_key(tx, tenant, version)
        if row is None:
            raise NothingSealed("The keys of this organization were destroyed.")
        return (await self._open(row)).key

    async def unwrap(self, row: DataKeyRow, *, purpose: str, bound_to: bytes) -> bytearray:
        """The data key of `row`, for the caller to wipe."""
        tenant_key = await self.version(row.tenant, row.tenant_key_version)
        return tenant_key.unwrap(row, purpose=purpose, bound_to=bound_to)

    def forget(self, tenant: str) -> None:
        """The tenant's keys are read again: one was made, or destroyed."""
        self._newest.pop(tenant, None)
        for opened in (self._by_version, self._opening):  # what is under way was begun before
            for name in [name for name in opened if name[0] == tenant]:
                del opened[name]

    def forget_everything(self) -> None:
        self._newest.clear()
        self._by_version.clear()
        self._opening.clear()

    async def make(self, tenant: str, version: int) -> TenantKeyRow:
        """A new key of the tenant, unless that version is there; the newest row."""
        key = new_key()
        try:
            wrapped = await self.roots.wrap(key, context=with_lengths("kek", tenant, version))
            async with self.database.write() as tx:
                kit = await root_repository.find_kit(tx)
                recovery = seal_to(kit, key, tenant=tenant, version=version) if kit is not None else None
                made = TenantKeyRow(tenant, version, wrapped.version, wrapped.content, self._clock.now(), recovery)
                await repository.add_tenant_key(tx, made)
                row = await repository.find_newest_tenant_key(tx, tenant)  # another process may have been quicker
        finally:
            wipe(key)
        assert row is not None
        return row

    async def rewrap(self, row: TenantKeyRow) -> TenantKeyRow:
        """The tenant's key under the newest root key."""
        context = with_lengths("kek", row.tenant, row.version)
        key = await self.roots.unwrap(row.wrapped, context=context)
        try:
            wrapped = await self.roots.wrap(key, context=context)
        finally:
            wipe(key)
        return replace(row, root_version=wrapped.version, wrapped=wrapped.content)

    async def open_raw(self, row: TenantKeyRow) -> bytearray:
        """The tenant key itself, for the caller to wipe: only to seal it to a recovery kit."""
        return await self.roots.unwrap(row.wrapped, context=with_lengths("kek", row.tenant, row.version))

    async def rewrap_canary(self) -> None:
        """The proof of the root key, under the newest."""
        async with self.database.read() as tx:
            found = await repository.find_canary(tx)
        if found is None:
            return
        context = with_lengths("canary", found[0])
        opened = await self.roots.unwrap(found[1], context=context)
        sealed = await self.roots.wrap(opened, context=context)
        async with self.database.write() as tx:
            await repository.replace_canary(tx, sealed.content, over=found[1])

    async def _open(self, row: TenantKeyRow) -> _Kept:
        """Whoever wants it meanwhile waits for the same answer: a KMS is not asked by each call that comes."""
        name = (row.tenant, row.version)
        opening = self._opening.get(name)
        if opening is None:
            opening = self._opening[name] = asyncio.create_task(self._open_now(row))
            opening.add_done_callback(lambda done: self._opened(name, done))
        return await asyncio.shield(opening)

    def _opened(self, name: tuple[str, int], done: asyncio.Task[_Kept]) -> None:
        if self._opening.get(name) is not done:
            return  # forgotten since
        del self._opening[name]
        if not done.cancelled() and done.exception() is None:
            self._by_version[name] = done.result()
            if len(self._by_version) > _TENANTS_KEPT:
                self._by_version.popitem(last=False)

    async def _open_now(self, row: TenantKeyRow) -> _Kept:
        until = self._clock.monotonic() + _KEPT_SECONDS
        key = await self.open_raw(row)
        try:
            return _Kept(TenantKey(row.tenant, row.version, AESGCM(key)), until)
        finally:
            wipe(key)


async def canary_under(roots: Roots, deployment_id: str) -> Wrapped:
    """The proof that a root key opens this keyring, under the newest."""
    return await roots.wrap(_CANARY, context=with_lengths("canary", deployment_id))


async def opens_something(database: Database, row: TenantKeyRow, key: bytearray) -> bool:
    """Whether `key` opens a data key that hangs on the tenant key of `row`; true when none does."""
    async with database.read() as tx:
        hanging = await repository.find_one_under(tx, row.tenant, row.version)
    if hanging is None:
        return True
    tenant_key = TenantKey(row.tenant, row.version, AESGCM(key))
    room = bytearray(KEY_SIZE)
    try:
        tenant_key.rewrap(hanging, purpose=hanging.purpose, under=tenant_key, room=room)
    except VaultFailed:
        return False
    finally:
        wipe(room)
    return True


async def deployment_of(database: Database) -> str:
    """The id of the deployment this keyring belongs to. Raises `StartRefused` for one that was never used."""
    async with database.read() as tx:
        found = await repository.find_canary(tx)
    if found is None:
        raise StartRefused("This keyring was never used: there is nothing to recover.", hint="Check --data.")
    return found[0]


async def holds_keys(database: Database) -> bool:
    """Whether the keyring in `database` was ever in use: then its root key must exist, and none may be made."""
    async with database.read() as tx:
        return await repository.find_canary(tx) is not None or await repository.has_tenant_keys(tx)
