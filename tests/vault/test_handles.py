"""Handles: what comes back is what was sealed, for the same person and purpose, in time, and nothing else is."""

from __future__ import annotations

import itertools

import pytest

from tests.conftest import FakeClock
from tests.vault.conftest import House
from valetkey.vault.day_keys import DayKeys
from valetkey.vault.handles import HandleExpired, Handles
from valetkey.vault.model import Tampered


@pytest.fixture
def handles(small_house: House) -> Handles:
    house = small_house
    keys = DayKeys(house.vault().keyring, clock=house.clock, notifications=house.notifications)
    return Handles(keys, clock=house.clock)


async def test_a_handle_gives_back_what_was_sealed_and_each_has_an_id_of_its_own(handles: Handles) -> None:
    made = [
        await handles.seal(b"value", person_id="ada", tenant="org", bound_to=("a", "b"), seconds=60) for _ in range(2)
    ]

    opened = [await handles.open(one, person_id="ada", tenant="org", bound_to=("a", "b")) for one in made]

    assert [one.value for one in opened] == [b"value", b"value"]
    assert opened[0].id != opened[1].id
    assert all(one.isascii() and one.replace("-", "").replace("_", "").isalnum() for one in made)


@pytest.mark.parametrize(
    ("person", "tenant", "bound_to"),
    [
        ("eve", "org", ("a", "b")),
        ("ada", "other", ("a", "b")),
        ("ada", "org", ("a", "c")),
        ("ada", "org", ("ab", "")),
        ("ada", "org", ("a",)),
    ],
)
async def test_nobody_else_and_nothing_else_opens_it(
    handles: Handles, person: str, tenant: str, bound_to: tuple[str, ...]
) -> None:
    made = await handles.seal(b"value", person_id="ada", tenant="org", bound_to=("a", "b"), seconds=60)
    await handles.seal(b"", person_id="eve", tenant="org", bound_to=(), seconds=60)  # eve has a key of the day, too

    with pytest.raises(Tampered):
        await handles.open(made, person_id=person, tenant=tenant, bound_to=bound_to)


async def test_every_changed_character_is_noticed(handles: Handles) -> None:
    made = await handles.seal(b"v", person_id="ada", tenant="org", bound_to=("a",), seconds=60)

    for at in range(len(made)):
        changed = made[:at] + ("A" if made[at] != "A" else "B") + made[at + 1 :]
        with pytest.raises(Tampered):
            await handles.open(changed, person_id="ada", tenant="org", bound_to=("a",))
    for other in ("", "VkgxA", "ä", made + "=", made + "-TAMPERED", made[:-1]):
        with pytest.raises(Tampered):
            await handles.open(other, person_id="ada", tenant="org", bound_to=("a",))


async def test_handles_of_two_people_in_two_organizations_are_never_taken_for_each_other(handles: Handles) -> None:
    """T31: 5,120 crossings of person, organization, connection and purpose, of which only the right ones open."""
    owners = list(itertools.product(("ada", "eve"), ("org", "other"), ("con_1", "con_2"), ("call", "list")))
    made = {
        owner: [
            await handles.seal(b"v", person_id=owner[0], tenant=owner[1], bound_to=owner[2:], seconds=60)
            for _ in range(20)
        ]
        for owner in owners
    }
    opened = []

    for owner, sealed in made.items():
        for other, handle in itertools.product(owners, sealed):
            try:
                await handles.open(handle, person_id=other[0], tenant=other[1], bound_to=other[2:])
            except Tampered:
                continue
            opened.append((owner, other))

    assert len(opened) == 20 * len(owners)
    assert all(owner == other for owner, other in opened)


async def test_a_late_one_is_said_to_be_late_also_on_the_next_day(handles: Handles, clock: FakeClock) -> None:
    made = await handles.seal(b"v", person_id="ada", tenant="org", bound_to=("a",), seconds=86_400)

    clock.advance(86_399)
    assert (await handles.open(made, person_id="ada", tenant="org", bound_to=("a",))).value == b"v"
    clock.advance(1)
    with pytest.raises(HandleExpired):
        await handles.open(made, person_id="ada", tenant="org", bound_to=("a",))
