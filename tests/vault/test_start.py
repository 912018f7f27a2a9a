"""The vault starts only on stores and a root key that belong together, and a thief of less than all has nothing.

S-14 (e), (g).
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from tests.vault.conftest import House, binding, secret
from valetkey.kernel.errors import StartRefused, VaultFailed
from valetkey.store.database import Database
from valetkey.store.schema import canary, data_key, tenant_key
from valetkey.vault import repository
from valetkey.vault.keyring import holds_keys
from valetkey.vault.model import NothingSealed, RolledBack, Tampered
from valetkey.vault.root_keys.file import open_or_create

TOKEN = binding()


async def test_a_vault_that_started_starts_again(house: House) -> None:
    assert not await holds_keys(house.keyring)
    await house.vault().start("dep_1")
    await house.vault().seal(secret("v"), bound_to=TOKEN)

    again = house.vault()
    await again.start("dep_1")

    assert await holds_keys(house.keyring)
    assert await house.token_of(again, TOKEN) == b"v"


async def test_starts_that_race_agree(house: House) -> None:
    await asyncio.gather(*(house.vault().start("dep_1") for _ in range(5)))

    await house.vault().start("dep_1")


async def test_first_values_of_a_tenant_sealed_at_once_all_open(house: House) -> None:
    """Each process would make the tenant's key; one is made."""
    places = [binding(f"con_{number}") for number in range(6)]

    await asyncio.gather(*(house.vault().seal(secret(place.subject), bound_to=place) for place in places))

    opened = [await house.token_of(house.vault(), place) for place in places]
    assert opened == [place.subject.encode() for place in places]


async def test_another_root_key_is_refused_at_the_start(house: House, tmp_path: Path) -> None:
    await house.vault().start("dep_1")
    house.root = open_or_create(tmp_path / "other" / "root.key", forbidden_below=[], may_create=True)

    with pytest.raises(StartRefused, match="This root key does not open this keyring"):
        await house.vault().start("dep_1")


async def test_a_keyring_of_another_deployment_is_refused(house: House) -> None:
    await house.vault().start("dep_1")

    with pytest.raises(StartRefused, match="belongs to another deployment"):
        await house.vault().start("dep_2")


async def test_a_canary_that_was_changed_is_refused(house: House) -> None:
    await house.vault().start("dep_1")
    async with house.keyring.write() as tx:
        found = await repository.find_canary(tx)
        assert found is not None
        await tx.execute(update(canary).values(sealed=found[1][:-1] + bytes([found[1][-1] ^ 1])))

    with pytest.raises(StartRefused, match="does not open this keyring"):
        await house.vault().start("dep_1")


async def test_keys_without_their_canary_are_refused(house: House) -> None:
    await house.vault().start("dep_1")
    await house.vault().seal(secret("v"), bound_to=TOKEN)
    async with house.keyring.write() as tx:
        await tx.execute(delete(canary))

    with pytest.raises(StartRefused, match="not its canary"):
        await house.vault().start("dep_1")


async def test_sealed_values_without_their_keyring_are_refused(house: House) -> None:
    await house.vault().start("dep_1")
    await house.vault().seal(secret("v"), bound_to=TOKEN)
    async with house.keyring.write() as tx:
        for table in (canary, data_key, tenant_key):
            await tx.execute(delete(table))

    with pytest.raises(StartRefused, match="the keyring is empty"):
        await house.vault().start("dep_1")


async def test_a_tenants_key_given_to_another_tenant_opens_nothing(house: House) -> None:
    await house.vault().seal(secret("v"), bound_to=TOKEN)
    async with house.keyring.write() as tx:
        await tx.execute(update(tenant_key).values(tenant="org_2"))
        await tx.execute(update(data_key).values(tenant="org_2"))

    with pytest.raises(Tampered):
        await house.token_of(house.vault(), TOKEN)
    with pytest.raises(VaultFailed):
        await house.token_of(house.vault(), binding(tenant="org_2"))


# --- stolen stores ------------------------------------------------------------------------------------------------


def in_every_spelling(value: bytes) -> list[bytes]:
    """How a value may lie around: raw, hex, base64 at each alignment, as JSON would escape it."""
    spelled = [value, value.hex().encode(), value.hex().upper().encode(), json.dumps(value.decode())[1:-1].encode()]
    for shift in range(3):
        # The characters that depend on the value alone, whatever stands before and after it.
        encoded = base64.b64encode(b"\0" * shift + value)
        whole = encoded[4 if shift else 0 : len(encoded) - 4]
        spelled += [whole, whole.replace(b"+", b"-").replace(b"/", b"_")]
    return spelled


def found_in(directory: Path, values: list[str]) -> list[str]:
    """Which of `values` stand in any file below `directory`, in any spelling."""
    content = b"\0".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())
    return [value for value in values if any(spelled in content for spelled in in_every_spelling(value.encode()))]


def test_the_scan_finds_what_is_there(tmp_path: Path) -> None:
    value = 'canary-"0123456789-ä-abcdefghij'
    for number, spelled in enumerate(in_every_spelling(value.encode())):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "file").write_bytes(b"before" + spelled + b"after")

        assert found_in(tmp_path / str(number), [value]) == [value]
    assert found_in(tmp_path, ["another-canary-0123456789"]) == []


async def test_no_file_of_the_data_directory_ever_holds_a_secret(small_house: House, tmp_path: Path) -> None:
    """T01 within the vault (whole: `test_canary_scan.py`): after sealing, sealing anew, using and shredding."""
    house = small_house
    vault = house.vault()
    await vault.start("dep_1")
    values = [f"canary-{number:03}-0123456789abcdef+/ü" for number in range(60)]
    places = [binding(f"con_{number}", "refresh_token") for number in range(30)]
    seen: list[str] = []

    for value, place in zip(values[:30], places, strict=True):
        await vault.seal(secret(value), bound_to=place)
    seen += found_in(tmp_path, values)
    for value, place in zip(values[30:], places, strict=True):
        await vault.seal(secret(value), bound_to=place)
        await house.token_of(vault, place)
    seen += found_in(tmp_path, values)
    for place in places:
        await vault.shred(place.subject)
    seen += found_in(tmp_path, values)

    assert seen == []


async def copy_of(database: Database, to: Path) -> Database:
    """A backup, restored: the file as the operator's copy has it."""
    await database.truncate_log()
    shutil.copy(str(database.url.database), to)
    return Database.sqlite(to)


async def test_stolen_stores_without_this_root_key_open_nothing(small_house: House, tmp_path: Path) -> None:
    """T04: main, keyring and both, with a root key the thief has (an older one, of another installation)."""
    house = small_house
    vault = house.vault()
    await vault.start("dep_1")
    values = [f"stolen-{number:03}-0123456789abcdef" for number in range(20)]
    for number, value in enumerate(values):
        await vault.seal(secret(value), bound_to=binding(f"con_{number}"))
    main, keyring = await copy_of(house.main, tmp_path / "m.db"), await copy_of(house.keyring, tmp_path / "k.db")
    house.root = open_or_create(tmp_path / "thief" / "root.key", forbidden_below=[], may_create=True)
    opened = 0

    assert found_in(tmp_path, values) == []
    with pytest.raises(StartRefused):
        await house.vault(main=main, keyring=keyring).start("dep_1")
    for number in range(20):
        try:
            await house.token_of(house.vault(main=main, keyring=keyring), binding(f"con_{number}"))
        except VaultFailed:
            continue
        opened += 1

    assert opened == 0
    await main.close()
    await keyring.close()


async def test_after_a_disconnect_only_both_old_stores_together_open_anything(
    small_house: House, tmp_path: Path
) -> None:
    """T05 within the vault: why the keyring's backups are kept apart and short (docs/vault.md)."""
    house = small_house
    vault = house.vault()
    await vault.start("dep_1")
    await vault.seal(secret("the-token"), bound_to=TOKEN)
    await vault.seal(secret("another"), bound_to=binding("con_2"))
    old_main, old_keyring = await copy_of(house.main, tmp_path / "m0"), await copy_of(house.keyring, tmp_path / "k0")
    assert await vault.shred("con_1") == 1
    new_main, new_keyring = await copy_of(house.main, tmp_path / "m1"), await copy_of(house.keyring, tmp_path / "k1")

    async def answer(main: Database, keyring: Database) -> object:
        try:
            return await house.token_of(house.vault(main=main, keyring=keyring), TOKEN)
        except VaultFailed as error:
            return type(error)

    assert await answer(new_main, new_keyring) is NothingSealed
    assert await answer(old_main, new_keyring) is NothingSealed  # the database's backup restored: dead
    assert await answer(new_main, old_keyring) is RolledBack
    assert await answer(old_main, old_keyring) == b"the-token"
    restored = house.vault(main=old_main, keyring=new_keyring)
    await restored.start("dep_1")
    assert await house.token_of(restored, binding("con_2")) == b"another"
    for database in (old_main, old_keyring, new_main, new_keyring):
        await database.close()


async def test_a_shred_leaves_no_byte_of_key_or_ciphertext_in_the_files(small_house: House, tmp_path: Path) -> None:
    house = small_house
    vault = house.vault()
    await vault.seal(secret("the-token"), bound_to=TOKEN)
    async with house.main.read() as tx:
        sealed = (await repository.find_secrets(tx, "con_1"))["access_token"].ciphertext
    async with house.keyring.read() as tx:
        wrapped = (await repository.find_data_keys(tx, "con_1"))[0].wrapped

    await vault.shred("con_1")

    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert sealed[-40:] not in content
    assert wrapped[-40:] not in content
