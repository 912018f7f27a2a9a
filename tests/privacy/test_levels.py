"""How much of calls is kept: chosen by the person, within what the organization bounds, and never no record."""

from __future__ import annotations

from itertools import product
from typing import Literal

import pytest

from tests.api.hub import Hub, open_hub
from tests.conftest import FakeClock
from valetkey.audit.model import Everyone
from valetkey.kernel.errors import BadInput
from valetkey.privacy.levels import NOT_THERE, RANK, Level, Levels
from valetkey.store.database import Database


@pytest.fixture
async def hub(sqlite_database: Database, clock: FakeClock) -> Hub:
    return await open_hub(sqlite_database, clock)


@pytest.fixture
def levels(hub: Hub) -> Levels:
    return hub.services.privacy.levels


async def test_at_first_everything_is_kept_and_a_choice_is_for_one_person_and_connector(
    hub: Hub, levels: Levels
) -> None:
    bob, ada = hub.people["bob"], hub.people["ada"]
    home = bob.organization_id

    await levels.choose(home, bob.id, Level.METADATA, connector="mail", actor="person:bob")

    assert await levels.level(home, bob.id, "mail") is Level.METADATA
    assert await levels.level(home, bob.id, "notes") is Level.FULL
    assert await levels.level(home, ada.id, "mail") is Level.FULL


async def test_a_choice_for_one_connector_goes_before_the_one_for_all_and_can_be_taken_back(
    hub: Hub, levels: Levels
) -> None:
    bob = hub.people["bob"]
    home = bob.organization_id
    await levels.choose(home, bob.id, Level.NONE, actor="person:bob")
    await levels.choose(home, bob.id, Level.FULL, connector="notes", actor="person:bob")

    assert [await levels.level(home, bob.id, one) for one in ("mail", "notes")] == [Level.NONE, Level.FULL]

    await levels.choose(home, bob.id, None, connector="notes", actor="person:bob")

    assert await levels.level(home, bob.id, "notes") is Level.NONE


async def test_what_holds_is_the_choice_within_floor_and_ceiling(hub: Hub, levels: Levels) -> None:
    bob = hub.people["bob"]
    home = bob.organization_id
    for floor, ceiling, choice in product(Level, repeat=3):
        bounds: tuple[tuple[Literal["floor", "ceiling"], str], ...] = (("floor", "*"), ("ceiling", "mail"))
        for kind, connector in bounds:
            await levels.bound(home, kind, None, connector=connector, actor="person:ada")
        await levels.choose(home, bob.id, choice, actor="person:bob")  # while there are no bounds
        await levels.bound(home, "floor", floor, actor="person:ada")
        if RANK[floor] > RANK[ceiling]:
            with pytest.raises(BadInput, match="above the ceiling"):
                await levels.bound(home, "ceiling", ceiling, connector="mail", actor="person:ada")
            continue
        await levels.bound(home, "ceiling", ceiling, connector="mail", acknowledged=True, actor="person:ada")

        held = await levels.level(home, bob.id, "mail")

        assert RANK[held] == min(max(RANK[choice], RANK[floor]), RANK[ceiling])
        assert RANK[await levels.level(home, bob.id, "notes")] == max(RANK[choice], RANK[floor])


async def test_a_choice_beyond_the_bounds_is_refused_in_words(hub: Hub, levels: Levels) -> None:
    bob = hub.people["bob"]
    await levels.bound(bob.organization_id, "floor", Level.METADATA, actor="person:ada")

    with pytest.raises(BadInput, match="does not allow") as refused:
        await levels.choose(bob.organization_id, bob.id, Level.NONE, actor="person:bob")

    assert "at least metadata and at most full" in refused.value.hint


async def test_a_change_is_heard_at_once_and_stands_in_the_trail(hub: Hub, levels: Levels) -> None:
    bob = hub.people["bob"]
    home = bob.organization_id
    await levels.level(home, bob.id, "mail")
    assert levels.level_now(home, bob.id, "mail") is Level.FULL

    await levels.bound(home, "ceiling", Level.METADATA, actor="person:ada")

    assert levels.level_now(home, bob.id, "mail") is None
    assert await levels.level(home, bob.id, "mail") is Level.METADATA
    event = (await hub.services.trail.list(Everyone()))[0]
    assert (event.event, event.actor, event.object) == ("log_level.set", "person:ada", "*")
    assert event.detail == {"kind": "ceiling", "level": "metadata", "before": ""}


async def test_only_an_owner_sets_bounds_and_a_member_chooses_within_them(hub: Hub) -> None:
    ada, bob = await hub.with_scopes("ada"), await hub.with_scopes("bob")

    assert (await bob.post("/data/bounds", json={"kind": "floor", "level": "full"})).status_code == 403
    assert (await ada.post("/data/bounds", json={"kind": "ceiling", "level": "metadata"})).status_code == 200

    assert (await bob.post("/data/level", json={"level": "full"})).status_code == 400
    chosen = (await bob.post("/data/level", json={"level": "none", "connector": "mail"})).json()
    assert (chosen["level"], chosen["ceiling"]) == ("none", "metadata")
    everywhere = (await bob.get("/data/level")).json()
    assert (everywhere["level"], everywhere["choice"]) == ("metadata", "full")


async def test_keeping_nothing_is_said_to_reach_no_service_and_an_owner_has_to_know_it(hub: Hub) -> None:
    """DATA-08: no promise of a hub reaches a service; who keeps nothing here goes on calling them knowingly."""
    ada = await hub.with_scopes("ada")
    wish = {"kind": "ceiling", "level": "none"}

    refused = await ada.post("/data/bounds", json=wish)
    done = await ada.post("/data/bounds", json={**wish, "acknowledged": True})

    assert (refused.status_code, refused.json()["field"], refused.json()["detail"]) == (400, "acknowledged", NOT_THERE)
    assert "connected keep what calls send them" in NOT_THERE
    assert done.status_code == 200
    event = (await hub.services.trail.list(Everyone()))[0]
    assert event.detail == {"kind": "ceiling", "level": "none", "before": "", "acknowledged": True}
