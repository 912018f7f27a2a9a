"""The privacy page: for everybody, in every version; and what it holds up while there is none (S-04)."""

from __future__ import annotations

import pytest

from tests.web.world import Browser, World
from valetkey.identity.model import Role
from valetkey.store.schema import privacy_policy


@pytest.fixture
async def unset(world: World) -> World:
    """A hub as it is at its first start."""
    async with world.database.write() as tx:
        await tx.execute(privacy_policy.delete())
    return world


def stranger(world: World) -> Browser:
    return world.browser()


async def test_everybody_reads_the_policy_and_every_earlier_version(world: World) -> None:
    await world.services.privacy.policies.publish("# Ours\n\nWe keep little.", actor="operator")

    page, earlier = [await stranger(world).open(path) for path in ("/privacy", "/privacy/1")]

    assert "We keep little." in page.text
    assert "Version 2" in page.text
    assert "An earlier version" in earlier.text
    assert "What is kept" in earlier.text
    for nothing in ("/privacy/9", "/privacy/x", "/privacy/0"):
        assert (await stranger(world).open(nothing)).status_code == 404


async def test_without_a_policy_the_template_is_shown_as_not_set_and_nothing_is_connected(unset: World) -> None:
    browser, ada = await unset.signed_in("ada")
    connector = await unset.connector(ada)

    assert "Not set" in (await stranger(unset).open("/privacy")).text
    assert "nothing can be connected" in (await browser.open("/")).text
    await browser.open(f"/connections/new/{connector.slug}")
    refused = await browser.submit(f"/connections/new/{connector.slug}")

    assert refused.status_code == 409
    assert "no privacy policy" in refused.text


async def test_the_owner_of_the_first_organization_makes_the_template_theirs_and_connects(unset: World) -> None:
    browser, ada = await unset.signed_in("ada", role=Role.OWNER)
    connector = await unset.connector(ada)

    await browser.open("/privacy")
    assert "Published" in (await browser.submit("/privacy/accept")).text

    assert "Not set" not in (await stranger(unset).open("/privacy")).text
    assert await unset.connect(browser, connector.slug)


@pytest.mark.parametrize("path", ["/privacy", "/privacy/accept"])
@pytest.mark.parametrize("role", [Role.MEMBER, Role.ADMIN, Role.AUDITOR])
async def test_nobody_else_publishes_one_on_a_page(unset: World, path: str, role: Role) -> None:
    browser, _ = await unset.signed_in("bob", role=role)
    page = await browser.open("/privacy")

    assert "You answer for this hub" not in page.text
    assert (await browser.submit(path, {"text": "All yours is mine."})).status_code == 403


async def test_a_change_is_told_on_the_first_page_until_it_was_read(world: World) -> None:
    browser, _ = await world.signed_in("ada")
    world.clock.advance(60.0)
    await world.services.privacy.policies.publish("We keep little.", actor="operator")

    assert "has changed" in (await browser.open("/")).text
    await browser.open("/privacy")
    read = await browser.submit("/privacy/seen")

    assert "has changed" not in read.text


async def test_who_connects_is_told_under_which_version(world: World) -> None:
    browser, ada = await world.signed_in("ada")
    connector = await world.connector(ada)

    page = await browser.open(f"/connections/new/{connector.slug}")

    assert 'href="/privacy"' in page.text
    assert "version 1" in page.text
