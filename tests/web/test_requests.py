"""ORG-02 on the pages: a member asks, an admin decides, the member sees it; nobody else gets to decide."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.web.world import World
from valetkey.identity.model import Role
from valetkey.store.schema import organization

URL = "https://mcp.wanted.example/mcp"


@pytest.fixture(autouse=True)
async def company(world: World) -> None:
    async with world.database.write() as tx:
        await tx.execute(update(organization).values(kind="organization"))


async def test_a_member_asks_an_admin_switches_it_on_and_the_member_sees_it_and_is_connected_to_nothing(
    world: World,
) -> None:
    mia, person = await world.signed_in("mia")
    anton, _ = await world.signed_in("anton", role=Role.ADMIN)

    await mia.open("/directory/requests")
    asked = await mia.submit("/directory/requests", {"url": URL, "name": "<b>Wanted</b>"})
    listed = await anton.open("/admin/requests")
    [request] = await world.services.requests.of(person.organization_id)
    await anton.submit(f"/admin/requests/{request.id}/approve", {"sign_in": "oauth"})
    seen = await mia.open("/directory/requests")

    assert "Waiting" in asked.text
    assert "mcp.wanted.example" in listed.text
    assert "&lt;b&gt;Wanted" in listed.text
    assert "<b>Wanted" not in listed.text
    assert "Approved" in seen.text
    [connector] = await world.services.connectors.list_for(person)
    assert f"/connections/new/{connector.slug}" in seen.text
    assert not await world.services.connections.list(person.id)


@pytest.mark.parametrize(("role", "sees", "decides"), [
    (Role.OWNER, True, True), (Role.ADMIN, True, True), (Role.AUDITOR, True, False), (Role.MEMBER, False, False),
])  # fmt: skip
async def test_who_manages_connectors_decides_on_requests_and_nobody_else(
    world: World, role: Role, sees: bool, decides: bool
) -> None:
    browser, person = await world.signed_in("ada", role=role)
    request = await world.services.requests.ask(await world.person("mia"), url=URL)

    page = await browser.open("/admin/requests")
    await browser.open("/settings")
    answer = await browser.post(f"/admin/requests/{request.id}/dismiss", [("csrf", browser.csrf())])

    assert page.status_code == (200 if sees else 404)
    assert ("Switch on" in page.text) is decides
    assert (answer.status_code == 303) is decides
    [now] = await world.services.requests.of(person.organization_id)
    assert (now.state == "dismissed") is decides


async def test_what_was_refused_for_a_key_in_it_is_not_given_back(world: World) -> None:
    mia, _ = await world.signed_in("mia")
    await mia.open("/directory/requests")

    page = await mia.submit("/directory/requests", {"url": f"{URL}?api_key=canary-0123456789abcdef", "name": "x"})

    assert page.status_code == 422
    assert "canary" not in page.text


async def test_who_is_on_their_own_has_nobody_to_ask(world: World) -> None:
    async with world.database.write() as tx:
        await tx.execute(update(organization).values(kind="personal"))
    mia, _ = await world.signed_in("mia")

    assert (await mia.open("/directory/requests")).status_code == 404
