"""What is sealed opens for exactly what it was sealed for, and for nothing that was moved, changed or made older.

S-14, VLT-08.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Row, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.vault.conftest import ORIGIN, House, binding, secret
from valetkey.kernel.errors import BadInput, VaultFailed
from valetkey.store.schema import data_key
from valetkey.store.schema import secret as secret_table
from valetkey.vault import repository
from valetkey.vault.broker import Vault
from valetkey.vault.model import (
    BEARER,
    Binding,
    HeaderTemplate,
    NothingSealed,
    Overtaken,
    RolledBack,
    Tampered,
    Use,
    WrongKey,
)

TOKEN = binding()


async def ciphertext(house: House, bound_to: Binding) -> tuple[int, bytes]:
    query = select(secret_table.c.generation, secret_table.c.ciphertext).where(
        secret_table.c.subject == bound_to.subject, secret_table.c.purpose == bound_to.purpose
    )
    async with house.main.read() as tx:
        row = (await tx.execute(query)).one()
    return row.generation, row.ciphertext


async def put_ciphertext(house: House, bound_to: Binding, generation: int, sealed: bytes) -> None:
    async with house.main.write() as tx:
        await tx.execute(
            update(secret_table)
            .where(secret_table.c.subject == bound_to.subject, secret_table.c.purpose == bound_to.purpose)
            .values(generation=generation, ciphertext=sealed)
        )


async def test_what_was_sealed_comes_out_as_it_went_in(house: House) -> None:
    vault = house.vault()
    await vault.seal(secret("the-token"), bound_to=TOKEN)

    assert await house.token_of(house.vault(), TOKEN) == b"the-token"


async def test_the_same_value_sealed_twice_is_two_ciphertexts(house: House) -> None:
    vault = house.vault()
    other = binding("con_2")
    await vault.seal(secret("same"), bound_to=TOKEN)
    await vault.seal(secret("same"), bound_to=other)

    assert (await ciphertext(house, TOKEN))[1] != (await ciphertext(house, other))[1]


async def test_sealing_again_counts_up_and_destroys_the_key_before(house: House) -> None:
    vault = house.vault()
    first = await vault.seal(secret("first"), bound_to=TOKEN)
    old = await ciphertext(house, TOKEN)

    second = await vault.seal(secret("second"), bound_to=TOKEN)

    assert (first, second) == (1, 2)
    assert await house.token_of(house.vault(), TOKEN) == b"second"
    await put_ciphertext(house, TOKEN, *old)
    with pytest.raises(RolledBack):
        await house.token_of(house.vault(), TOKEN)
    async with house.keyring.read() as tx:
        assert len((await tx.execute(select(data_key))).all()) == 1


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Binding)])
async def test_a_binding_that_differs_in_any_field_opens_nothing(small_house: House, field: str) -> None:
    house = small_house
    await house.vault().seal(secret("the-token"), bound_to=TOKEN)
    value = getattr(TOKEN, field)
    change: dict[str, Any] = {field: value + 1 if isinstance(value, int) else value + "x"}
    other = replace(TOKEN, **change)

    with pytest.raises((Tampered, NothingSealed)):
        await house.vault().ticket([(BEARER, other)], origin=other.origin, call_id="call_1")


async def test_no_ciphertext_opens_in_any_other_place_with_or_without_its_key(small_house: House) -> None:
    """T02: every ciphertext onto every other place, alone and together with its wrapped key: 3,120 attempts."""
    house = small_house
    vault = house.vault()
    places = [
        binding(f"con_{tenant}_{person}", purpose, tenant=f"org_{tenant}", person=f"per_{tenant}_{person}")
        for tenant, person, purpose in itertools.product(range(5), range(4), ("access_token", "header:x-api-key"))
    ]
    await vault.seal_many([(secret(f"value of {place.subject} {place.purpose}"), place) for place in places])
    async with house.main.read() as tx:
        rows = {(row.subject, row.purpose): row for row in await tx.execute(select(secret_table))}
    async with house.keyring.read() as tx:
        keys = {(row.subject, row.purpose): row for row in await tx.execute(select(data_key))}
    attempts = opened = 0

    for shift, with_key in itertools.product(range(1, len(places)), (False, True)):
        sources = places[shift:] + places[:shift]
        async with house.main.write() as tx:
            for source, target in zip(sources, places, strict=True):
                moved = rows[source.subject, source.purpose]
                values = {"ciphertext": moved.ciphertext} | ({"tenant": moved.tenant} if with_key else {})
                await tx.execute(update(secret_table).where(*at(secret_table, target)).values(values))
        if with_key:
            async with house.keyring.write() as tx:
                for source, target in zip(sources, places, strict=True):
                    key = keys[source.subject, source.purpose]
                    values = {"wrapped": key.wrapped, "commitment": key.commitment, "tenant": key.tenant}
                    await tx.execute(update(data_key).where(*at(data_key, target)).values(values))
        thief = house.vault()
        for target in places:
            attempts += 1
            opened += await opens(house, thief, target)
        await put_back(house, keys)

    assert attempts >= 3_000
    assert opened == 0


def at(table: Table, place: Binding) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return table.c.subject == place.subject, table.c.purpose == place.purpose


async def put_back(house: House, keys: dict[tuple[str, str], Row[Any]]) -> None:
    async with house.keyring.write() as tx:
        await tx.execute(delete(data_key))
        await tx.execute(insert(data_key), [dict(row._mapping) for row in keys.values()])


async def opens(house: House, vault: Vault, bound_to: Binding) -> bool:
    """Whether anything comes out; any failure but a typed one fails the test."""
    try:
        await vault.ticket([(BEARER, bound_to)], origin=bound_to.origin, call_id="call_1")
    except VaultFailed:
        return False
    return True


async def test_no_bit_can_be_flipped_in_either_store(small_house: House) -> None:
    """T03 through the stores: every bit of ciphertext, wrapped key and key name."""
    house = small_house
    await house.vault().seal(secret("t"), bound_to=TOKEN)
    accepted = flips = 0

    for database, table, column in (
        (house.main, secret_table, "ciphertext"),
        (house.keyring, data_key, "wrapped"),
        (house.keyring, data_key, "commitment"),
    ):
        async with database.read() as tx:
            original = (await tx.execute(select(table.c[column]))).scalar_one()
        for bit in range(len(original) * 8):
            async with database.write() as tx:
                await tx.execute(update(table).values({column: flipped(original, bit)}))
            flips += 1
            accepted += await opens(house, house.vault(), TOKEN)
        async with database.write() as tx:
            await tx.execute(update(table).values({column: original}))

    assert flips > 1_000
    assert accepted == 0
    assert await opens(house, house.vault(), TOKEN)


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


async def test_a_database_older_than_its_keyring_opens_nothing_new_or_old(house: House) -> None:
    vault = house.vault()
    await vault.seal(secret("first"), bound_to=TOKEN)
    monday = await ciphertext(house, TOKEN)
    await vault.seal(secret("second"), bound_to=TOKEN)

    await put_ciphertext(house, TOKEN, *monday)
    with pytest.raises(RolledBack):
        await house.token_of(house.vault(), TOKEN)
    await put_ciphertext(house, TOKEN, 2, monday[1])  # and lying about the generation
    with pytest.raises((WrongKey, Tampered)):
        await house.token_of(house.vault(), TOKEN)


async def test_a_value_the_keyring_never_had_is_not_sealed(house: House) -> None:
    with pytest.raises(NothingSealed):
        await house.vault().ticket([(BEARER, TOKEN)], origin=ORIGIN, call_id="call_1")


async def test_sealing_after_a_rollback_goes_above_both_stores(house: House) -> None:
    vault = house.vault()
    await vault.seal(secret("first"), bound_to=TOKEN)
    monday = await ciphertext(house, TOKEN)
    await vault.seal(secret("second"), bound_to=TOKEN)
    await put_ciphertext(house, TOKEN, *monday)

    generation = await house.vault().seal(secret("third"), bound_to=TOKEN)

    assert generation == 3
    assert await house.token_of(house.vault(), TOKEN) == b"third"


async def test_a_token_set_is_sealed_whole_or_not_at_all(house: House) -> None:
    vault = house.vault()
    refresh = binding(purpose="refresh_token")
    await vault.seal_many([(secret("a1"), TOKEN), (secret("r1"), refresh)])
    mark = await vault.mark("con_1")
    await vault.seal(secret("a2"), bound_to=TOKEN)

    with pytest.raises(Overtaken):
        await vault.seal_many([(secret("late a"), TOKEN), (secret("late r"), refresh)], since=mark)

    assert await house.token_of(house.vault(), TOKEN) == b"a2"
    revealed = await house.vault().reveal_for_exchange(bound_to=refresh, use=Use.REFRESH)
    assert revealed == secret("r1")


async def test_a_refreshed_token_does_not_come_back_after_a_disconnect(house: House) -> None:
    """S-20 (b): the refresh was out when the person disconnected, and again when they connected anew."""
    vault = house.vault()
    await vault.seal(secret("a1"), bound_to=TOKEN)
    mark = await vault.mark("con_1")

    await vault.shred("con_1")
    with pytest.raises(Overtaken):
        await vault.seal_many([(secret("refreshed"), TOKEN)], since=mark)
    with pytest.raises(NothingSealed):
        await house.token_of(house.vault(), TOKEN)
    await vault.seal(secret("new consent"), bound_to=TOKEN)
    with pytest.raises(Overtaken):
        await vault.seal_many([(secret("refreshed"), TOKEN)], since=mark)

    assert await house.token_of(house.vault(), TOKEN) == b"new consent"


async def test_of_many_who_seal_at_once_one_value_stands_and_opens(house: House) -> None:
    """Vaults of different processes: no lock between them but the database's."""
    vaults = [house.vault() for _ in range(6)]
    await vaults[0].seal(secret("before"), bound_to=TOKEN)

    answers = await asyncio.gather(
        *(vault.seal(secret(f"value {number}"), bound_to=TOKEN) for number, vault in enumerate(vaults)),
        return_exceptions=True,
    )

    winners = [number for number, answer in enumerate(answers) if isinstance(answer, int)]
    assert winners
    assert all(isinstance(answer, (int, Overtaken)) for answer in answers)
    assert await house.token_of(house.vault(), TOKEN) in [f"value {number}".encode() for number in winners]


@pytest.mark.parametrize("steps_done", [1, 2])
async def test_a_seal_cut_off_leaves_the_old_or_the_new_value(house: House, steps_done: int) -> None:
    """Killed after the key was staged: the old value. Killed after the ciphertext was written: the new one."""
    vault = house.vault()
    await vault.start("dep_1")
    await vault.seal(secret("old"), bound_to=TOKEN)
    [new] = await vault._sealing.prepare([(secret("new"), TOKEN)])
    async with house.keyring.write() as tx:
        await repository.add_data_keys(tx, [new.key])
    if steps_done == 2:
        async with house.main.write() as tx:
            assert await repository.put_secret(tx, new.row, over=new.over)
    expected = b"old" if steps_done == 1 else b"new"

    assert await house.token_of(house.vault(), TOKEN) == expected
    house.clock.advance(3600)
    restarted = house.vault()
    await restarted.start("dep_1")

    assert await house.token_of(restarted, TOKEN) == expected
    async with house.keyring.read() as tx:
        assert [row.purpose for row in await tx.execute(select(data_key))] == ["access_token"]


async def test_of_several_staged_keys_the_one_that_the_ciphertext_names_opens_it(house: House) -> None:
    """Two processes staged a key for the same generation; both were killed, one after its ciphertext was written."""
    vault = house.vault()
    await vault.start("dep_1")
    await vault.seal(secret("old"), bound_to=TOKEN)
    prepared = [new for _ in range(3) for new in await vault._sealing.prepare([(secret("new"), TOKEN)])]
    cut_off = sorted(prepared, key=lambda new: new.staged_as)  # the one in the middle is found by name only
    async with house.keyring.write() as tx:
        await repository.add_data_keys(tx, [new.key for new in cut_off])
    async with house.main.write() as tx:
        assert await repository.put_secret(tx, cut_off[1].row, over=cut_off[1].over)

    assert await house.token_of(house.vault(), TOKEN) == b"new"
    house.clock.advance(3600)
    restarted = house.vault()
    await restarted.start("dep_1")

    assert await house.token_of(restarted, TOKEN) == b"new"
    async with house.keyring.read() as tx:
        assert [row.purpose for row in await tx.execute(select(data_key))] == ["access_token"]


async def test_a_key_staged_by_another_process_during_a_shred_is_destroyed_too(house: House) -> None:
    vault, elsewhere = house.vault(), house.vault()
    await vault.seal(secret("old"), bound_to=TOKEN)
    [new] = await elsewhere._sealing.prepare([(secret("new"), TOKEN)])

    class Staging:
        """The main store; before the shred writes there, the other process takes its first two steps."""

        @asynccontextmanager
        async def write(self) -> AsyncIterator[AsyncConnection]:
            async with house.keyring.write() as tx:
                await repository.add_data_keys(tx, [new.key])
            async with house.main.write() as tx:
                assert await repository.put_secret(tx, new.row, over=new.over)
            async with house.main.write() as tx:
                yield tx

        truncate_log = house.main.truncate_log

    vault._sealing._main = Staging()  # type: ignore[assignment]
    destroyed = await vault.shred("con_1")

    assert destroyed == 2
    async with house.keyring.read() as tx:
        assert not await repository.find_data_keys(tx, "con_1")
    async with house.keyring.write() as tx:
        assert not await repository.promote_data_key(tx, "con_1", new.staged_as, "access_token", new.key.commitment)


@pytest.mark.parametrize(
    "value", ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b", "a\x7fb", " padded", "padded ", "", "x" * 17_000]
)
@pytest.mark.parametrize("purpose", ["access_token", "header:x-api-key"])
async def test_what_cannot_be_a_header_is_never_sealed(small_house: House, value: str, purpose: str) -> None:
    bound_to = binding(purpose=purpose)

    with pytest.raises(BadInput) as caught:
        await small_house.vault().seal(secret(value), bound_to=bound_to)

    assert caught.value.field == purpose
    assert value.strip() not in str(caught.value) or not value.strip()
    with pytest.raises(NothingSealed):
        await small_house.vault().ticket([(BEARER, bound_to)], origin=ORIGIN, call_id="call_1")


@pytest.mark.parametrize("purpose", ["", "~access_token", "Access", "header:", "header:" + "x" * 45, "header:a b"])
async def test_a_purpose_is_one_of_ours(small_house: House, purpose: str) -> None:
    with pytest.raises(BadInput):
        await small_house.vault().seal(secret("v"), bound_to=binding(purpose=purpose))


@pytest.mark.parametrize(
    ("name", "prefix"), [(b"a b", b""), (b"", b""), (b"x", b"Bearer"), (b"x", b"a\r\nb "), (b"x:", b"")]
)
def test_a_header_template_is_a_header(name: bytes, prefix: bytes) -> None:
    with pytest.raises(BadInput):
        HeaderTemplate(name, prefix)


async def test_only_what_a_use_names_is_revealed(small_house: House) -> None:
    vault = small_house.vault()
    purposes = ["access_token", "refresh_token", "header:x-api-key", "client_secret", "pkce_verifier"]
    purposes.append("registration_access_token")
    await vault.seal_many([(secret(f"v-{purpose}"), binding(purpose=purpose)) for purpose in purposes])
    revealed = set()

    for use, purpose in itertools.product(Use, purposes):
        try:
            value = await vault.reveal_for_exchange(bound_to=binding(purpose=purpose), use=use)
        except BadInput:
            continue
        assert value == secret(f"v-{purpose}")
        revealed.add((use.value, purpose))

    assert revealed == {
        ("exchange_code", "pkce_verifier"),
        ("refresh", "refresh_token"),
        ("revoke", "refresh_token"),
        ("revoke", "access_token"),
        ("client_authentication", "client_secret"),
        ("manage_registration", "registration_access_token"),
    }
