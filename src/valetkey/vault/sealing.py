"""Writing a value into two stores so that a crash at any point loses nothing and mixes nothing.

Two stores and no transaction over both, so the order of writes carries the safety. Replacing generation g by g+1:

    1. keyring   the new key is added beside the old one, staged
    2. main      the ciphertext is replaced, if it still is what was read (compare and set)
    3. keyring   the new key takes the old one's place; the old one is thereby destroyed

Cut off after 1, the old ciphertext and its old key are there: the old value is readable, the staged key is swept later.
Cut off after 2, the new ciphertext names the staged key by its commitment: the new value is readable; `start` finishes
step 3, until when the old key outlives its ciphertext by a restart. At no point does a ciphertext lie there without its
key, and a key opens nothing but the one ciphertext it was made for. Of two who seal at once, the second loses at 2 with
`Overtaken` and nothing written.

Shredding goes the other way round: keys first, since what has no key is gone even when the ciphertext remains (in a
backup, or because we were cut off: `NothingSealed`); then ciphertexts; then keys again, for one staged in between.

If one store is restored older than the other, generation or key name disagree: `RolledBack` or `WrongKey`, and the
person reconnects. Only both stores of the same instant open anything (docs/vault.md says what that means for backups).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database
from valetkey.vault import repository
from valetkey.vault.envelope import key_name, new_key, seal, take_apart, wipe
from valetkey.vault.keyring import Keyring
from valetkey.vault.model import Binding, Mark, NothingSealed, Overtaken, RolledBack, Superseded
from valetkey.vault.repository import STAGED, DataKeyRow, Hanging, SecretRow
from valetkey.vault.tenant_key import TenantKey

_STAGED_FOR = timedelta(minutes=10)  # no seal takes this long; a staged key this old was cut off
_LONGEST_VALUE = 64 * 1024
_LONGEST_HEADER = 16 * 1024
_PURPOSE = re.compile(r"[a-z_]{1,40}|header:[!#$%&'*+.^_`|~0-9A-Za-z-]{1,44}")
_NOT_IN_HEADERS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110 5.5: CR, LF and NUL above all


@dataclass(frozen=True, slots=True)
class NewValue:
    """One value on its way in: what it replaces, and the rows to write."""

    over: int
    row: SecretRow
    key: DataKeyRow  # staged

    @property
    def staged_as(self) -> str:
        return self.key.purpose


class Sealing:
    """Writes and destroys what is sealed. One caller at a time for a subject in this process: `Vault` sees to it."""

    def __init__(self, main: Database, keyring: Keyring, *, clock: Clock) -> None:
        self._main = main
        self._keyring = keyring
        self._clock = clock

    async def prepare(self, items: Sequence[tuple[Secret, Binding]]) -> list[NewValue]:
        subjects = dict.fromkeys(binding.subject for _, binding in items)
        async with self._main.read() as tx:
            present = {subject: await repository.find_secrets(tx, subject) for subject in subjects}
        async with self._keyring.database.read() as tx:
            keys = {subject: await repository.find_data_keys(tx, subject) for subject in subjects}
        new = []
        for secret, binding in items:
            row = present[binding.subject].get(binding.purpose)
            over = row.generation if row else 0
            # Higher than either store has ever seen here, so that no older backup of one fits a newer other.
            known = [key.generation for key in keys[binding.subject] if own_purpose(key) == binding.purpose]
            tenant_key = await self._keyring.newest(binding.tenant)
            new.append(self._sealed(secret, binding, over, max([over, *known]) + 1, tenant_key))
        return new

    def _sealed(self, secret: Secret, binding: Binding, over: int, generation: int, tenant_key: TenantKey) -> NewValue:
        now = self._clock.now()
        key = new_key()
        try:
            bound_to = binding.associated_data(generation)
            # Sealing must see the value; the copy lives for this one expression.
            ciphertext = seal(key, secret.reveal(), bound_to)
            wrapped = tenant_key.wrap(
                key, subject=binding.subject, purpose=binding.purpose, generation=generation, bound_to=bound_to
            )
            name = key_name(key)
        finally:
            wipe(key)
        staged_as = f"{STAGED}{secrets.token_hex(4)}{binding.purpose}"
        return NewValue(
            over=over,
            row=SecretRow(binding.tenant, binding.subject, binding.purpose, generation, ciphertext, now),
            key=DataKeyRow(
                binding.subject, staged_as, generation, binding.tenant, tenant_key.version, wrapped, name, now
            ),
        )

    async def write(self, new: Sequence[NewValue], since: Mark | None) -> None:
        """Writes what was prepared. Raises `Overtaken`, or `Superseded`: then prepare anew."""
        async with self._keyring.database.write() as tx:  # 1. the keys, beside those in use
            for tenant, version in {(one.key.tenant, one.key.tenant_key_version) for one in new}:
                # In one transaction with adding: a key that is not the newest may be destroyed the next moment.
                if not await repository.is_newest_tenant_key(tx, tenant, version):
                    self._keyring.forget(tenant)
                    raise Superseded("The key of the organization was rotated in the meantime.")
            await repository.add_data_keys(tx, [one.key for one in new])
        try:
            await self._write_ciphertexts(new, since)  # 2. the values, if nothing moved
        except Overtaken:
            async with self._keyring.database.write() as tx:
                for one in new:
                    await repository.delete_data_key(tx, one.row.subject, one.staged_as)
            raise
        async with self._keyring.database.write() as tx:  # 3. the keys, in place of those before
            kept = [
                await repository.promote_data_key(
                    tx, one.row.subject, one.staged_as, one.row.purpose, one.key.commitment
                )
                for one in new
            ]
        if not all(kept):
            raise Overtaken("The connection was ended in the meantime.")
        if any(one.over for one in new):
            await self._keyring.database.truncate_log()  # the replaced keys, out of the write-ahead log too

    async def _write_ciphertexts(self, new: Sequence[NewValue], since: Mark | None) -> None:
        async with self._main.write() as tx:
            if since is not None:
                now_there = await repository.find_secrets(tx, since.subject, for_update=True)
                if mark_of(since.subject, now_there) != since:
                    raise Overtaken("The connection was ended or renewed in the meantime.")
            for one in new:
                if not await repository.put_secret(tx, one.row, over=one.over):
                    raise Overtaken("Somebody else sealed this value in the meantime.")

    async def sweep(self) -> None:
        """Finishes step 3 where a crash came between, and destroys staged keys that no ciphertext names."""
        async with self._keyring.database.read() as tx:
            staged = await repository.find_staged(tx)
        for key in staged:
            async with self._main.read() as tx:
                row = (await repository.find_secrets(tx, key.subject)).get(own_purpose(key))
            async with self._keyring.database.write() as tx:
                if row is not None and row.generation == key.generation and _names(row, key):
                    await repository.promote_data_key(tx, key.subject, key.purpose, row.purpose, key.commitment)
                elif key.created_at < self._clock.now() - _STAGED_FOR:
                    await repository.delete_data_key(tx, key.subject, key.purpose)
        if staged:
            await self._keyring.database.truncate_log()

    async def shred(self, subject: str) -> int:
        """Destroys everything sealed for `subject`. How many keys were destroyed."""
        async with self._keyring.database.write() as tx:  # 1. no key
            destroyed = await repository.delete_data_keys(tx, subject)
        await self._keyring.database.truncate_log()
        async with self._main.write() as tx:  # 2. no ciphertext
            await repository.delete_secrets(tx, subject)
        async with self._keyring.database.write() as tx:  # 3. no key that another process staged between 1 and 2
            destroyed += await repository.delete_data_keys(tx, subject)
        await self._main.truncate_log()
        return destroyed


def check_value(secret: Secret, binding: Binding) -> None:
    """Refuses what could never be opened to any use, before it is stored; never repeats the value."""
    purpose = binding.purpose
    if not _PURPOSE.fullmatch(purpose):
        raise BadInput("A sealed value needs a purpose of at most 44 characters.", field="purpose")
    if not binding.subject or len(binding.subject) > 80 or not binding.tenant or len(binding.tenant) > 40:
        raise BadInput("A sealed value belongs to a subject and an organization.", field="subject")
    if not secret:
        raise BadInput("There is nothing to seal: the value is empty.", field=purpose)
    if len(secret) > _LONGEST_VALUE:
        raise BadInput(f"The value is longer than {_LONGEST_VALUE} bytes.", field=purpose)
    if purpose not in ("access_token", "test_account") and not purpose.startswith("header:"):
        return
    if len(secret) > _LONGEST_HEADER:
        raise BadInput(f"The value is longer than {_LONGEST_HEADER} bytes, too long for a header.", field=purpose)
    value = secret.reveal()  # to look for bytes that would end the header line and begin another
    if _NOT_IN_HEADERS.search(value):
        raise BadInput("The value has a line break or another control character in it.", field=purpose)
    if value != value.strip(b" \t"):
        raise BadInput("The value has a space before or after it.", field=purpose, hint="Copy it again without.")


def own_purpose(key: DataKeyRow | Hanging) -> str:
    """The purpose without what marks the key as staged."""
    return key.purpose[9:] if key.purpose.startswith(STAGED) else key.purpose


def _names(row: SecretRow, key: DataKeyRow) -> bool:
    return take_apart(row.ciphertext).key_name == key.commitment


def mark_of(subject: str, rows: dict[str, SecretRow]) -> Mark:
    return Mark(subject, frozenset((row.purpose, take_apart(row.ciphertext).key_name) for row in rows.values()))


def pair(row: SecretRow | None, keys: Sequence[DataKeyRow]) -> tuple[SecretRow, DataKeyRow]:
    """A ciphertext and the key it names; raises what it means when they do not fit. Staged keys count by name only."""
    in_use = [key for key in keys if not key.purpose.startswith(STAGED)]
    if row is None:
        if in_use:
            raise RolledBack("The keyring knows a value that the database does not: the database is older.")
        raise NothingSealed("Nothing is sealed for this purpose.")
    for key in keys:
        if key.generation == row.generation and _names(row, key):
            return row, replace(key, purpose=row.purpose)
    if not in_use:
        raise NothingSealed("The value was shredded.")
    if in_use[0].generation != row.generation:
        raise RolledBack("Database and keyring are of different times: one of them is an older backup.")
    # Same generation, other name: let the caller's check of the name say so.
    return row, in_use[0]
