"""Holds: what an organization has to keep is kept, seen by whom it covers, and goes when it is released (DATA-10)."""

from __future__ import annotations

import pytest

from tests.api.hub import Hub
from tests.privacy.test_retention import A_DAY, a_call, contents, days, hub, purge
from valetkey.audit.model import Everyone
from valetkey.kernel.errors import Conflict
from valetkey.vault.day_keys import DayKeys

__all__ = ["days", "hub"]  # fixtures


async def hold(hub: Hub, login: str = "", reason: str = "Case 12/26") -> str:
    ada = await hub.with_scopes("ada")
    answer = await ada.post("/data/holds", json={"person": login, "reason": reason})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize("covered", ["bob", ""])
async def test_what_is_held_stays_and_goes_with_the_run_after_its_release(
    hub: Hub, days: DayKeys, covered: str
) -> None:
    of_bob, of_eve = await a_call(hub, days), await a_call(hub, days, "eve")
    hold_id = await hold(hub, covered)
    hub.clock.advance(400 * A_DAY)
    await purge(hub)

    assert [await contents(hub, of_bob), await contents(hub, of_eve, "eve")] == ["shown", "404"]

    ada = await hub.with_scopes("ada")
    assert (await ada.delete(f"/data/holds/{hold_id}")).status_code == 204
    hub.clock.advance(A_DAY)
    await purge(hub)
    assert await contents(hub, of_bob) == "404"
    assert (await hub.services.trail_log.verify(None, None, ())).is_whole


async def test_a_hold_on_one_member_keeps_nothing_of_another(hub: Hub, days: DayKeys) -> None:
    of_ada = await a_call(hub, days, "ada")
    await hold(hub, "bob")
    hub.clock.advance(31 * A_DAY)
    await purge(hub)

    assert await contents(hub, of_ada, "ada") == "erased"


async def test_who_is_covered_sees_it_with_its_reason_and_others_do_not(hub: Hub) -> None:
    await hold(hub, "bob", "Case of Bob's")
    await hold(hub, "", "Audit of the year")

    async def seen(login: str) -> list[str]:
        client = await hub.with_scopes(login)
        return [one["reason"] for one in (await client.get("/data/holds")).json()["items"]]

    await hub.add("carol", hub.people["ada"].organization_id, hub.people["bob"].role)
    assert await seen("bob") == ["Case of Bob's", "Audit of the year"]
    assert await seen("carol") == ["Audit of the year"]
    assert await seen("ada") == ["Case of Bob's", "Audit of the year"]  # who placed them
    assert await seen("eve") == []
    events = [one for one in await hub.services.trail.list(Everyone()) if one.event == "hold.placed"]
    assert [one.person_id for one in events] == ["", hub.people["bob"].id]


async def test_erasing_and_leaving_wait_for_it_and_say_why(hub: Hub, days: DayKeys) -> None:
    await a_call(hub, days)
    await hold(hub, "bob")
    bob = await hub.with_scopes("bob")

    erased = await bob.post("/data/erase", json={})

    assert (erased.status_code, "Case 12/26" in erased.text) == (409, True)
    with pytest.raises(Conflict, match="Case 12/26"):
        await hub.services.leaving.leave(hub.people["bob"].id, by="x")
    assert (await bob.get("/data/export")).status_code == 200  # taking along works


async def test_of_who_is_removed_the_contents_stay_and_go_with_the_last_hold(hub: Hub, days: DayKeys) -> None:
    bob = hub.people["bob"]
    await a_call(hub, days)
    first, second = await hold(hub, "bob"), await hold(hub)

    left = await hub.services.offboarding.remove(bob.id, by="person:ada")

    assert left.days == 0
    holds = hub.services.privacy.holds
    await holds.release(bob.organization_id, first, actor="person:ada")
    assert await days.existing(bob.id, bob.organization_id, "2026-11-22")
    await holds.release(bob.organization_id, second, actor="person:ada")
    with pytest.raises(Exception, match="erased"):
        await days.existing(bob.id, bob.organization_id, "2026-11-22")


async def test_only_an_owner_places_and_releases(hub: Hub) -> None:
    hold_id = await hold(hub, "bob")
    bob, eve = await hub.with_scopes("bob"), await hub.with_scopes("eve")

    assert (await bob.post("/data/holds", json={"reason": "Mine"})).status_code == 403
    assert (await bob.delete(f"/data/holds/{hold_id}")).status_code == 403
    assert (await eve.delete(f"/data/holds/{hold_id}")).status_code == 404
    assert (await eve.post("/data/holds", json={"person": "bob", "reason": "Theirs"})).status_code == 404
