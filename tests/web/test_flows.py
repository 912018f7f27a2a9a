"""What a person does, page by page, in a browser without scripts."""

from __future__ import annotations

from tests.web.world import World, leads_to


async def test_a_person_connects_a_service_and_disconnects_it(world: World) -> None:
    browser, ada = await world.signed_in("ada")

    await browser.open("/connections/add")
    page = await browser.submit(
        "/connections/add", {"url": "https://mcp.example.com/mcp", "name": "Notes", "sign_in": "oauth"}
    )
    assert "Before you connect" in page.text
    answer = await browser.accept_review()
    assert leads_to(answer).startswith("https://auth.example.net/authorize?")
    page = await browser.open(world.service.approve(leads_to(answer)))
    assert page.url.path.startswith("/connections/cn_")
    assert "Connected" in page.text
    path = page.url.path
    await browser.open(f"{path}/disconnect")
    page = await browser.submit(f"{path}/disconnect")
    assert "Revoked and destroyed" in page.text
    assert world.service.revoked == ["refresh-1", "access-1"]
