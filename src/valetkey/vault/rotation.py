"""Rotating keys while the hub serves: a new key wraps from the first instant, the older unwrap until nothing is left.

Moving on what hangs on an older key is called rewrapping. It goes in batches, each a transaction that only touches rows
still on an older key. So it can be cut off anywhere and begun again, run twice at once, and meet people who seal, shred
and read. Nothing sealed is decrypted: only the wrapping of its key changes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import VaultFailed
from valetkey.kernel.failpoints import reached
from valetkey.store.notify import Notifications
from valetkey.vault import repository
from valetkey.vault import rotation_repository as rows
from valetkey.vault.broker import ROTATED
from valetkey.vault.envelope import KEY_SIZE, wipe
from valetkey.vault.keyring import Keyring
from valetkey.vault.model import Tenants
from valetkey.vault.points import Point
from valetkey.vault.repository import Hanging
from valetkey.vault.root_keys import RootKey
from valetkey.vault.rotation_repository import Counts, Moved
from valetkey.vault.sealing import own_purpose
from valetkey.vault.tenant_key import TenantKey

BATCH = 2000
_BATCHES = 2  # read at once: what was read is taken apart where calls are answered, so that it must be soon done
_AT_A_TIME = 100  # a millisecond or so
_BREATH = 50e-6
_MOST_DAMAGED = 10_000  # of one organization; whoever has more restores the keyring

OnProgress = Callable[[int], None]
"""Told after each batch how many keys were rewrapped since the last time."""


@dataclass(frozen=True, slots=True)
class RootVersion:
    """One version of the root key: its id, and how many keys hang on it."""

    version: int
    key_id: str
    keys: int
    is_at_hand: bool
    """Whether a provider has it. One that is not, and has keys, is to be put back."""
    scheme: str
    place: str


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """What there is, and what is left on older keys."""

    roots: Sequence[RootVersion]
    counts: Counts


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What one run of rewrapping did. `damaged` keys did not open under the key they name, and stay as they are."""

    tenant_keys: int
    data_keys: int
    damaged: int
    destroyed: int
    """Older tenant keys, on which nothing hung any more."""
    is_done: bool
    """False when time was up before all had been moved."""


class Rotation:
    """Makes new keys, moves what hangs on older ones, and says what is left."""

    def __init__(self, keyring: Keyring, *, clock: Clock, notifications: Notifications) -> None:
        self._keyring = keyring
        self._roots = keyring.roots
        self._clock = clock
        self._notifications = notifications

    async def status(self, tenants: Tenants) -> KeyStatus:
        """Counts among `tenants`; the root key is the same for all."""
        known, newest = await self._roots.known(), await self._roots.newest()
        async with self._keyring.database.read() as tx:
            counts = await rows.count(tx, tenants, root_version=newest)
            hanging = await rows.count_by_root(tx)
        shown = [
            RootVersion(
                root.row.version,
                root.row.key_id,
                hanging.get(root.row.version, 0),
                root.is_at_hand,
                root.row.scheme,
                root.row.place,
            )
            for root in known
        ]
        return KeyStatus([root for root in shown if root.is_at_hand or root.keys], counts)

    async def rotate_root(self) -> int:
        """A new root key, which wraps from now on; its version. `rewrap` moves the tenants' keys under it."""
        return await self._roots.rotate()

    async def move_root(self, provider: RootKey) -> int:
        """Another provider's key, which wraps from now on; its version. The one before unwraps until we stop."""
        return await self._roots.move_to(provider)

    async def rotate_tenant(self, tenant: str) -> int:
        """A new key of the tenant, which wraps from now on; its version. Without one yet, the first is made."""
        async with self._keyring.database.read() as tx:
            newest = await repository.find_newest_tenant_key(tx, tenant)
        made = await self._keyring.make(tenant, newest.version + 1 if newest else 1)
        reached(Point.ROTATE_TENANT_MADE)
        await self._tell(tenant)
        return made.version

    async def rewrap(self, tenants: Tenants, *, seconds: float, on_progress: OnProgress) -> Rewrapped:
        """Moves everything of `tenants` under the newest keys and destroys older tenant keys that are then bare.

        Stops after `seconds`, between two batches: call again until `is_done`.
        """
        until = self._clock.monotonic() + seconds
        tenant_keys = await self._rewrap_tenant_keys(tenants, until, on_progress)
        data_keys, destroyed, damaged, is_done = 0, 0, tenant_keys.damaged, tenant_keys.is_done
        async with self._keyring.database.read() as tx:
            waiting = await rows.find_tenants_with_older_keys(tx, tenants)
        for tenant in waiting:
            if not is_done:
                break
            one = await self._rewrap_data_keys(tenant, until, on_progress)
            data_keys, damaged, is_done = data_keys + one.moved, damaged + one.damaged, one.is_done
            destroyed += await self._destroy_older(tenant)
        if tenant_keys.moved or data_keys or destroyed:
            await self._keyring.database.truncate_log()  # what was wrapped under the older keys, out of it too
            reached(Point.ROTATE_LOG_EMPTIED)
        return Rewrapped(tenant_keys.moved, data_keys, damaged, destroyed, is_done)

    async def _rewrap_tenant_keys(self, tenants: Tenants, until: float, on_progress: OnProgress) -> _Run:
        await self._keyring.rewrap_canary()
        reached(Point.ROTATE_CANARY_MOVED)
        bad: set[tuple[str, int]] = set()
        moved = 0
        while True:
            async with self._keyring.database.read() as tx:
                found = await rows.find_tenant_keys_before(tx, tenants, await self._roots.newest(), BATCH + len(bad))
            batch = [row for row in found if (row.tenant, row.version) not in bad]
            if not batch:
                return _Run(moved, len(found), is_done=True)
            if self._clock.monotonic() >= until:
                return _Run(moved, len(bad), is_done=False)
            new = []
            for row in batch:
                try:
                    new.append(await self._keyring.rewrap(row))
                except VaultFailed:
                    bad.add((row.tenant, row.version))
            if new:
                async with self._keyring.database.write() as tx:
                    await rows.rewrap_tenant_keys(tx, new)
                reached(Point.ROTATE_TENANT_KEYS_MOVED)
            moved += len(new)
            on_progress(len(new))

    async def _rewrap_data_keys(self, tenant: str, until: float, on_progress: OnProgress) -> _Run:
        self._keyring.forget(tenant)  # another process may have made a newer one
        under = await self._keyring.newest(tenant)
        damaged: set[tuple[str, str]] = set()
        moved = 0
        while True:
            async with self._keyring.database.read() as tx:
                most = _BATCHES * BATCH + len(damaged)
                rows_there = await rows.find_data_keys_before(tx, tenant, under.version, most)
            found = [row for row in rows_there if row[:2] not in damaged] if damaged else rows_there
            if not found or len(damaged) > _MOST_DAMAGED:
                return _Run(moved, len(rows_there), is_done=True)
            older = await self._older(tenant, {row.tenant_key_version for row in found})
            new: list[Moved] = []
            for first in range(0, len(found) + BATCH, BATCH):  # one turn more than batches, to write the last
                if self._clock.monotonic() >= until:
                    return _Run(moved, len(damaged), is_done=False)
                # Beside the event loop, so that calls go on; and while one batch is written, the next is wrapped.
                wrapping = asyncio.to_thread(_rewrapped, found[first : first + BATCH], older, under)
                (ready, bad), _ = await asyncio.gather(wrapping, self._write(new, under))
                damaged |= {row[:2] for row in bad}
                moved += len(new)
                if new:
                    on_progress(len(new))
                new = ready

    async def _write(self, moved: Sequence[Moved], under: TenantKey) -> None:
        if moved:
            async with self._keyring.database.write() as tx:
                await rows.rewrap_data_keys(tx, moved, version=under.version)
            reached(Point.ROTATE_DATA_KEYS_MOVED)

    async def _older(self, tenant: str, versions: set[int]) -> dict[int, TenantKey]:
        """Those of the versions that can be opened; who else rewraps may just have destroyed one."""
        found = {}
        for version in versions:
            with suppress(VaultFailed):
                found[version] = await self._keyring.version(tenant, version)
        return found

    async def _destroy_older(self, tenant: str) -> int:
        async with self._keyring.database.write() as tx:
            newest = await repository.find_newest_tenant_key(tx, tenant)
            assert newest is not None
            destroyed = await rows.destroy_tenant_keys_before(tx, tenant, newest.version)
        reached(Point.ROTATE_OLDER_DESTROYED)
        if destroyed:
            await self._tell(tenant)
        return destroyed

    async def _tell(self, tenant: str) -> None:
        self._keyring.forget(tenant)
        await self._notifications.publish(ROTATED, tenant)


@dataclass(frozen=True, slots=True)
class _Run:
    moved: int
    damaged: int
    is_done: bool


def _rewrapped(
    batch: Sequence[Hanging], older: dict[int, TenantKey], under: TenantKey
) -> tuple[list[Moved], list[Hanging]]:
    """The keys of `batch` wrapped `under` the newest, and the rows whose key does not open."""
    new: list[Moved] = []
    bad: list[Hanging] = []
    room = bytearray(KEY_SIZE)
    for first in range(0, len(batch), _AT_A_TIME):
        # Whoever computes keeps Python for 5 ms when another thread wants it, and a call wants it several times.
        time.sleep(_BREATH)
        for row in batch[first : first + _AT_A_TIME]:
            try:
                wrapped = older[row.tenant_key_version].rewrap(row, purpose=own_purpose(row), under=under, room=room)
            except (VaultFailed, KeyError):
                bad.append(row)
            else:
                new.append(Moved(row.subject, row.purpose, row.commitment, wrapped))
    wipe(room)
    return new, bad
