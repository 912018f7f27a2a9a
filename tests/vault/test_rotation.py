"""Keys are exchanged while people seal, read and leave; nothing is lost, and nothing stays on an older key.

S-14 (f).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.conftest import FakeClock
from tests.vault.conftest import House, binding, secret
from valetkey.kernel.errors import StartRefused
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.schema import data_key, tenant_key
from valetkey.vault import rotation, rotation_repository
from valetkey.vault.broker import Vault
from valetkey.vault.day_keys import DayKeys
from valetkey.vault.keyring import Keyring
from valetkey.vault.model import EveryTenant, NothingSealed, OneTenant, Tampered, Tenants, WrongKey
from valetkey.vault.root_keys.file import FileRootKey, open_or_create
from valetkey.vault.rotation import Rewrapped, Rotation

OURS = OneTenant("org_1")


def rotation_of(house: House, vault: Vault, notifications: Notifications | None = None) -> Rotation:
    return Rotation(vault.keyring, clock=house.clock, notifications=notifications or Notifications(house.main))


async def rewrap(made: Rotation, tenants: Tenants = EveryTenant()) -> Rewrapped:  # noqa: B008 – a frozen value
    return await made.rewrap(tenants, seconds=60, on_progress=lambda _: None)


async def versions(database: Database) -> set[int]:
    """Of the tenant keys that data keys hang on."""
    async with database.read() as tx:
        return set(await tx.scalars(select(data_key.c.tenant_key_version)))


async def tenant_versions(database: Database) -> set[tuple[str, int, int]]:
    async with database.read() as tx:
        query = select(tenant_key.c.tenant, tenant_key.c.version, tenant_key.c.root_version)
        return {(row.tenant, row.version, row.root_version) for row in await tx.execute(query)}


async def test_after_a_tenants_key_is_rotated_nothing_hangs_on_the_old_and_it_is_gone(house: House) -> None:
    vault = house.vault()
    places = [binding(f"con_{number}") for number in range(20)]
    await vault.seal_many([(secret(place.subject), place) for place in places])
    made = rotation_of(house, vault)

    assert await made.rotate_tenant("org_1") == 2
    done = await rewrap(made)

    assert (done.data_keys, done.damaged, done.destroyed, done.is_done) == (20, 0, 1, True)
    assert await versions(house.keyring) == {2}
    assert await tenant_versions(house.keyring) == {("org_1", 2, 1)}
    assert [await house.token_of(house.vault(), place) for place in places] == [p.subject.encode() for p in places]


async def test_rewrapping_twice_does_nothing_the_second_time(house: House) -> None:
    vault = house.vault()
    await vault.seal(secret("v"), bound_to=binding())
    made = rotation_of(house, vault)
    await made.rotate_tenant("org_1")
    await rewrap(made)

    assert await rewrap(made) == Rewrapped(0, 0, 0, 0, is_done=True)


async def test_one_tenants_rotation_leaves_the_others_alone(house: House) -> None:
    vault = house.vault()
    other = binding("con_2", tenant="org_2")
    await vault.seal(secret("ours"), bound_to=binding())
    await vault.seal(secret("theirs"), bound_to=other)
    made = rotation_of(house, vault)
    await made.rotate_tenant("org_1")
    await made.rotate_tenant("org_2")

    await rewrap(made, OURS)

    assert await tenant_versions(house.keyring) == {("org_1", 2, 1), ("org_2", 1, 1), ("org_2", 2, 1)}
    assert await house.token_of(house.vault(), other) == b"theirs"


async def test_the_keys_of_days_move_too(house: House) -> None:
    vault = house.vault()
    days = DayKeys(vault.keyring, clock=house.clock, notifications=house.notifications)
    sealed = (await days.key("per_ada", "org_1", "2026-11-22")).seal(b"payload", about="call_1")
    made = rotation_of(house, vault)

    await made.rotate_tenant("org_1")
    assert (await rewrap(made)).data_keys == 1

    cold = DayKeys(house.vault().keyring, clock=house.clock, notifications=house.notifications)
    assert (await cold.existing("per_ada", "org_1", "2026-11-22")).open(sealed, about="call_1") == b"payload"
    assert await versions(house.keyring) == {2}


async def test_a_process_that_has_not_heard_of_the_new_key_writes_nothing_under_the_old(house: House) -> None:
    """Else what it seals would hang on a key that is destroyed the next moment."""
    late = house.vault()  # its notifications are its own: it hears of nothing
    late_days = DayKeys(late.keyring, clock=house.clock, notifications=Notifications(house.main))
    await late.seal(secret("first"), bound_to=binding())
    vault = house.vault()
    made = rotation_of(house, vault)
    await made.rotate_tenant("org_1")
    await rewrap(made)

    await late.seal(secret("second"), bound_to=binding())
    await late.keyring.newest("org_1")
    await late_days.key("per_ada", "org_1", "2026-11-22")

    assert await versions(house.keyring) == {2}
    assert await house.token_of(house.vault(), binding()) == b"second"


async def test_sealing_reading_and_leaving_go_on_while_keys_are_rotated(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T12 within the vault: 8 rotations under load, small batches; nothing fails or is lost, no old version is left."""
    monkeypatch.setattr(rotation, "BATCH", 7)
    vault = house.vault()
    places = [binding(f"con_{number:02}") for number in range(30)]
    await vault.seal_many([(secret(f"0 {place.subject}"), place) for place in places])
    made = rotation_of(house, vault)
    newest = dict.fromkeys((place.subject for place in places), b"0")
    going = True

    async def seal() -> None:
        turn = 0
        while going:
            turn += 1
            place = places[turn % 20]
            await vault.seal(secret(f"{turn} {place.subject}"), bound_to=place)
            newest[place.subject] = str(turn).encode()

    async def read() -> None:
        turn = 0
        while going:
            turn += 1
            place = places[turn % 25]
            assert (await house.token_of(house.vault(), place)).endswith(place.subject.encode())

    async def leave() -> None:
        for place in places[25:]:
            await asyncio.sleep(0)
            await vault.shred(place.subject)

    busy = [asyncio.create_task(work()) for work in (seal, read, leave)]
    for _ in range(8):
        await made.rotate_tenant("org_1")
        while not (await rewrap(made)).destroyed:
            pass
    going = False
    await asyncio.gather(*busy)
    await rewrap(made)

    assert await versions(house.keyring) == {9}
    assert await tenant_versions(house.keyring) == {("org_1", 9, 1)}
    for place in places[:25]:
        expected = newest[place.subject] + b" " + place.subject.encode()
        assert await house.token_of(house.vault(), place) == expected
    for place in places[25:]:
        with pytest.raises(NothingSealed):
            await house.token_of(house.vault(), place)


async def test_two_who_rewrap_at_once_lose_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 5)
    vault = house.vault()
    places = [binding(f"con_{number}") for number in range(40)]
    await vault.seal_many([(secret(place.subject), place) for place in places])
    await rotation_of(house, vault).rotate_tenant("org_1")

    await asyncio.gather(*(rewrap(rotation_of(house, house.vault())) for _ in range(3)))

    assert await tenant_versions(house.keyring) == {("org_1", 2, 1)}
    assert [await house.token_of(house.vault(), place) for place in places] == [p.subject.encode() for p in places]


async def test_a_key_that_was_changed_stays_and_keeps_its_older_tenant_key(house: House) -> None:
    """Destroying what it hangs on would turn damage into loss; moving it would hide it."""
    vault = house.vault()
    await vault.seal(secret("good"), bound_to=binding())
    await vault.seal(secret("bad"), bound_to=binding("con_2"))
    async with house.keyring.write() as tx:
        wrapped = await tx.scalar(select(data_key.c.wrapped).where(data_key.c.subject == "con_2"))
        assert wrapped is not None
        changed = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
        await tx.execute(update(data_key).where(data_key.c.subject == "con_2").values(wrapped=changed))
    made = rotation_of(house, vault)
    await made.rotate_tenant("org_1")

    done = await rewrap(made)

    assert (done.data_keys, done.damaged, done.destroyed, done.is_done) == (1, 1, 0, True)
    assert await tenant_versions(house.keyring) == {("org_1", 1, 1), ("org_1", 2, 1)}
    assert await house.token_of(house.vault(), binding()) == b"good"
    with pytest.raises(Tampered):
        await house.token_of(house.vault(), binding("con_2"))


class Between:
    """A store in which something happens before the next write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.then: list[object] = []
        self.dialect = database.dialect
        self.read = database.read
        self.truncate_log = database.truncate_log

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        while self.then:
            await self.then.pop()  # type: ignore[misc]  # a coroutine
        async with self._database.write() as tx:
            yield tx


async def test_what_was_shredded_or_sealed_anew_during_a_batch_is_left_as_it_is(house: House) -> None:
    vault = house.vault()
    await vault.seal(secret("gone"), bound_to=binding("con_1"))
    await vault.seal(secret("old"), bound_to=binding("con_2"))
    await vault.seal(secret("kept"), bound_to=binding("con_3"))
    await rotation_of(house, vault).rotate_tenant("org_1")
    store = Between(house.keyring)
    keyring = Keyring(store, house.root, clock=house.clock)  # type: ignore[arg-type]  # stands for the database
    made = Rotation(keyring, clock=house.clock, notifications=Notifications(house.main))
    store.then = [vault.shred("con_1"), vault.seal(secret("new"), bound_to=binding("con_2"))]

    await rewrap(made)

    with pytest.raises(NothingSealed):
        await house.token_of(house.vault(), binding("con_1"))
    assert await house.token_of(house.vault(), binding("con_2")) == b"new"
    assert await house.token_of(house.vault(), binding("con_3")) == b"kept"
    assert await versions(house.keyring) == {2}


async def test_who_has_not_heard_of_a_newer_key_moves_what_there_is_under_it_all_the_same(house: House) -> None:
    late = house.vault()
    await late.seal(secret("v"), bound_to=binding())
    await rotation_of(house, house.vault()).rotate_tenant("org_1")

    assert (await rewrap(rotation_of(house, late))).data_keys == 1

    assert await versions(house.keyring) == {2}


async def test_a_key_that_took_the_place_of_another_since_it_was_read_is_not_overwritten(house: House) -> None:
    """On PostgreSQL a seal that began before the rotation may end after it, still under the older key."""
    vault = house.vault()
    await vault.seal(secret("old"), bound_to=binding())
    async with house.keyring.read() as tx:
        [read_before] = await rotation_repository.find_data_keys_before(tx, "org_1", 2, 10)
    await vault.seal(secret("new"), bound_to=binding())

    async with house.keyring.write() as tx:
        moved = rotation_repository.Moved(*read_before[:2], read_before.commitment, b"the old key, wrapped anew")
        await rotation_repository.rewrap_data_keys(tx, [moved], version=2)

    assert await house.token_of(house.vault(), binding()) == b"new"


async def test_rewrapping_stops_when_time_is_up_and_goes_on_where_it_was(
    house: House, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 4)
    vault = house.vault()
    await vault.seal_many([(secret("v"), binding(f"con_{number}")) for number in range(10)])
    made = rotation_of(house, vault)
    await made.rotate_tenant("org_1")
    told: list[int] = []

    def slow(moved: int) -> None:
        told.append(moved)
        clock.advance(1)

    first = await made.rewrap(OURS, seconds=1, on_progress=slow)
    left = (await made.status(OURS)).counts.data_keys_on_older_keys
    second = await made.rewrap(OURS, seconds=60, on_progress=slow)

    assert (first.data_keys, first.is_done, left) == (4, False, 6)
    assert (second.data_keys, second.is_done, second.destroyed) == (6, True, 1)
    assert told == [4, 4, 2]


# --- the root key -------------------------------------------------------------------------------------------------


def again(root: FileRootKey) -> FileRootKey:
    return open_or_create(root.path, forbidden_below=[], may_create=False)


async def test_after_the_root_key_is_rotated_the_new_file_alone_opens_everything(house: House) -> None:
    vault = house.vault()
    await vault.start("dep_1")
    await vault.seal(secret("v"), bound_to=binding())
    await vault.seal(secret("w"), bound_to=binding("con_2", tenant="org_2"))
    made = rotation_of(house, vault)

    assert await made.rotate_root() == 2
    assert (await rewrap(made)).tenant_keys == 2

    assert house.root.file_of(2).stat().st_mode & 0o777 == 0o600
    assert [root.keys for root in (await made.status(EveryTenant())).roots] == [0, 2]
    house.root.path.unlink()
    house.root = again(house.root)
    restarted = house.vault()
    await restarted.start("dep_1")
    assert await house.token_of(restarted, binding()) == b"v"
    assert await house.token_of(restarted, binding("con_2", tenant="org_2")) == b"w"
    assert await tenant_versions(house.keyring) == {("org_1", 1, 2), ("org_2", 1, 2)}


async def test_between_rotating_the_root_key_and_rewrapping_both_files_are_needed(house: House) -> None:
    vault = house.vault()
    await vault.start("dep_1")
    await vault.seal(secret("v"), bound_to=binding())
    await rotation_of(house, vault).rotate_root()

    house.root = again(house.root)
    await house.vault().start("dep_1")
    assert await house.token_of(house.vault(), binding()) == b"v"
    house.root.path.unlink()
    house.root = again(house.root)
    with pytest.raises(StartRefused, match="does not open this keyring"):
        await house.vault().start("dep_1")


async def test_a_process_that_started_before_reads_the_new_root_key_when_it_meets_it(house: House) -> None:
    vault = house.vault()
    await vault.seal(secret("v"), bound_to=binding())
    late = again(house.root)
    made = rotation_of(house, vault)
    await made.rotate_root()
    await rewrap(made)

    house.root = late

    assert await house.token_of(house.vault(), binding()) == b"v"


async def test_a_newer_root_key_file_with_a_wrong_mode_refuses_the_start(root: FileRootKey) -> None:
    await root.rotate()
    root.file_of(2).chmod(0o644)

    with pytest.raises(StartRefused, match="0644"):
        again(root)


async def test_what_was_wrapped_under_a_root_key_that_is_not_there_opens_nothing(
    root: FileRootKey, tmp_path: Path
) -> None:
    await root.rotate()
    wrapped = await root.wrap(b"k" * 32, context=b"c")
    root.file_of(2).unlink()

    with pytest.raises(WrongKey):
        await again(root).unwrap(wrapped, context=b"c")


# --- cut off ------------------------------------------------------------------------------------------------------

CUT_OFF = """
import asyncio, os, signal, sys
from pathlib import Path
from valetkey.kernel.clock import SystemClock
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.vault import rotation
from valetkey.vault.keyring import Keyring
from valetkey.vault.model import EveryTenant
from valetkey.vault.root_keys.file import open_or_create

rotation.BATCH = 5
main, keyring, key, batches = sys.argv[1:]
left = int(batches)

def told(_moved):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

async def run():
    root = open_or_create(Path(key), forbidden_below=[], may_create=False)
    stores = Database.sqlite(Path(main)), Database.sqlite(Path(keyring))
    made = rotation.Rotation(
        Keyring(stores[1], root, clock=SystemClock()), clock=SystemClock(), notifications=Notifications(stores[0])
    )
    await made.rotate_tenant("org_1")
    await made.rotate_root()
    await made.rewrap(EveryTenant(), seconds=60, on_progress=told)

asyncio.run(run())
"""


@pytest.mark.parametrize("batches", [1, 2, 4, 6])
async def test_killed_at_any_batch_everything_opens_and_the_rest_is_done_later(
    small_house: House, batches: int
) -> None:
    house = small_house
    vault = house.vault()
    await vault.start("dep_1")
    places = [binding(f"con_{number}") for number in range(22)]
    await vault.seal_many([(secret(place.subject), place) for place in places])
    stores = [str(house.main.url.database), str(house.keyring.url.database), str(house.root.path)]

    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", CUT_OFF, *stores, str(batches)], env=dict(os.environ), check=False
    )

    assert killed.returncode == -signal.SIGKILL
    house.root = again(house.root)
    restarted = house.vault()
    await restarted.start("dep_1")
    assert [await house.token_of(restarted, place) for place in places] == [p.subject.encode() for p in places]
    assert (await rewrap(rotation_of(house, restarted))).is_done
    assert await tenant_versions(house.keyring) == {("org_1", 2, 2)}
    assert await versions(house.keyring) == {2}
    assert [await house.token_of(house.vault(), place) for place in places] == [p.subject.encode() for p in places]
