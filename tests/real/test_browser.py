"""The main job in a real browser: without scripts, then with a passkey.

Screenshots are kept in `screenshots/`, to be looked at.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from valetkey.demo.neighborhood import Sample
from valetkey.demo.run import started
from valetkey.demo.story.assistant import Assistant, text_of
from valetkey.demo.story.play import PASSWORD, Hub

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


@dataclass(frozen=True, slots=True)
class House:
    """A running hub, the sample service beside it, and a browser."""

    hub: Hub
    sample: Sample
    chromium: Browser


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with started(sys.executable) as (hub, sample, _process), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield House(hub, sample, chromium)
        finally:
            chromium.close()


@contextmanager
def listening() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """What an assistant does while its person is in the browser: waits at a loopback address for the answer."""
    came: list[dict[str, str]] = []

    class Callback(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came.append({name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Back</title><h1>Back in the assistant</h1>")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Callback)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/callback", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def shot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def watched(context: BrowserContext) -> list[str]:
    """What the browser complains about, a violated Content-Security-Policy among others."""
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    return complaints


def invited(house: House, login: str, *, role: str = "member") -> str:
    """A new person's one-time link, as the operator makes it."""
    house.hub.command("user", "add", login, "--name", login.title(), "--role", role)
    link: str = house.hub.command("user", "invite", login)["url"]
    return link


def set_password(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("Once more").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("heading", name="Hello")).to_be_visible()


def connect_sample(page: Page, house: House, *, name: str, keep: str = "") -> None:
    """From the directory to the service and back."""

    def keep_shot(step: str) -> None:
        if keep:
            shot(page, f"{keep}-{step}")

    page.goto(f"{house.hub.url}/directory")
    page.get_by_role("link", name="Add by URL").first.click()
    page.get_by_label("URL").fill(house.sample.url)
    page.get_by_role("textbox", name="Name").first.fill(name)
    keep_shot("add")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Before you connect")).to_be_visible()
    expect(page.get_by_text("Custom – unverified").first).to_be_visible()
    keep_shot("review")
    page.get_by_label("I have read who this is").check()
    page.get_by_role("button", name="Continue to 127.0.0.1").click()
    page.get_by_label("Name").fill("ada")  # the service's own pages, where a page of ours led by itself
    page.get_by_label("Password").fill("lovelace")
    keep_shot("service-sign-in")
    page.get_by_role("button", name="Sign in").click()
    keep_shot("service-consent")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Connected. The credential is sealed in the vault.")).to_be_visible()
    keep_shot("connected")


def test_the_main_job_is_done_without_a_single_script(house: House) -> None:
    """Link → password → connect → tools → an assistant is let in and calls → activity → disconnect."""
    context = house.chromium.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    complaints = watched(context)
    page = context.new_page()
    hub = house.hub.url

    # 1. getting in
    page.goto(house.hub.sign_in_link)
    shot(page, "01-link")
    page.get_by_role("button", name="Continue").click()
    shot(page, "02-welcome")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("Once more").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_text("Nothing is connected yet")).to_be_visible()
    shot(page, "03-home")
    page.get_by_role("button", name="Sign out").click()
    shot(page, "04-sign-in")
    page.get_by_label("Login").fill("owner")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Hello")).to_be_visible()

    # 2. connecting
    connect_sample(page, house, name="Marginalia", keep="05")
    connection = urlsplit(page.url).path
    page.get_by_role("button", name="Switch on the 3 that say they only read").click()
    expect(page.get_by_text("3 of 4 on")).to_be_visible()
    shot(page, "06-tools")

    # 3. an assistant asks to be let in, is, and calls
    token = _let_in(page, hub)
    assistant = Assistant(f"{hub}/mcp", token, "modern")
    listed = next(name for name in assistant.list_tools() if name.endswith("list_notes"))
    assert "Bernoulli" in text_of(assistant.call(listed))

    # 4. what happened
    for _ in range(50):  # records are written in groups, a blink after the answer
        page.goto(f"{hub}/activity")
        if page.get_by_text("list_notes").count():
            break
    expect(page.get_by_text("list_notes").first).to_be_visible()
    shot(page, "08-activity")
    page.get_by_role("cell").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="What came back")).to_be_visible()
    expect(page.get_by_text("Bernoulli").first).to_be_visible()
    shot(page, "09-call")

    # 5. gone, in two steps
    page.goto(hub + connection)
    page.get_by_role("link", name="Disconnect").click()
    shot(page, "10-disconnect")
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("Revoked and destroyed")).to_be_visible()
    shot(page, "11-receipt")
    assert {one["kind"] for one in house.sample.seen_by_authorization_server()["revocations"]} == {"access", "refresh"}
    assert "connect" in text_of(assistant.call(listed)).lower()
    context.close()
    assert complaints == []


def _let_in(page: Page, hub: str) -> str:
    """An assistant registers, sends the person to the consent page, and trades what comes back for a token."""
    with listening() as (callback, came):
        registered = httpx2.post(
            f"{hub}/oauth/register",
            json={"client_name": "Claude Code", "redirect_uris": [callback], "token_endpoint_auth_method": "none"},
            trust_env=False,
        ).json()
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": registered["client_id"],
            "redirect_uri": callback,
            "state": "s-1",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "resource": f"{hub}/mcp",
        }
        page.goto(f"{hub}/oauth/authorize?{urlencode(asked)}")
        expect(page.get_by_role("heading", name="Let Claude Code use Valetkey?")).to_be_visible()
        expect(page.get_by_text("A program on this device")).to_be_visible()
        shot(page, "07-consent")
        page.get_by_role("button", name="Allow").click()
        expect(page.get_by_role("heading", name="Back in the assistant")).to_be_visible()
    assert came[0]["state"] == "s-1"
    assert came[0]["iss"] == hub
    fields = {
        "grant_type": "authorization_code",
        "code": came[0]["code"],
        "redirect_uri": callback,
        "client_id": registered["client_id"],
        "code_verifier": verifier,
        "resource": f"{hub}/mcp",
    }
    answer = httpx2.post(f"{hub}/oauth/token", data=fields, trust_env=False)
    token: str = answer.json()["access_token"]
    return token


def test_an_assistant_that_waits_gets_its_answer_right_after_signing_in(house: House) -> None:
    """Signed out, agreed before: sign-in leads to the client by redirects, which `form-action` must not stop."""
    link = invited(house, "edith")
    context = house.chromium.new_context()
    complaints = watched(context)
    page = context.new_page()
    set_password(page, link)
    with listening() as (callback, came):
        registered = httpx2.post(
            f"{house.hub.url}/oauth/register",
            json={"client_name": "Editor", "redirect_uris": [callback], "token_endpoint_auth_method": "none"},
            trust_env=False,
        ).json()
        asked = {
            "response_type": "code",
            "client_id": registered["client_id"],
            "redirect_uri": callback,
            "code_challenge": "a" * 43,
            "code_challenge_method": "S256",
        }
        address = f"{house.hub.url}/oauth/authorize?{urlencode(asked)}"
        page.get_by_role("button", name="Sign out").click()

        page.goto(address)
        page.get_by_label("Login").fill("edith")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Refuse").click()

        expect(page.get_by_role("heading", name="Back in the assistant")).to_be_visible()
    assert came[0]["error"] == "access_denied"
    context.close()
    assert complaints == []


def test_a_passkey_is_created_and_signs_in(house: House) -> None:
    """With the browser's own authenticator, by its DevTools protocol."""
    link = invited(house, "grace")
    context = house.chromium.new_context(viewport={"width": 375, "height": 812})
    complaints = watched(context)
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    authenticator = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    added = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": authenticator})

    page.goto(link)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Create a passkey").click()
    expect(page.get_by_role("heading", name="Hello")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    shot(page, "12-passkey-sign-in")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Hello")).to_be_visible()
    page.goto(f"{house.hub.url}/settings")
    expect(page.get_by_text("First passkey")).to_be_visible()
    expect(page.get_by_text("by passkey")).to_be_visible()
    shot(page, "13-passkey-settings")

    # Its own credential list is empty now: the browser says no, and the page says so in words.
    page.get_by_role("button", name="Sign out").click()
    devtools.send("WebAuthn.clearCredentials", {"authenticatorId": added["authenticatorId"]})
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("Nothing was changed.")).to_be_visible()
    context.close()
    assert complaints == []
