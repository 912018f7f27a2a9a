"""Retention: what is kept for a stated time is gone after it, the trail says so, and nothing brings it back (DATA-04,
DATA-05)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.hub import Hub, open_hub
from tests.audit.conftest import intent
from tests.conftest import FakeClock
from valetkey.audit.ageing import Ageing
from valetkey.audit.model import CallEnding, Everyone, Outcome
from valetkey.audit.repository import insert_calls
from valetkey.identity.model import Person
from valetkey.kernel.errors import BadInput, VaultFailed
from valetkey.privacy.keeping import Keeping, Shortens
from valetkey.privacy.retention import Purged, Retention, Sweeps
from valetkey.privacy.times import Times
from valetkey.store.database import Database
from valetkey.store.leases import Leases
from valetkey.vault.day_keys import DayKeys

A_DAY = 86400.0
KEPT = Times(contents=30, calls=365)


@pytest.fixture
async def hub(database: Database, clock: FakeClock) -> Hub:
    """Ada (owner) and Bob are of an organization; Eve is on her own."""
    hub = await open_hub(database, clock)
    await hub.services.privacy.keeping.follow(KEPT, at_most=1000)
    return hub


@pytest.fixture
def days(hub: Hub, keyring_database: Database, tmp_path: Path) -> DayKeys:
    return hub.keep_keys(keyring_database, tmp_path / "root.key")


@pytest.fixture
def keeping(hub: Hub) -> Keeping:
    return hub.services.privacy.keeping


async def purge(hub: Hub, *, days: Any = None) -> Purged | None:
    privacy = hub.services.privacy
    return await Retention(
        hub.database,
        privacy.keeping,
        privacy.holds,
        day_keys=days or hub.services.day_keys,
        trail=hub.services.trail,
        leases=Leases(hub.database, clock=hub.clock),
        clock=hub.clock,
        sweeps=Sweeps(alerts=hub.services.alerts.sweep, approvals=hub.services.policy.sweep),
    ).purge()


async def a_call(hub: Hub, days: DayKeys, login: str = "bob") -> str:
    """A call of theirs today, with contents."""
    person = hub.people[login]
    key = await days.key(person.id, person.organization_id, hub.clock.now().date().isoformat())
    call = intent(hub.clock, person_id=person.id, organization_id=person.organization_id, day=key.day, request=None)
    sealed = key.seal(b'{"said": "hello"}', about=f"{call.id}:response")
    async with hub.database.write() as tx:
        await insert_calls(tx, [(call, CallEnding(id=call.id, outcome=Outcome.OK, response=sealed))])
    return call.id


async def contents(hub: Hub, call_id: str, login: str = "bob") -> str:
    client = await hub.with_scopes(login)
    answer = await client.get(f"/calls/{call_id}")
    return str(answer.json()["contents"]) if answer.status_code == 200 else str(answer.status_code)


async def set_times(
    keeping: Keeping, person: Person, contents: int | None, calls: int | None, *, meant: bool = True
) -> None:
    await keeping.set(person.organization_id, contents=contents, calls=calls, meant=meant, actor="person:ada")


async def events(hub: Hub, name: str) -> list[dict[str, Any]]:
    return [dict(one.detail) for one in await hub.services.trail.list(Everyone(), limit=200) if one.event == name]


async def test_contents_go_first_and_the_record_later_and_the_trail_counts_both(hub: Hub, days: DayKeys) -> None:
    call_id = await a_call(hub, days)

    hub.clock.advance(30 * A_DAY)
    assert await purge(hub) == Purged(days=0, calls=0)
    assert await contents(hub, call_id) == "shown"

    hub.clock.advance(A_DAY)
    assert await purge(hub) == Purged(days=1, calls=0)
    assert await contents(hub, call_id) == "erased"

    hub.clock.advance(335 * A_DAY)
    assert await purge(hub) == Purged(days=0, calls=1)
    assert await contents(hub, call_id) == "404"

    assert [(one["days"], one["calls"]) for one in await events(hub, "retention.done")] == [(0, 1), (1, 0), (0, 0)]
    found = await hub.services.trail_log.verify(None, None, ())
    assert (found.is_whole, found.deleted) == (True, 1)


async def test_of_a_record_that_is_too_old_the_log_keeps_the_hash_alone(hub: Hub, days: DayKeys) -> None:
    """When, which tool, by which assistant: nothing of it can be read in any table, and the log verifies."""
    call_id = await a_call(hub, days)
    hub.clock.advance(366 * A_DAY)
    await purge(hub)

    async with hub.database.read() as tx:
        leaves: list[Any] = list(await tx.exec_driver_sql("select kind, reference, hash, record from trail_leaf"))
        tables = [str(row) for row in await tx.exec_driver_sql("select * from call_record")]
    [(_, _, hashed, record)] = [row for row in leaves if row[0] == "call"]
    assert bytes(record).startswith(b"erased del_")
    assert len(bytes(hashed)) == 32
    assert not any(b"get_issue" in bytes(row[3]) for row in leaves)
    assert tables == []
    assert call_id in [row[1] for row in leaves]  # an id names nobody
    assert (await hub.services.trail_log.verify(None, None, ())).is_whole


async def test_an_owner_keeps_longer_for_calls_from_then_on_and_others_stay_as_they_were(
    hub: Hub, days: DayKeys, keeping: Keeping
) -> None:
    """Lengthening never resurrects, nor keeps what was there under a shorter time (DATA-04)."""
    before = await a_call(hub, days)
    hub.clock.advance(10 * A_DAY)
    await set_times(keeping, hub.people["ada"], 90, 400)
    after, of_eve = await a_call(hub, days), await a_call(hub, days, "eve")

    hub.clock.advance(31 * A_DAY)
    await purge(hub)

    assert [await contents(hub, before), await contents(hub, after)] == ["erased", "shown"]
    assert await contents(hub, of_eve, "eve") == "erased"
    hub.clock.advance(60 * A_DAY)
    await purge(hub)
    assert await contents(hub, after) == "erased"


async def test_an_operator_keeps_longer_for_calls_from_then_on_and_everybody_sees_it(
    hub: Hub, days: DayKeys, keeping: Keeping
) -> None:
    """DATA-04: what is stored is kept no longer than was said when it was made, and the new time is told."""
    before = await a_call(hub, days, "eve")
    hub.clock.advance(A_DAY)
    await keeping.follow(Times(contents=90, calls=900), at_most=1000)
    after = await a_call(hub, days, "eve")

    hub.clock.advance(31 * A_DAY)
    await purge(hub)

    assert [await contents(hub, one, "eve") for one in (before, after)] == ["erased", "shown"]
    shown = (await (await hub.with_scopes("eve")).get("/data/retention")).json()
    assert (shown["contents"], shown["calls"]) == (90, 900)
    assert [one["contents"] for one in await events(hub, "retention.set")] == [90, 30]


async def test_what_is_gone_no_longer_time_brings_back(hub: Hub, days: DayKeys, keeping: Keeping) -> None:
    call_id = await a_call(hub, days)
    hub.clock.advance(31 * A_DAY)
    await purge(hub)

    hub.clock.advance(A_DAY)
    await keeping.follow(Times(contents=900, calls=900), at_most=1000)
    await set_times(keeping, hub.people["ada"], 1000, 1000)

    assert await contents(hub, call_id) == "erased"
    bob = hub.people["bob"]
    with pytest.raises(VaultFailed):
        await days.existing(bob.id, bob.organization_id, "2026-11-22")


async def test_shorter_is_refused_with_what_would_go_until_it_is_meant(
    hub: Hub, days: DayKeys, keeping: Keeping
) -> None:
    ada = hub.people["ada"]
    await set_times(keeping, ada, 90, 400)
    for _ in range(3):
        hub.clock.advance(20 * A_DAY)
        await a_call(hub, days)

    hub.clock.advance(5 * A_DAY)
    with pytest.raises(Shortens, match="contents of 1 calls and the records of 0") as refused:
        await set_times(keeping, ada, 30, 400, meant=False)

    assert refused.value.going.contents == 1
    assert (await keeping.kept(ada.organization_id)).now == Times(90, 400)


async def test_shorter_holds_a_day_later_and_can_be_taken_back_until_then(
    hub: Hub, days: DayKeys, keeping: Keeping
) -> None:
    ada = hub.people["ada"]
    await set_times(keeping, ada, 90, 400)
    call_id = await a_call(hub, days)
    hub.clock.advance(40 * A_DAY)

    await set_times(keeping, ada, 30, 400)
    kept = await keeping.kept(ada.organization_id)
    await purge(hub)

    assert (kept.now, kept.soon) == (Times(90, 400), Times(30, 400))
    assert await contents(hub, call_id) == "shown"
    await set_times(keeping, ada, 90, 400)
    hub.clock.advance(2 * A_DAY)
    await purge(hub)
    assert await contents(hub, call_id) == "shown"

    await set_times(keeping, ada, 30, 400)
    hub.clock.advance(1.5 * A_DAY)
    await purge(hub)
    assert await contents(hub, call_id) == "erased"
    said = await events(hub, "retention.set")
    assert (said[0]["contents"], said[0]["contents_before"]) == (30, 90)


@pytest.mark.parametrize(("contents", "calls"), [(29, 365), (30, 1001), (90, 60), (1001, 1001)])
async def test_an_owner_stays_within_the_bounds(hub: Hub, keeping: Keeping, contents: int, calls: int) -> None:
    """Thirty days at least (DATA-05), what the operator says at most, and no content without its record."""
    with pytest.raises(BadInput):
        await set_times(keeping, hub.people["ada"], contents, calls)


async def test_a_bound_that_the_operator_lowers_holds_for_who_said_more(hub: Hub, keeping: Keeping) -> None:
    ada = hub.people["ada"]
    await set_times(keeping, ada, 500, 900)

    await keeping.follow(KEPT, at_most=400)
    hub.clock.advance(2 * A_DAY)

    assert (await keeping.kept(ada.organization_id)).now == Times(400, 400)
    await keeping.follow(KEPT, at_most=400)  # the next start says nothing new
    assert len(await events(hub, "retention.set")) == 3


async def test_what_is_taken_back_is_as_the_operator_says(hub: Hub, keeping: Keeping) -> None:
    ada = hub.people["ada"]
    await set_times(keeping, ada, 500, 900)
    hub.clock.advance(2 * A_DAY)

    await set_times(keeping, ada, None, None)
    hub.clock.advance(2 * A_DAY)

    kept = await keeping.kept(ada.organization_id)
    assert (kept.now, kept.by_organization) == (KEPT, False)


async def test_there_is_one_run_a_day_however_many_replicas_and_starts(hub: Hub, days: DayKeys) -> None:
    first = await purge(hub)
    again = await purge(hub)
    hub.clock.advance(A_DAY)

    assert (first, again) == (Purged(0, 0), None)
    assert await purge(hub) is not None


async def test_a_run_that_failed_is_done_again_and_the_trail_says_that_it_began(hub: Hub, days: DayKeys) -> None:
    class Down:
        async def destroy_before(self, day: str, **_others: object) -> dict[str, int]:
            raise OSError("the keyring does not answer")

    await a_call(hub, days)
    hub.clock.advance(31 * A_DAY)
    with pytest.raises(OSError, match="keyring"):
        await purge(hub, days=Down())

    assert await purge(hub) == Purged(days=1, calls=0)
    assert len(await events(hub, "retention.began")) == 2


async def test_a_run_says_how_far_it_is_and_each_organization_gets_its_own_counts(hub: Hub, days: DayKeys) -> None:
    await a_call(hub, days)
    await a_call(hub, days, "eve")
    hub.clock.advance(366 * A_DAY)
    await purge(hub)

    async with hub.operator as operator:
        [run] = (await operator.get("/data/retention/runs")).json()["items"]
    assert (run["percent"], run["days"], run["calls"]) == (100, 2, 2)
    assert run["finished_at"] is not None
    purged = [one for one in await hub.services.trail.list(Everyone()) if one.event == "retention.purged"]
    told = {one.organization_id: dict(one.detail) for one in purged}
    assert told == {hub.people[login].organization_id: {"days": 1, "calls": 1} for login in ("bob", "eve")}


async def test_a_long_history_goes_in_pieces_and_the_log_verifies(hub: Hub, days: DayKeys) -> None:
    for _ in range(7):
        await a_call(hub, days)
        hub.clock.advance(1)
    ageing, instant = Ageing(hub.database), hub.clock.now()

    first = await ageing.piece(lambda call: call.id.endswith(tuple("02468bdfhkmprtvxz")), before=instant)

    assert first.looked_at == 7
    assert first.next_after == ""
    assert sum(first.calls.values()) <= 7
    assert (await hub.services.trail_log.verify(None, None, ())).is_whole
