"""Approving in a real browser: Chromium's own authenticator signs exactly the call that is on the page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.real.test_browser import ARGUMENTS, CHROMIUM, House, shot, watched
from valetkey.demo.run import started
from valetkey.demo.story.assistant import Assistant, text_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with started(sys.executable) as (hub, sample, _process), sync_playwright() as playwright:
        chromium: Browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield House(hub, sample, chromium)
        finally:
            chromium.close()


def with_a_passkey(house: House, page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    page.goto(house.hub.sign_in_link)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Create a passkey").click()
    page.wait_for_url(lambda url: "/welcome" not in url)


def connect(page: Page, house: House) -> None:
    page.goto(f"{house.hub.url}/connections/add")
    page.get_by_role("textbox", name="URL").first.fill(house.sample.url)
    page.get_by_role("textbox", name="Name").first.fill("Marginalia")
    page.get_by_role("button", name="Continue").click()
    for box in page.get_by_role("checkbox").all():
        if box.is_visible():
            box.check()
    page.get_by_role("button", name="Continue to 127.0.0.1").click()
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("lovelace")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Connected. The credential is sealed in the vault.")).to_be_visible()


def a_token(house: House, page: Page) -> str:
    page.set_default_timeout(8000)
    page.goto(f"{house.hub.url}/settings/tokens/new")
    page.locator("#f-name").fill("Claude Code")
    page.get_by_role("button", name="Create").click()
    token: str = page.locator("code", has_text="vkt_").first.inner_text()
    return token


def in_every_dress(page: Page, name: str) -> None:
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for dress in ("light", "dark"):
            page.emulate_media(color_scheme="light" if dress == "light" else "dark")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            shot(page, f"{name}-{width}-{dress}")


def test_a_delete_is_seen_whole_and_confirmed_with_the_passkey(house: House, tmp_path: Path) -> None:
    context = house.chromium.new_context(viewport={"width": 1280, "height": 900})
    complaints = watched(context)
    page = context.new_page()
    with_a_passkey(house, page)
    connect(page, house)
    assistant = Assistant(f"{house.hub.url}/mcp", a_token(house, page), "modern", takes_links=True)
    delete = next(name for name in assistant.list_tools() if name.endswith("delete_note"))
    hidden = "n3"
    asked = assistant.request(
        "tools/call", {"name": delete, "arguments": {"id": hidden, "why": "Tidy\u202e up. " * 60}}
    )

    page.goto(f"{house.hub.url}/approvals")
    in_every_dress(page, "20-approvals")
    page.goto(asked["inputRequests"]["approve"]["params"]["url"])
    expect(page.get_by_role("button", name="Deny").first).to_be_focused()
    assert page.evaluate("scrollY") == 0
    approve = page.get_by_role("button", name="Approve with a passkey")
    expect(approve).to_be_disabled()
    in_every_dress(page, "21-approval")
    page.locator("details[data-long] > summary").click()
    expect(page.get_by_text("⟦U+202E⟧").first).to_be_visible()
    approve.scroll_into_view_if_needed()
    page.get_by_label("I have opened and read the long values").check()
    expect(approve).to_be_enabled()
    approve.click()
    expect(page.get_by_text("The assistant can repeat exactly this call")).to_be_visible()
    shot(page, "22-approved")

    made = assistant.request("tools/call", {"name": delete, "arguments": {"id": hidden, "why": "Tidy\u202e up. " * 60}})
    assert "Deleted" in text_of(made)
    context.close()
    assert complaints == []
