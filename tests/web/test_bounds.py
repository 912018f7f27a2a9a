"""The page on which an owner says how much of members' calls is kept at least and at most."""

from __future__ import annotations

import pytest

from tests.web.world import World
from valetkey.identity.model import Role
from valetkey.privacy.levels import Level

HERE = "/admin/data"


async def test_an_owner_sets_bounds_and_members_see_them_and_choose_within(world: World) -> None:
    owner, _ = await world.signed_in("ada", role=Role.OWNER)
    member, bob = await world.signed_in("bob")
    await owner.open(HERE)

    page = await owner.submit(HERE, {"kind": "ceiling", "level": "metadata", "connector": "*"})

    assert "At most: Metadata" in page.text
    levels = world.services.privacy.levels
    assert (await levels.holding(bob.organization_id, bob.id)).level is Level.METADATA
    assert "at most metadata" in (await member.open("/settings/data")).text
    await owner.submit(HERE, {"kind": "ceiling", "level": "unset", "connector": "*"})
    assert (await levels.holding(bob.organization_id, bob.id)).level is Level.FULL


async def test_a_floor_above_the_ceiling_is_refused_on_the_page(world: World) -> None:
    owner, _ = await world.signed_in("ada", role=Role.OWNER)
    await owner.open(HERE)
    await owner.submit(HERE, {"kind": "ceiling", "level": "none", "connector": "*", "acknowledged": "yes"})

    refused = await owner.submit(HERE, {"kind": "floor", "level": "full", "connector": "*"})

    assert refused.status_code == 422
    assert "above the ceiling" in refused.text


@pytest.mark.parametrize("wrong", [{"kind": "wall"}, {"level": "everything"}, {"connector": ""}])
async def test_what_is_no_bound_is_named(world: World, wrong: dict[str, str]) -> None:
    owner, ada = await world.signed_in("ada", role=Role.OWNER)
    await owner.open(HERE)

    refused = await owner.submit(HERE, {"kind": "floor", "level": "full", "connector": "*", **wrong})

    assert refused.status_code == 422
    assert await world.services.privacy.levels.bounds(ada.organization_id) == []


@pytest.mark.parametrize(("role", "sees"), [(Role.ADMIN, 200), (Role.AUDITOR, 200), (Role.MEMBER, 404)])
async def test_nobody_but_an_owner_sets_one(world: World, role: Role, sees: int) -> None:
    browser, bob = await world.signed_in("bob", role=role)
    page = await browser.open(HERE)

    assert page.status_code == sees
    assert "Set one" not in page.text
    await browser.open("/settings/data")
    assert (await browser.submit(HERE, {"kind": "floor", "level": "full", "connector": "*"})).status_code == 404
    assert await world.services.privacy.levels.bounds(bob.organization_id) == []
