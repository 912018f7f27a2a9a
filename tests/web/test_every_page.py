"""Every page of the site map in a real browser, at a desk and on a phone, light and dark, as an owner sees it.

The pictures are kept in `screenshots/`, to be looked at. A page that is new in the site map is among them by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Route

from tests.web.test_approvals import DELETE
from tests.web.test_canaries import chromium, furnished
from tests.web.test_standing import ON, ask_standing
from tests.web.world import PUBLIC_URL, Browser, World
from valetkey.audit.alerts import AlertKind, Noticed
from valetkey.audit.model import Outcome
from valetkey.policy.model import Setting
from valetkey.web.site import site_map

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
WIDTHS: Final = (1280, 375)
DRESSES: Final[tuple[Literal["light"], Literal["dark"]]] = ("light", "dark")
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

__all__ = ["chromium"]


async def more_of_everything(world: World, browser: Browser, connection_id: str) -> dict[str, str]:
    """Alerts, a ceiling, a standing approval, a large result, a connection in quarantine; pages besides the map's."""
    ada = await world.services.people.find("ada")
    assert ada is not None
    connection = await world.services.connections.get(ada.id, connection_id)
    connector = await world.services.connectors.by_id(connection.connector_id)
    for kind in AlertKind:
        said = f"{kind.label}: search_notes does now what it did not do when it was switched on."
        world.services.alerts.notice(
            Noticed(ada.organization_id, ada.id, connection.id, connector.slug, kind, "search_notes", said)
        )
    ceilings = world.services.policy.ceilings
    await ceilings.set(ada.organization_id, Setting.ASK, actor=f"person:{ada.id}", tool="delete_note")
    diary = await world.connector(ada, name="Diary", url="https://diary.example/mcp")
    written = await world.connection(ada, diary, tools=(DELETE,))
    approval = await ask_standing(world, ada, written, diary)
    await browser.open(approval.path)
    await browser.submit(f"{approval.path}/approve", ON)
    held = await world.connect(browser, connector.slug, label="held")
    await browser.open(held)
    await browser.submit(f"{held}/quarantine")
    large = await world.call(ada, connection, connector, outcome=Outcome.TOO_LARGE, detail="600,000 characters")
    await world.keep_whole(ada, large, (b'{"content":[]}',))
    return {
        "large-result": f"/activity/{large}",
        "quarantined": held,
        "directory-search": "/directory?q=otter",
        "nothing": "/nothing",
    }


async def test_every_page_fits_every_screen_and_violates_nothing(world: World, chromium: Chromium) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    browser, names = await furnished(world)
    paths = {page.path: page.path for page in site_map() if page.method == "GET"}
    paths |= await more_of_everything(world, browser, names["{connection}"])
    complaints: list[str] = []

    async def serve(route: Route) -> None:
        found = await browser.get(route.request.url.removeprefix(PUBLIC_URL))
        headers = {name: value for name, value in found.headers.items() if name not in ("content-length", "set-cookie")}
        await route.fulfill(status=200, headers=headers, body=found.content)  # a page of an error is a page too

    context = await chromium.new_context(base_url=PUBLIC_URL)
    await context.route("**/*", serve)
    context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    tab = await context.new_page()
    for title, path in paths.items():
        for name, value in sorted(names.items(), key=lambda pair: -len(pair[0])):
            path = path.replace(name, value)
        if path.endswith("/why"):
            path += "?tool=search_notes"
        answer = await browser.get(path)
        if "text/html" not in answer.headers.get("content-type", ""):
            continue
        name = title.strip("/").translate(str.maketrans("/", "-", "{}")) or "home"
        await tab.goto(PUBLIC_URL + path, wait_until="load")
        assert await tab.locator("h1").count() == 1, path
        for width in WIDTHS:
            await tab.set_viewport_size({"width": width, "height": 812})
            assert await tab.evaluate(SIDEWAYS) <= 0, (path, width)
            for dress in DRESSES:
                await tab.emulate_media(color_scheme=dress)
                kept = SCREENSHOTS / f"page-{name}-{width}-{dress}.png"
                await tab.screenshot(path=kept, full_page=True, animations="disabled")  # no color on its way
        assert complaints == [], path
    await context.close()
