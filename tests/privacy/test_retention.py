"""Retention: what is kept for a stated time is gone after it, the trail says so, and nothing brings it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.hub import Hub, open_hub
from tests.audit.conftest import intent
from tests.conftest import FakeClock
from valetkey.audit.model import CallEnding, Everyone, Outcome
from valetkey.audit.repository import insert_calls
from valetkey.kernel.errors import VaultFailed
from valetkey.privacy.retention import Purged, Retention, Times
from valetkey.store.database import Database
from valetkey.store.leases import Leases
from valetkey.vault.day_keys import DayKeys

A_DAY = 86400.0
KEPT = Times(contents=30, calls=365)


@pytest.fixture
async def hub(database: Database, clock: FakeClock) -> Hub:
    return await open_hub(database, clock)


@pytest.fixture
def days(hub: Hub, keyring_database: Database, tmp_path: Path) -> DayKeys:
    return hub.keep_keys(keyring_database, tmp_path / "root.key")


def retention(hub: Hub, kept: Times = KEPT) -> Retention:
    return Retention(
        kept,
        calls=hub.services.calls,
        day_keys=hub.services.day_keys,
        trail=hub.services.trail,
        leases=Leases(hub.database, clock=hub.clock),
        clock=hub.clock,
    )


async def a_call(hub: Hub, days: DayKeys) -> str:
    """A call of Bob's today, with contents."""
    bob = hub.people["bob"]
    key = await days.key(bob.id, bob.organization_id, hub.clock.now().date().isoformat())
    call = intent(hub.clock, person_id=bob.id, organization_id=bob.organization_id, day=key.day, request=None)
    sealed = key.seal(b'{"said": "hello"}', about=f"{call.id}:response")
    async with hub.database.write() as tx:
        await insert_calls(tx, [(call, CallEnding(id=call.id, outcome=Outcome.OK, response=sealed))])
    return call.id


async def contents(hub: Hub, call_id: str) -> str:
    bob = await hub.with_scopes("bob")
    answer = await bob.get(f"/calls/{call_id}")
    return str(answer.json()["contents"]) if answer.status_code == 200 else str(answer.status_code)


async def test_contents_go_first_and_the_record_later_and_the_trail_counts_both(hub: Hub, days: DayKeys) -> None:
    call_id = await a_call(hub, days)

    hub.clock.advance(30 * A_DAY)
    assert await retention(hub).purge() == Purged(days=0, calls=0)
    assert await contents(hub, call_id) == "shown"

    hub.clock.advance(A_DAY)
    assert await retention(hub).purge() == Purged(days=1, calls=0)
    assert await contents(hub, call_id) == "erased"

    hub.clock.advance(335 * A_DAY)
    assert await retention(hub).purge() == Purged(days=0, calls=1)
    assert await contents(hub, call_id) == "404"

    done = [event for event in await hub.services.trail.list(Everyone()) if event.event == "retention.done"]
    assert [(event.detail["days"], event.detail["calls"]) for event in done] == [(0, 1), (1, 0), (0, 0)]
    found = await hub.services.trail_log.verify(None, None, ())
    assert (found.is_whole, found.deleted) == (True, 1)


async def test_keeping_longer_brings_nothing_back(hub: Hub, days: DayKeys) -> None:
    call_id = await a_call(hub, days)
    hub.clock.advance(3 * A_DAY)
    await retention(hub, Times(contents=1, calls=365)).purge()

    hub.clock.advance(A_DAY)
    await retention(hub, Times(contents=2000, calls=2190)).purge()

    assert await contents(hub, call_id) == "erased"
    bob = hub.people["bob"]
    with pytest.raises(VaultFailed):
        await days.existing(bob.id, bob.organization_id, "2026-11-22")


async def test_there_is_one_run_a_day_however_many_replicas_and_starts(hub: Hub, days: DayKeys) -> None:
    first = await retention(hub).purge()
    again = await retention(hub).purge()
    hub.clock.advance(A_DAY)

    assert (first, again) == (Purged(0, 0), None)
    assert await retention(hub).purge() is not None


async def test_a_run_that_failed_is_done_again_and_the_trail_says_that_it_began(hub: Hub, days: DayKeys) -> None:
    class Down:
        async def destroy_before(self, day: str) -> int:
            raise OSError("the keyring does not answer")

    await a_call(hub, days)
    hub.clock.advance(31 * A_DAY)
    hub.replaced(day_keys=Down())
    with pytest.raises(OSError, match="keyring"):
        await retention(hub).purge()
    hub.replaced(day_keys=days)

    assert await retention(hub).purge() == Purged(days=1, calls=0)
    began = [event for event in await hub.services.trail.list(Everyone()) if event.event == "retention.began"]
    assert len(began) == 2
