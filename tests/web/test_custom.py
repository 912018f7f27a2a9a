"""Adding a service of one's own, as requirements ask for it by id: CUS-01 and CUS-07."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from tests.web.service import MCP_URL
from tests.web.test_connections import ADD
from tests.web.world import World

LINK = {
    "url": "https://mcp.example.com/mcp",
    "name": "Notes",
    "icon": "javascript:alert(1)",
    "acknowledged": "yes",
    "autoconfirm": "true",
    "do": "",
    "when": "now",
    "sign_in": "none",
    "client_id": "theirs",
}


async def test_cus_01_a_service_can_be_added_now_and_signed_in_to_when_it_is_needed(world: World) -> None:
    """Nothing is asked of it, nobody is connected, and the way to connect it is there."""
    browser, ada = await world.signed_in("ada")
    await browser.open("/connections/add")

    page = await browser.submit("/connections/add", {**ADD, "when": "needed"})

    (added,) = await world.services.connectors.list_for(ada)
    assert page.url.path == "/directory"
    assert "nobody is connected" in page.text
    assert f"/connections/new/{added.slug}" in page.text
    assert await world.services.connections.list(ada.id) == ()
    assert (await browser.open(f"/connections/new/{added.slug}")).status_code == 200


@pytest.mark.parametrize("transport", ["sse", "stdio", "streamable_http\r\n", "x" * 4000])
async def test_cus_01_a_transport_that_is_not_spoken_is_refused_when_one_adds_and_not_when_one_connects(
    world: World, transport: str
) -> None:
    browser, ada = await world.signed_in("ada")
    form = await browser.open("/connections/add")
    assert '<option value="streamable-http"' in form.text

    page = await browser.submit("/connections/add", {**ADD, "transport": transport})

    assert page.status_code == 422
    assert "spoken to over streamable-http, and not over" in page.text
    assert await world.services.connectors.list_for(ada) == []


async def test_cus_07_an_install_link_can_do_nothing_but_fill_in_two_fields(world: World) -> None:
    """Neither what it says of confirming, nor a huge name, nor a frame or a form of a stranger's page adds anything."""
    browser, ada = await world.signed_in("ada")

    page = await browser.open(f"/connections/add?{urlencode(LINK)}")
    huge = await browser.get(f"/connections/add?{urlencode(LINK | {'name': 'N' * 10_000})}")
    forged = await browser.client.post(
        f"/connections/add?{urlencode(LINK)}",
        data={**ADD, "url": MCP_URL},
        headers={"origin": "https://stranger.example", "sec-fetch-site": "cross-site"},
    )

    assert "Filled in by a link" in page.text
    assert "javascript:" not in page.text
    assert "theirs" not in page.text
    assert 'value="oauth" checked' in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "N" * 2049 not in huge.text
    assert forged.status_code == 403
    assert await world.services.connectors.list_for(ada) == []


async def test_s_06_five_thousand_tools_can_still_be_reviewed_and_no_button_is_pressed_by_chance(world: World) -> None:
    """(c): the button is the last thing on the page, has no focus of its own, and does nothing before the box."""
    world.service.is_open = True
    world.service.tools = tuple(
        json.dumps({"name": f"tool_{number}", "description": "Notes. " * 40, "inputSchema": {}}).encode()
        for number in range(5_000)
    )
    browser, ada = await world.signed_in("ada")
    await browser.open("/connections/add")

    page = await browser.submit("/connections/add", ADD)
    refused = await browser.accept_review(acknowledged="")

    assert len(page.text) < 600_000
    assert "lists 5,000 tools, of which the first 300 were looked at here" in page.text
    assert page.text.index("tool_100") < page.text.index('name="acknowledged"') < page.text.rindex("<button")
    assert "autofocus" not in page.text
    assert refused.status_code == 422
    assert [one.state.value for one in await world.services.connections.list(ada.id)] == ["not_connected"]
