"""T23: every field into which a URL can be entered, found in the hub's own description and pages, and where it leads.

The audit hook sees every socket: not one connects to a private address, nor anything but the dialer connects at all.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from tests.net.egress_hook import Egress
from tests.net.egress_hook import egress as egress  # a fixture, re-exported
from tests.web.world import PASSWORD, Browser
from valetkey.app import Hub, open_hub
from valetkey.identity.scopes import Scope
from valetkey.settings import Settings
from valetkey.web.site import site_map

ORIGIN: Final = "http://localhost:8484"
PAYLOADS: Final = (
    "http://169.254.169.254/latest/meta-data/", "https://169.254.169.254/mcp", "https://10.0.0.1/mcp",
    "https://192.168.1.1:8443/mcp", "https://127.0.0.1/mcp", f"{ORIGIN}/mcp", "https://localhost/mcp",
    "https://[::1]/mcp", "https://[::ffff:10.0.0.1]/mcp", "https://[64:ff9b::a00:1]/mcp", "https://[fd00:ec2::254]/mcp",
    "https://2130706433/mcp", "https://0x7f.1/mcp", "https://127.1/mcp", "https://0.0.0.0/mcp", "https://100.64.0.1/mcp",
    "file:///etc/passwd", "gopher://10.0.0.1/", "stdio://sh", "https://u:p@10.0.0.1/", "https://10.0.0.1/?api_key=x",
)  # fmt: skip
FIELD: Final = re.compile(r"(^|_)(url|uri|address|endpoint)$")


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    settings = Settings(data=data, public_url=ORIGIN, root_key=str(tmp_path / "keys" / "root.key"), port=8484)
    async with open_hub(settings) as opened:
        yield opened


async def owner_of(hub: Hub) -> Browser:
    transport = httpx2.ASGITransport(app=hub.asgi, raise_app_exceptions=False)
    browser = Browser(httpx2.AsyncClient(transport=transport, base_url=ORIGIN))
    await browser.get(hub.sign_in_url.removeprefix(ORIGIN))
    await browser.submit("/signin/link", {"token": hub.sign_in_url.rpartition("/")[2]})
    await browser.submit("/settings/password", {"password": PASSWORD, "repeat": PASSWORD, "to": "/"})
    return browser


async def token_of(browser: Browser) -> str:
    shown = await browser.open("/settings/tokens/new")
    if "Is it you?" in shown.text:
        await browser.submit("/signin/again", {"to": "/settings/tokens/new", "password": PASSWORD})
    scopes = [("scope", one) for one in Scope]
    made = await browser.send("/settings/tokens/new", [("name", "t"), ("audience", "/api/v1"), ("days", "1"), *scopes])
    found = re.search(r"vkt_[\w-]+", made.text)
    assert found, made.text
    return found[0]


def url_fields(described: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """By method and path, the members of its body that take a URL, each with the body's schema."""
    schemas = described["components"]["schemas"]
    found: dict[str, list[tuple[str, str]]] = {}
    for path, verbs in described["paths"].items():
        for verb, operation in verbs.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            members = [one for one in schemas.get(name, {}).get("properties", {}) if FIELD.search(one)]
            if members:
                found[f"{verb.upper()} {path}"] = [(one, name) for one in members]
    return found


async def test_no_url_that_can_be_entered_leads_to_a_private_address(hub: Hub, egress: Egress) -> None:
    browser = await owner_of(hub)
    api = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=hub.asgi, raise_app_exceptions=False),
        base_url=f"{ORIGIN}/api/v1",
        headers={"authorization": f"Bearer {await token_of(browser)}"},
    )
    fields = url_fields((await api.get("/openapi.json")).json())
    added = await api.post("/connectors", json={"name": "Known", "url": "https://93.184.216.34/mcp"})
    assert added.status_code == 201, added.text
    known = added.json()["slug"]
    slugs = [known]

    # 1. What programs can enter, and the form that goes on from it.
    for operation, members in fields.items():
        verb, path = operation.split()
        for member, _ in members:
            for payload in PAYLOADS:
                body = {"name": "x", member: payload} if verb == "POST" else {member: payload}
                where = re.sub(r"\{\w+\}", known, path)
                answer = await api.request(verb, where, json=body)
                assert answer.status_code < 500, (operation, payload)
                if "slug" in (told := answer.json() if answer.content else {}) and told["slug"] != known:
                    slugs.append(told["slug"])
    for slug in slugs[1:]:
        await browser.get(f"/connections/new/{slug}")
        begun = await browser.send(f"/connections/new/{slug}", {"label": "", "display_name": ""})
        assert begun.status_code >= 400, slug

    # 2. What people can enter.
    forms = set()
    for page in [page.path for page in site_map() if page.method == "GET"]:
        shown = await browser.get(re.sub(r"\{\w+\}", known, page))
        for action, inside in re.findall(r'<form[^>]*action="([^"]+)"(.*?)</form>', shown.text, re.S):
            forms |= {(page, action, name) for name in re.findall(r'name="(\w+)" type="url"', inside)}
    for page, action, name in sorted(forms):
        await browser.get(re.sub(r"\{\w+\}", known, page))
        csrf = browser.csrf()
        for payload in PAYLOADS:
            given = {name: payload, "name": "x", "sign_in": "oauth", "do": "ask"}
            answer = await browser.post(action, [("csrf", csrf), *given.items()])
            assert answer.status_code < 503, (action, payload)

    assert {"POST /connectors", "PATCH /connectors/{slug}"} <= fields.keys()
    assert {action for _, action, _ in forms} >= {"/connections/add", f"/directory/{known}/edit"}
    assert len(slugs) > 5  # some are taken as text, and refused when somebody goes there
    assert [one for one in egress.dialed if one[0] != "93.184.216.34"] == []
