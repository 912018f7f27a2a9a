"""The way back when the root key is lost: any two of three sheets open what it wrapped.

Every tenant key is sealed to the kit's public key besides being wrapped by the root key. So it works for providers
whose key nobody ever holds, and a tenant key that is destroyed is destroyed for the kit too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput
from valetkey.store.database import Database
from valetkey.vault import repository
from valetkey.vault import root_repository as rows
from valetkey.vault.envelope import wipe
from valetkey.vault.keyring import Keyring, canary_under, opens_something
from valetkey.vault.model import WrongKey, with_lengths
from valetkey.vault.recovery_kit import Opener, check_public_key, is_sealed_to, seal_to
from valetkey.vault.repository import TenantKeyRow
from valetkey.vault.root_repository import KitRow
from valetkey.vault.roots import Roots


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery did: how many tenant keys hang on which root key now."""

    tenant_keys: int
    root_version: int


class Recovery:
    """Makes kits known while the hub serves."""

    def __init__(self, keyring: Keyring, *, clock: Clock) -> None:
        self._keyring = keyring
        self._clock = clock

    async def adopt(self, public_key: bytes) -> int:
        """Seals every tenant key to a new kit, whose number is returned. Kits before open nothing any more."""
        check_public_key(public_key)
        database = self._keyring.database
        async with database.read() as tx:
            before, present = await rows.find_kit(tx), await rows.find_tenant_keys(tx)
        kit = KitRow(before.number + 1 if before else 1, public_key, self._clock.now())
        sealed = [await self._sealed(row, kit) for row in present]
        async with database.write() as tx:  # all at once: a kit that opens only some would be worse than none
            await rows.add_kit(tx, kit)
            await rows.put_recovery(tx, sealed)
        async with database.read() as tx:
            present = await rows.find_tenant_keys(tx)
        late = [row for row in present if not is_sealed_to(row, kit)]  # made in the meantime, for the kit before
        sealed = [await self._sealed(row, kit) for row in late]
        async with database.write() as tx:
            await rows.put_recovery(tx, sealed)
        await database.truncate_log()
        return kit.number

    async def _sealed(self, row: TenantKeyRow, kit: KitRow) -> tuple[str, int, bytes]:
        key = await self._keyring.open_raw(row)
        try:
            return row.tenant, row.version, seal_to(kit, key, tenant=row.tenant, version=row.version)
        finally:
            wipe(key)


async def recover(database: Database, roots: Roots, sheets: Sequence[str]) -> Recovered:
    """Puts every tenant key under the current root key of `roots`, in one transaction. The hub is stopped.

    Raises `BadInput` for sheets that do not belong together or to this keyring, `WrongKey` for keys that were changed;
    then nothing was.
    """
    async with database.read() as tx:
        kit, canary = await rows.find_kit(tx), await repository.find_canary(tx)
        present = await rows.find_tenant_keys(tx)
    if kit is None or canary is None:
        raise BadInput("No recovery kit was ever made for this keyring.")
    opener = Opener(sheets, kit)
    moved: list[TenantKeyRow] = []
    for row in present:
        key = opener.open(row)
        try:
            if not await opens_something(database, row, key):
                raise WrongKey(f"The recovered key of {row.tenant} does not open what hangs on it.")
            wrapped = await roots.wrap(key, context=with_lengths("kek", row.tenant, row.version))
        finally:
            wipe(key)
        moved.append(replace(row, wrapped=wrapped.content, root_version=wrapped.version))
    proof = await canary_under(roots, canary[0])
    async with database.write() as tx:
        await rows.put_wrapped(tx, moved)
        await rows.put_canary(tx, proof.content)
    await database.truncate_log()
    return Recovered(len(moved), proof.version)
