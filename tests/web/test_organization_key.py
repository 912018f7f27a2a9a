"""The organization's key in pages: owners enter it, members are told of it before they connect (CUS-04)."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.web.world import World
from valetkey.directory.model import Connector
from valetkey.identity.model import Person, Role
from valetkey.store.schema import organization

SHARED = {"kind": "header", "headers": ["X-Api-Key"], "identity": "organization"}
CANARY = "CANARY-of-everybody"


@pytest.fixture
async def shared(world: World) -> tuple[Person, Connector]:
    async with world.database.write() as tx:
        await tx.execute(update(organization).values(kind="organization"))
    owner = await world.person("olga", role=Role.OWNER)
    return owner, await world.connector(owner, **SHARED)  # type: ignore[arg-type]


async def test_an_owner_enters_replaces_and_takes_away_the_key_and_nobody_reads_it_back(
    world: World, shared: tuple[Person, Connector]
) -> None:
    _, connector = shared
    browser = world.browser()
    await browser.sign_in("olga")
    path = f"/directory/{connector.slug}/key"
    before = (await browser.get(f"/connections/new/{connector.slug}")).text
    await browser.get(path)

    entered = await browser.submit(path, {"header:X-Api-Key": CANARY})
    again = (await browser.get(path)).text
    replaced = await browser.submit(path, {"header:X-Api-Key": f"{CANARY}-2"})
    bad = await browser.submit(path, {"header:X-Api-Key": "line\nbreak"})
    gone = await browser.submit(f"{path}/remove")

    assert "No owner has entered the key yet" in before
    assert "The organization&#39;s key is sealed" in entered.text
    assert "Seal and replace" in again
    assert bad.status_code == 422
    assert "disconnected" in gone.text
    assert "No owner has entered the key yet" in gone.text
    assert all(CANARY not in page for page in (entered.text, again, replaced.text, gone.text))


async def test_a_member_is_told_before_connecting_and_on_the_connection_and_enters_nothing(
    world: World, shared: tuple[Person, Connector]
) -> None:
    """VLT-13: what a whole organization can reach says so."""
    _, connector = shared
    owner = world.browser()
    await owner.sign_in("olga")
    await owner.get(f"/directory/{connector.slug}/key")
    await owner.submit(f"/directory/{connector.slug}/key", {"header:X-Api-Key": CANARY})
    browser, _ = await world.signed_in("bob")

    listed = (await browser.get("/directory")).text
    before = (await browser.get(f"/connections/new/{connector.slug}")).text
    unread = await browser.submit(f"/connections/new/{connector.slug}", {})
    await browser.get(f"/connections/new/{connector.slug}")
    page = await browser.submit(f"/connections/new/{connector.slug}", {"acknowledged": "yes"})

    assert "acts as the organization" in listed
    assert "Acts as the organization, not you" in before
    assert "header:X-Api-Key" not in before
    assert unread.status_code == 422
    assert page.url.path.startswith("/connections/cn_")
    assert "Acts as the organization, not you" in page.text
    assert "The organization&#39;s key, sealed" in page.text


@pytest.mark.parametrize("role", [Role.MEMBER, Role.ADMIN, Role.AUDITOR])
async def test_nobody_but_an_owner_reaches_the_key(world: World, shared: tuple[Person, Connector], role: Role) -> None:
    _, connector = shared
    browser, _ = await world.signed_in("bob", role=role)
    await browser.get("/directory")
    path = f"/directory/{connector.slug}/key"

    answers = [
        await browser.get(path),
        await browser.post(path, [("csrf", browser.csrf()), ("header:X-Api-Key", CANARY)]),
        await browser.post(f"{path}/remove", [("csrf", browser.csrf())]),
    ]

    assert answers[0].status_code == 404
    assert all(answer.status_code in (403, 404) for answer in answers)
    assert not await world.services.held.is_there(connector)


async def test_whose_key_it_is_is_chosen_when_a_service_is_added(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    await browser.get("/connections/add")

    page = await browser.submit(
        "/connections/add",
        {
            "url": "https://mcp.elsewhere.example/mcp", "name": "Ours", "sign_in": "header", "headers": "X-Api-Key",
            "identity": "organization",
        },
    )  # fmt: skip

    [connector] = await world.services.connectors.list_for(ada)
    assert connector.acts_as_organization
    assert "Enter the key" in page.text
