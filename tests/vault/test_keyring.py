"""The keyring itself: what a data key is bound to, what a start proves, and which keys are kept at hand."""

from __future__ import annotations

import asyncio
import copy
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, update

from tests.conftest import FakeClock
from tests.vault.conftest import House, binding, secret
from tests.vault.test_rotation import again
from valetkey.kernel.errors import RootKeyUnavailable, StartRefused, VaultFailed
from valetkey.store.schema import canary, data_key
from valetkey.vault import keyring as module
from valetkey.vault import repository
from valetkey.vault.envelope import key_name, new_key
from valetkey.vault.keyring import Keyring, deployment_of, holds_keys, opens_something
from valetkey.vault.model import NothingSealed, Tampered, WrongKey, with_lengths
from valetkey.vault.repository import DataKeyRow, TenantKeyRow
from valetkey.vault.root_keys.file import FileRootKey, open_or_create
from valetkey.vault.tenant_key import TenantKey

PLACE = {"subject": "con_1", "purpose": "access_token", "generation": 3}


def a_key(version: int = 1, tenant: str = "org_1") -> TenantKey:
    return TenantKey(tenant, version, AESGCM(os.urandom(32)))


def wrapped_by(under: TenantKey, key: bytearray, clock: FakeClock) -> DataKeyRow:
    wrapped = under.wrap(key, **PLACE, bound_to=b"all of it")  # type: ignore[arg-type]  # the three of them
    return DataKeyRow("con_1", "access_token", 3, under.tenant, under.version, wrapped, key_name(key), clock.now())


def keyring_of(house: House) -> Keyring:
    return Keyring(house.keyring, house.root, clock=house.clock)


# --- one wrapped key --------------------------------------------------------------------------------------------------


def test_a_wrapped_key_opens_for_what_it_was_made_for_and_for_nothing_else(clock: FakeClock) -> None:
    under, key = a_key(), new_key()
    row = wrapped_by(under, key, clock)

    assert under.unwrap(row, purpose="access_token", bound_to=b"all of it") == key
    assert len(row.wrapped) == 4 + 32 + 12 + 32 + 16
    for other in (
        replace(row, subject="con_2"), replace(row, generation=4),
        replace(row, wrapped=row.wrapped[:-1] + bytes([row.wrapped[-1] ^ 1])),
        replace(row, wrapped=row.wrapped[:-1]), replace(row, wrapped=row.wrapped + b"\0"),
        replace(row, wrapped=b"DK2\x01" + row.wrapped[4:]), replace(row, wrapped=b""),
    ):  # fmt: skip
        with pytest.raises(Tampered):
            under.unwrap(other, purpose="access_token", bound_to=b"all of it")
        with pytest.raises(Tampered):
            under.rewrap(other, purpose="access_token", under=under, room=bytearray(32))
    with pytest.raises(Tampered):
        under.unwrap(row, purpose="refresh_token", bound_to=b"all of it")
    with pytest.raises(Tampered, match="something else than it is asked for"):
        under.unwrap(row, purpose="access_token", bound_to=b"all of something else")
    with pytest.raises(WrongKey):
        under.unwrap(replace(row, commitment=bytes(16)), purpose="access_token", bound_to=b"all of it")
    for stranger in (replace(under, version=2), replace(under, tenant="org_2"), a_key()):
        with pytest.raises(Tampered):
            stranger.unwrap(row, purpose="access_token", bound_to=b"all of it")


def test_wrapped_anew_it_is_bound_to_what_it_was_and_hangs_on_the_new_key_alone(clock: FakeClock) -> None:
    old, new, key = a_key(1), a_key(2), new_key()
    row = wrapped_by(old, key, clock)

    room = bytearray(32)
    wrapped = old.rewrap(row, purpose="access_token", under=new, room=room)
    moved = replace(row, tenant_key_version=2, wrapped=wrapped)

    assert new.unwrap(moved, purpose="access_token", bound_to=b"all of it") == key
    with pytest.raises(WrongKey):
        old.rewrap(replace(row, commitment=bytes(16)), purpose="access_token", under=new, room=room)
    assert room == bytes(32)
    with pytest.raises(Tampered):
        old.unwrap(moved, purpose="access_token", bound_to=b"all of it")
    with pytest.raises(Tampered):
        new.unwrap(moved, purpose="access_token", bound_to=b"all of something else")


# --- a start ----------------------------------------------------------------------------------------------------------


async def refused(house: House, *, deployment: str = "dep_1", secrets_exist: bool = False) -> str:
    with pytest.raises(StartRefused) as no:
        await keyring_of(house).check(deployment, secrets_exist=secrets_exist)
    return no.value.message


async def test_the_first_start_writes_the_proof_and_each_later_one_holds_the_key_to_it(small_house: House) -> None:
    assert not await holds_keys(small_house.keyring)
    with pytest.raises(StartRefused, match="never used"):
        await deployment_of(small_house.keyring)
    assert "belong to another keyring" in await refused(small_house, secrets_exist=True)

    for secrets_exist in (False, True):
        await keyring_of(small_house).check("dep_1", secrets_exist=secrets_exist)

    assert await holds_keys(small_house.keyring)
    assert await deployment_of(small_house.keyring) == "dep_1"
    assert "another deployment" in await refused(small_house, deployment="dep_2")
    sealed = await keyring_of(small_house).roots.wrap(b"no canary", context=with_lengths("canary", "dep_1"))
    async with small_house.keyring.write() as tx:
        await tx.execute(update(canary).values(sealed=sealed.content))
    assert "opens to something else" in await refused(small_house)


async def test_a_keyring_with_keys_and_no_proof_was_restored_in_part(small_house: House) -> None:
    keyring = keyring_of(small_house)
    await keyring.check("dep_1", secrets_exist=False)
    await keyring.newest("org_1")
    async with small_house.keyring.write() as tx:
        await tx.execute(delete(canary))

    assert "edited, or restored in part" in await refused(small_house)
    assert await holds_keys(small_house.keyring)


class Silent(FileRootKey):
    """A provider that does not answer."""

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytearray:
        raise RootKeyUnavailable("Nobody answers.", hint="Wait.")


class Typed(FileRootKey):
    scheme = "passphrase"


def of_kind(root: FileRootKey, kind: type[FileRootKey]) -> FileRootKey:
    other = copy.copy(root)
    other.__class__ = kind
    return other


async def test_a_key_that_does_not_answer_or_is_another_refuses_the_start_in_its_own_words(
    small_house: House, tmp_path: Path
) -> None:
    await keyring_of(small_house).check("dep_1", secrets_exist=False)
    ours = small_house.root

    small_house.root = of_kind(ours, Silent)
    assert await refused(small_house) == "Nobody answers."
    small_house.root = open_or_create(tmp_path / "other" / "root.key", forbidden_below=[], may_create=True)
    said = await refused(small_house)
    assert small_house.root.key_id in said
    assert f"under another one (file: {ours.path}, id {ours.key_id})" in said
    small_house.root = of_kind(small_house.root, Typed)
    assert await refused(small_house) == "The passphrase does not open this keyring."


async def test_an_older_key_that_something_hangs_on_is_asked_for(small_house: House) -> None:
    keyring = keyring_of(small_house)
    await keyring.check("dep_1", secrets_exist=False)
    await keyring.newest("org_1")
    await keyring.roots.rotate()
    await keyring.rewrap_canary()
    small_house.root.path.unlink()
    small_house.root = again(small_house.root)

    assert "hang on root key 1" in await refused(small_house)


# --- which keys are at hand -------------------------------------------------------------------------------------------


async def test_a_tenants_first_key_is_made_when_it_is_needed_and_found_from_then_on(small_house: House) -> None:
    first = await keyring_of(small_house).newest("org_1")
    again = await keyring_of(small_house).newest("org_1")
    made = await keyring_of(small_house).make("org_1", 1)  # somebody else was quicker

    assert (first.version, again.version, made.version) == (1, 1, 1)
    key = new_key()
    row = wrapped_by(first, key, small_house.clock)
    assert again.unwrap(row, purpose="access_token", bound_to=b"all of it") == key
    assert (await keyring_of(small_house).make("org_1", 2)).version == 2
    with pytest.raises(NothingSealed):
        await keyring_of(small_house).version("org_1", 3)


async def test_keys_are_kept_bounded_and_the_least_used_goes(
    small_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TENANTS_KEPT", 2)
    keyring = keyring_of(small_house)
    one = await keyring.newest("org_1")
    await keyring.newest("org_2")
    assert await keyring.newest("org_1") is one
    assert await keyring.version("org_1", 1) is one

    await keyring.newest("org_3")

    assert list(keyring._newest) == ["org_1", "org_3"]
    assert list(keyring._by_version) == [("org_1", 1), ("org_3", 1)]
    assert await keyring.version("org_1", 1) is one


async def test_what_is_forgotten_is_read_again_and_nobody_elses(small_house: House) -> None:
    keyring = keyring_of(small_house)
    one, two = await keyring.newest("org_1"), await keyring.newest("org_2")

    keyring.forget("org_1")

    assert (list(keyring._newest), list(keyring._by_version)) == (["org_2"], [("org_2", 1)])
    assert await keyring.newest("org_1") is not one
    assert (await keyring.newest("org_2"), await keyring.version("org_2", 1)) == (two, two)
    keyring.forget("org_3")
    keyring.forget_everything()
    assert (len(keyring._newest), len(keyring._by_version)) == (0, 0)


async def test_a_tenants_key_under_another_root_key_is_the_same_key(small_house: House) -> None:
    keyring = keyring_of(small_house)
    before = await keyring.newest("org_1")
    key = new_key()
    row = wrapped_by(before, key, small_house.clock)
    async with small_house.keyring.read() as tx:
        under = await repository.find_tenant_key(tx, "org_1", 1)
    assert under is not None
    await keyring.roots.rotate()

    moved = await keyring.rewrap(under)

    assert (moved.root_version, under.root_version) == (2, 1)
    assert await keyring.open_raw(moved) == await keyring.open_raw(under)
    with pytest.raises(VaultFailed):
        await keyring.open_raw(replace(moved, version=2))
    after = TenantKey("org_1", 1, AESGCM(await keyring.open_raw(moved)))
    assert after.unwrap(row, purpose="access_token", bound_to=b"all of it") == key


async def test_whether_a_key_is_the_right_one_is_seen_from_what_hangs_on_it(small_house: House) -> None:
    vault = small_house.vault()
    await vault.seal(secret("v"), bound_to=binding())
    async with small_house.keyring.read() as tx:
        row = await repository.find_tenant_key(tx, "org_1", 1)
    assert row is not None
    key = await vault.keyring.open_raw(row)

    assert await opens_something(small_house.keyring, row, key)
    assert not await opens_something(small_house.keyring, row, new_key())
    nothing_hangs = TenantKeyRow("org_2", 1, 1, b"", small_house.clock.now())
    assert await opens_something(small_house.keyring, nothing_hangs, new_key())
    async with small_house.keyring.write() as tx:  # staged only: whether it will be used is not known
        await tx.execute(update(data_key).values(purpose="~12345678access_token"))
    assert await opens_something(small_house.keyring, row, new_key())


async def test_the_proof_is_moved_with_the_root_key(small_house: House) -> None:
    keyring = keyring_of(small_house)
    await keyring.rewrap_canary()  # of a keyring that was never used there is none
    await keyring.check("dep_1", secrets_exist=False)
    await keyring.roots.rotate()

    await keyring.rewrap_canary()

    small_house.root.path.unlink()
    small_house.root = again(small_house.root)
    await keyring_of(small_house).check("dep_1", secrets_exist=True)


# --- a key of the customer's own --------------------------------------------------------------------------------------


class Held:
    """A root key that its holder can disable, as in a KMS; counts how often it is asked to unwrap."""

    def __init__(self, root: FileRootKey) -> None:
        self._root = root
        self.disabled = False
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._root, name)

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytearray:
        self.asked += 1
        await asyncio.sleep(0)
        if self.disabled:
            raise RootKeyUnavailable("KMS: DisabledException.")
        return await self._root.unwrap(wrapped, context=context)


async def test_a_key_that_is_disabled_locks_a_running_vault_within_its_time_and_opens_it_again(house: House) -> None:
    """ORG-18: no start in between, and no value without the key."""
    held = Held(house.root)
    house.root = held  # type: ignore[assignment]  # all of it, and a switch
    vault = house.vault()
    await vault.seal(secret("adas-token"), bound_to=binding())
    assert await house.token_of(vault, binding()) == b"adas-token"
    asked, held.disabled = held.asked, True

    house.clock.advance(599)
    assert await house.token_of(vault, binding()) == b"adas-token"
    assert held.asked == asked
    house.clock.advance(31)
    with pytest.raises(RootKeyUnavailable, match="DisabledException"):
        await house.token_of(vault, binding())
    with pytest.raises(RootKeyUnavailable):
        await vault.seal(secret("another"), bound_to=binding("con_2"))
    held.disabled = False
    assert await house.token_of(vault, binding()) == b"adas-token"


async def test_of_fifty_that_want_a_key_at_once_one_asks_for_it(house: House) -> None:
    held = Held(house.root)
    keyring = Keyring(house.keyring, held, clock=house.clock)
    row = await keyring.make("org_1", 1)

    opened = await asyncio.gather(*(keyring._open(row) for _ in range(50)))
    held.disabled = True
    house.clock.advance(601)
    failed = await asyncio.gather(*(keyring._open(row) for _ in range(50)), return_exceptions=True)

    assert len({id(one) for one in opened}) == 1
    assert {type(one) for one in failed} == {RootKeyUnavailable}
    assert held.asked == 2
