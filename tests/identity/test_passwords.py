"""Passwords: strength, checking, guessing."""

from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type

from tests.identity.rooms import QUICK, Rooms
from valetkey.identity.model import Role
from valetkey.identity.network import network_of
from valetkey.identity.signin import password as password_module
from valetkey.identity.signin.common_passwords import is_common
from valetkey.identity.signin.password import Passwords
from valetkey.kernel.errors import BadInput, NotFound, NotSignedIn, TooMany
from valetkey.kernel.secret import Secret

GOOD = Secret("brass-lantern-otter")


async def test_the_right_password_lets_in_under_any_spelling_of_the_login(rooms: Rooms) -> None:
    ada = await rooms.person()
    await rooms.passwords.set(ada.id, GOOD)

    assert await rooms.passwords.check("ADA", GOOD, "192.0.2.1") == ada
    assert await rooms.passwords.has(ada.id)


async def test_two_keyboards_ways_of_writing_an_umlaut_are_one_password(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    await quick_rooms.passwords.set(ada.id, Secret("schöne grüne Äpfel"))

    assert await quick_rooms.passwords.check("ada", Secret("scho\u0308ne gru\u0308ne A\u0308pfel"), "") == ada


@pytest.mark.parametrize("login", ["ada", "nobody", "", "a/b", "bob"])
async def test_a_wrong_password_and_an_unknown_or_disabled_login_read_the_same(quick_rooms: Rooms, login: str) -> None:
    ada = await quick_rooms.person()
    bob = await quick_rooms.person("bob", Role.MEMBER)
    await quick_rooms.passwords.set(ada.id, GOOD)
    await quick_rooms.passwords.set(bob.id, Secret("wrong-lantern-otter"))
    await quick_rooms.people.disable(bob.id)

    with pytest.raises(NotSignedIn) as refused:
        await quick_rooms.passwords.check(login, Secret("wrong-lantern-otter"), "192.0.2.1")

    assert str(refused.value) == "The login or the password is wrong."


async def test_an_unknown_login_is_hashed_against_as_well(quick_rooms: Rooms) -> None:
    class Counting(PasswordHasher):
        verified = 0

        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
            self.verified += 1
            return bool(super().verify(hash, password))

    hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
    passwords = Passwords(quick_rooms.database, clock=quick_rooms.clock, trail=quick_rooms.trail, hasher=hasher)

    with pytest.raises(NotSignedIn):
        await passwords.check("nobody", GOOD, "192.0.2.1")

    assert hasher.verified == 1


async def test_guessing_at_one_account_ends_after_ten_tries_and_begins_again_after_a_quarter_of_an_hour(
    rooms: Rooms,
) -> None:
    ada = await rooms.person()
    await rooms.passwords.set(ada.id, GOOD)
    for guess in range(10):
        with pytest.raises(NotSignedIn):
            await rooms.passwords.check("ada", Secret(f"wrong-{guess}"), f"192.0.{guess}.1")

    with pytest.raises(TooMany) as refused:
        await rooms.passwords.check("ada", GOOD, "198.51.100.1")
    assert 0 < refused.value.retry_after <= 15 * 60
    rooms.clock.advance(15 * 60)

    assert await rooms.passwords.check("ada", GOOD, "198.51.100.1") == ada


async def test_guessing_from_one_network_ends_after_fifty_tries_at_whomever(quick_rooms: Rooms) -> None:
    for guess in range(50):
        with pytest.raises(NotSignedIn):
            await quick_rooms.passwords.check(f"somebody{guess}", GOOD, f"192.0.2.{guess}")

    with pytest.raises(TooMany):
        await quick_rooms.passwords.check("yet-another", GOOD, "192.0.2.200")
    with pytest.raises(NotSignedIn):
        await quick_rooms.passwords.check("yet-another", GOOD, "192.0.3.1")


async def test_guesses_made_at_the_same_moment_are_limited_too(rooms: Rooms) -> None:
    ada = await rooms.person()
    await rooms.passwords.set(ada.id, GOOD)

    answers = await asyncio.gather(
        *(rooms.passwords.check("ada", Secret(f"wrong-{guess}"), f"192.0.{guess}.1") for guess in range(30)),
        return_exceptions=True,
    )

    assert sum(isinstance(answer, NotSignedIn) for answer in answers) <= 10
    assert {type(answer) for answer in answers} <= {NotSignedIn, TooMany}


async def test_knocking_at_a_shut_door_does_not_keep_it_shut(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    await quick_rooms.passwords.set(ada.id, GOOD)
    for _ in range(10):
        with pytest.raises(NotSignedIn):
            await quick_rooms.passwords.check("ada", Secret("wrong"), "192.0.2.1")
    for _ in range(14):
        quick_rooms.clock.advance(60)
        with pytest.raises(TooMany):
            await quick_rooms.passwords.check("ada", Secret("wrong"), "192.0.2.1")
    quick_rooms.clock.advance(60)

    assert await quick_rooms.passwords.check("ada", GOOD, "192.0.2.1") == ada


async def test_getting_in_forgives_the_tries_before(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    await quick_rooms.passwords.set(ada.id, GOOD)
    for _ in range(3):
        for _ in range(9):
            with pytest.raises(NotSignedIn):
                await quick_rooms.passwords.check("ada", Secret("wrong"), "192.0.2.1")
        assert await quick_rooms.passwords.check("ada", GOOD, "192.0.2.1") == ada


@pytest.mark.parametrize(
    "password",
    [
        "", "brief", "elevenchars", "passwordpassword", "Password1234!", "P@ssw0rd2026", "123456789012", "qwertyuiopas",
        "aaaaaaaaaaaa", "abababababab", "adaadaadaada", "Ada123456789", "correcthorsebatterystaple", "letmein!!!!!!",
        "1q2w3e4r5t6y", "0987654321098", "x" * 257,
    ],
)  # fmt: skip
async def test_a_weak_password_is_refused_with_a_reason(quick_rooms: Rooms, password: str) -> None:
    ada = await quick_rooms.person()

    with pytest.raises(BadInput) as refused:
        await quick_rooms.passwords.set(ada.id, Secret(password))

    assert refused.value.field == "password"
    assert password not in str(refused.value) or not password
    assert not await quick_rooms.passwords.has(ada.id)


@pytest.mark.parametrize(
    "password", ["brass-lantern-otter", "mein Hund mag Käse", "kV9$tq2mWx!7", "ada loves otters 7"]
)
def test_a_decent_password_is_not_called_common(password: str) -> None:
    assert not is_common(password, login="ada")


def test_passwords_cost_a_guesser_64_mebibytes_and_three_passes() -> None:
    hasher = password_module._ARGON2

    assert (hasher.type, hasher.memory_cost, hasher.time_cost, hasher.parallelism) == (Type.ID, 65536, 3, 4)


async def test_a_hash_from_weaker_days_is_renewed_at_sign_in(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()
    await quick_rooms.passwords.set(ada.id, GOOD)
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    renewed = Passwords(quick_rooms.database, clock=quick_rooms.clock, trail=quick_rooms.trail, hasher=stronger)

    await renewed.check("ada", GOOD, "")

    async with quick_rooms.database.read() as tx:
        stored = (await tx.exec_driver_sql("select hash from password")).scalar_one()
    assert "m=16,t=2" in stored
    assert QUICK.check_needs_rehash(stored)


async def test_the_trail_tells_of_a_new_password_and_not_which(quick_rooms: Rooms) -> None:
    ada = await quick_rooms.person()

    await quick_rooms.passwords.set(ada.id, GOOD)
    await quick_rooms.passwords.remove(ada.id)

    assert [len(await quick_rooms.happened(event)) for event in ("password.set", "password.removed")] == [1, 1]
    assert "lantern" not in repr(await quick_rooms.events())
    assert not await quick_rooms.passwords.has(ada.id)


async def test_nobody_has_no_password(quick_rooms: Rooms) -> None:
    with pytest.raises(NotFound):
        await quick_rooms.passwords.set("person_none", GOOD)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2ff:3::4", "2001:db8:1:200::/56"),
        ("fe80::1%eth0", "fe80::/56"),
        ("testclient", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_network_is_wider_than_what_one_subscriber_can_change(address: str, network: str) -> None:
    assert network_of(address) == network
