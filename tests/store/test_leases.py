"""A lease has one holder at a time, over all processes, on both engines."""

from __future__ import annotations

import asyncio

from tests.conftest import FakeClock
from valetkey.store.database import Database
from valetkey.store.leases import Leases


async def test_of_many_who_ask_at_once_exactly_one_gets_the_lease(database: Database, clock: FakeClock) -> None:
    leases = Leases(database, clock=clock)

    answers = await asyncio.gather(*(leases.take("refresh:1", seconds=30) for _ in range(20)))

    assert sum(answer is not None for answer in answers) == 1


async def test_a_lease_that_ran_out_is_taken_over_with_a_higher_fence(database: Database, clock: FakeClock) -> None:
    leases = Leases(database, clock=clock)
    first = await leases.take("refresh:1", seconds=30)
    assert first is not None

    clock.advance(31)
    second = await leases.take("refresh:1", seconds=30)

    assert second is not None
    assert second.fence > first.fence
    assert not await leases.is_current(first)


async def test_giving_back_late_does_not_end_the_next_holders_lease(database: Database, clock: FakeClock) -> None:
    leases = Leases(database, clock=clock)
    first = await leases.take("refresh:1", seconds=30)
    assert first is not None
    clock.advance(31)
    assert await leases.take("refresh:1", seconds=30) is not None

    await leases.give_back(first)

    assert await leases.take("refresh:1", seconds=30) is None
