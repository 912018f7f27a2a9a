"""What is remembered of the database: bounded, young, and gone when its owner changed."""

from __future__ import annotations

import pytest

from tests.conftest import FakeClock
from valetkey.store.notify import EVERYTHING, Notifications
from valetkey.store.remembered import Remembered

Memory = Remembered[str, str]


@pytest.fixture
def memory(notifications: Notifications, clock: FakeClock) -> Memory:
    return Remembered(notifications, "topic", "people", clock=clock, most=2, seconds=30)


async def look_up(key: str) -> str | None:
    return key.upper()


async def test_it_is_bounded_and_forgets_the_oldest_first(memory: Memory) -> None:
    for key in ("a", "b", "c"):
        await memory.get(key, look_up)

    assert [memory.now(key) for key in ("a", "b", "c")] == [None, "B", "C"]
    assert len(memory) == 2


async def test_it_forgets_with_time(memory: Memory, clock: FakeClock) -> None:
    await memory.get("a", look_up)
    clock.advance(29.9)
    assert memory.now("a") == "A"

    clock.advance(0.1)

    assert memory.now("a") is None
    assert len(memory) == 0


async def test_that_there_is_nothing_is_not_remembered(memory: Memory) -> None:
    async def nothing(_key: str) -> str | None:
        return None

    assert await memory.get("a", nothing) is None
    assert await memory.get("a", look_up) == "A"


async def test_what_was_read_just_before_it_changed_is_not_remembered(
    memory: Memory, notifications: Notifications
) -> None:
    """The database said *valid*, then it was revoked, then the answer arrived here."""

    async def look_up_and_be_overtaken(key: str) -> str | None:
        await notifications.publish("topic", key)
        return "old"

    assert await memory.get("a", look_up_and_be_overtaken) == "old"
    assert memory.now("a") is None
    before = memory.drops
    memory.drop("person_ada")
    memory.put("b", "stale", owner="person_ada", drops_before=before)
    assert memory.now("b") is None


async def test_all_that_is_of_one_owner_goes_at_once_and_nothing_else(
    memory: Memory, notifications: Notifications
) -> None:
    memory.put("a", "A", owner="person_ada", drops_before=0)
    memory.put("b", "B", owner="person_bob", drops_before=0)

    await notifications.publish("people", "person_ada")

    assert (memory.now("a"), memory.now("b")) == (None, "B")


async def test_a_value_that_changes_hands_goes_with_its_present_owner(memory: Memory) -> None:
    memory.put("a", "A", owner="person_ada", drops_before=0)
    memory.put("a", "B", owner="person_bob", drops_before=0)

    memory.drop("person_ada")
    assert memory.now("a") == "B"
    memory.drop("person_bob")

    assert memory.now("a") is None


async def test_everything_goes_when_notifications_may_have_been_missed(
    memory: Memory, notifications: Notifications
) -> None:
    await memory.get("a", look_up)
    memory.put("b", "B", owner="person_ada", drops_before=0)

    await notifications.publish("topic", EVERYTHING)

    assert len(memory) == 0
