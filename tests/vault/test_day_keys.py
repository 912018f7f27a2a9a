"""A person's log of a day opens with that person's key of that day, and with no key once it is destroyed."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select

from tests.conftest import FakeClock
from tests.vault.conftest import House, Slow, binding, secret
from valetkey.kernel.errors import BadInput
from valetkey.store.schema import data_key
from valetkey.vault.day_keys import DayKeys
from valetkey.vault.model import NothingSealed, Tampered

DAY = "2026-11-22"


def day_keys(house: House) -> DayKeys:
    return DayKeys(house.vault().keyring, clock=house.clock, notifications=house.notifications)


async def test_a_payload_opens_for_its_person_day_and_call_only(house: House) -> None:
    key = await day_keys(house).key("per_ada", "org_1", DAY)
    sealed = key.seal(b'{"a":1}', about="call_1:request")
    later = day_keys(house)

    assert (await later.existing("per_ada", "org_1", DAY)).open(sealed, about="call_1:request") == b'{"a":1}'
    with pytest.raises(Tampered):
        key.open(sealed, about="call_1:response")
    for person, day in (("per_bob", DAY), ("per_ada", "2026-11-23")):
        other = await later.key(person, "org_1", day)
        with pytest.raises(Tampered):
            other.open(sealed, about="call_1:request")


async def test_every_changed_bit_of_a_payload_is_noticed(small_house: House) -> None:
    key = await day_keys(small_house).key("per_ada", "org_1", DAY)
    sealed = key.seal(b"payload", about="x")

    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Tampered):
            key.open(bytes(changed), about="x")


async def test_processes_that_ask_at_once_get_the_same_key(house: House) -> None:
    keys = await asyncio.gather(*(day_keys(house).key("per_ada", "org_1", DAY) for _ in range(5)))

    sealed = keys[0].seal(b"p", about="x")

    assert [key.open(sealed, about="x") for key in keys] == [b"p"] * 5


async def test_a_key_is_at_hand_without_waiting_once_it_was_used(small_house: House, clock: FakeClock) -> None:
    keys = day_keys(small_house)
    assert keys.key_now("per_ada", DAY) is None

    key = await keys.key("per_ada", "org_1", DAY)

    assert keys.key_now("per_ada", DAY) is key
    clock.advance(60)
    assert keys.key_now("per_ada", DAY) is None


async def test_reading_a_day_that_has_no_key_makes_none(house: House) -> None:
    keys = day_keys(house)

    with pytest.raises(NothingSealed):
        await keys.existing("per_ada", "org_1", DAY)

    async with house.keyring.read() as tx:
        assert await tx.scalar(select(func.count()).select_from(data_key)) == 0


async def test_erasing_a_person_destroys_their_keys_and_nobody_elses(house: House) -> None:
    keys, other_process = day_keys(house), day_keys(house)
    sealed = (await keys.key("per_ada", "org_1", DAY)).seal(b"ada", about="x")
    await other_process.key("per_ada", "org_1", DAY)
    bobs = (await keys.key("per_bob", "org_1", DAY)).seal(b"bob", about="x")

    destroyed = await keys.destroy("per_ada")

    assert destroyed == 1
    assert keys.key_now("per_ada", DAY) is None
    assert other_process.key_now("per_ada", DAY) is None
    with pytest.raises(NothingSealed):
        await keys.existing("per_ada", "org_1", DAY)
    fresh = await keys.key("per_ada", "org_1", DAY)
    with pytest.raises(Tampered):
        fresh.open(sealed, about="x")
    assert (await keys.existing("per_bob", "org_1", DAY)).open(bobs, about="x") == b"bob"


async def test_a_key_destroyed_while_it_is_read_is_not_kept(small_house: House) -> None:
    keys = day_keys(small_house)
    await day_keys(small_house).key("per_ada", "org_1", DAY)
    slow = Slow(small_house.keyring)
    keys._keyring.database, real = slow, keys._keyring.database  # type: ignore[assignment]
    asking = asyncio.create_task(keys.existing("per_ada", "org_1", DAY))
    await slow.arrived.wait()
    keys._keyring.database = real

    await keys.destroy("per_ada")
    slow.go_on.set()
    await asking

    assert keys.key_now("per_ada", DAY) is None


async def test_retention_destroys_the_days_before_and_no_credential(house: House) -> None:
    keys = day_keys(house)
    await house.vault().seal(secret("the-token"), bound_to=binding())
    for day in ("2026-11-20", "2026-11-21", "2026-11-22"):
        await keys.key("per_ada", "org_1", day)

    destroyed = await keys.destroy_before("2026-11-22", but={}, spare=[])

    assert destroyed == {"org_1": 2}
    await keys.existing("per_ada", "org_1", "2026-11-22")
    assert await house.token_of(house.vault(), binding()) == b"the-token"


@pytest.mark.parametrize("day", ["", "yesterday", "2026-11-2", "~2026-11-22"])
async def test_a_day_is_a_date(small_house: House, day: str) -> None:
    with pytest.raises(BadInput):
        await day_keys(small_house).key("per_ada", "org_1", day)
