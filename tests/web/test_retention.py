"""The page on which an owner says for how long calls are kept, and what is held; and what members see of it."""

from __future__ import annotations

import pytest

from tests.web.world import World
from valetkey.identity.model import Role

HERE = "/admin/retention"


async def test_a_member_sees_the_times_that_hold_and_who_said_them(world: World) -> None:
    owner, _ = await world.signed_in("ada", role=Role.OWNER)
    member, _ = await world.signed_in("bob")
    before = (await member.open("/settings/data")).text
    await owner.open(HERE)

    await owner.submit(HERE, {"contents": "90", "calls": "400"})

    assert "30 days; then the key is destroyed" in before
    assert "was said by whoever runs this hub" in before
    after = (await member.open("/settings/data")).text
    assert "90 days; then the key is destroyed" in after
    assert "400 days; then the log keeps a hash" in after
    assert "was said by your organization" in after


async def test_shorter_is_asked_about_once_more_and_set_when_it_is_meant(world: World) -> None:
    owner, ada = await world.signed_in("ada", role=Role.OWNER)
    await owner.open(HERE)
    await owner.submit(HERE, {"contents": "90", "calls": "400"})

    asked = await owner.submit(HERE, {"contents": "30", "calls": "30"})

    assert asked.status_code == 422
    assert "This is shorter, and for good" in asked.text
    kept = await world.services.privacy.keeping.kept(ada.organization_id)
    assert (kept.now.contents, kept.soon) == (90, None)
    page = await owner.submit(HERE, {"contents": "30", "calls": "30", "meant": "yes"})
    assert "until then this can be changed" in page.text


@pytest.mark.parametrize("wrong", [{"contents": "29"}, {"contents": "many"}, {"calls": "9999"}, {"calls": ""}])
async def test_what_is_no_time_is_named_beside_its_field(world: World, wrong: dict[str, str]) -> None:
    owner, _ = await world.signed_in("ada", role=Role.OWNER)
    await owner.open(HERE)

    refused = await owner.submit(HERE, {"contents": "90", "calls": "400", **wrong})

    assert refused.status_code == 422
    assert 'aria-invalid="true"' in refused.text


async def test_who_is_held_sees_why_and_cannot_erase_until_it_is_released(world: World) -> None:
    owner, ada = await world.signed_in("ada", role=Role.OWNER)
    member, bob = await world.signed_in("bob")
    await owner.open(HERE)
    page = await owner.submit("/admin/retention/holds", {"person": bob.id, "reason": "Case 12/26"})

    assert "Case 12/26" in page.text
    assert "Case 12/26" in (await member.open("/settings/data")).text
    erase = await member.open("/settings/data/erase")
    assert "This waits" in erase.text
    assert (await member.submit("/settings/data/erase", {})).status_code == 409
    [hold] = await world.services.privacy.holds.list(ada.organization_id)
    await owner.open(HERE)
    await owner.submit(f"/admin/retention/holds/{hold.id}/release", {})
    assert "This waits" not in (await member.open("/settings/data/erase")).text


@pytest.mark.parametrize(("role", "sees"), [(Role.ADMIN, 200), (Role.AUDITOR, 200), (Role.MEMBER, 404)])
async def test_nobody_but_an_owner_sets_or_holds(world: World, role: Role, sees: int) -> None:
    browser, bob = await world.signed_in("bob", role=role)
    assert (await browser.open(HERE)).status_code == sees

    for path, form in (
        (HERE, {"contents": "90", "calls": "400"}),
        ("/admin/retention/holds", {"person": "", "reason": "Mine"}),
        ("/admin/retention/holds/hold_1/release", {}),
    ):
        await browser.open("/settings/data")
        assert (await browser.submit(path, form)).status_code == 404

    assert await world.services.privacy.holds.list(bob.organization_id) == []
