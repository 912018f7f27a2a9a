"""Every page of the site map is guarded, whether or not somebody thought of it: the tests are made from the map."""

from __future__ import annotations

import re

import httpx2
import pytest

from tests.web.world import PUBLIC_URL, Browser, World
from valetkey.web.door import Access, Page
from valetkey.web.headers import content_security_policy
from valetkey.web.site import development_map, site_map

ALL = site_map() + development_map()
MEANT_FOR_EVERYBODY = {
    ("GET", "/signin"),
    ("POST", "/signin"),
    ("POST", "/signin/passkey/options"),
    ("POST", "/signin/passkey"),
    ("POST", "/signin/link"),
    ("GET", "/signin/link/{token}"),
    ("GET", "/signin/organization"),
    ("POST", "/signin/organization"),
    ("GET", "/signin/organization/callback/{organization}"),
    ("GET", "/oauth/callback/{issuer}"),
    ("GET", "/privacy"),
    ("GET", "/privacy/{version}"),
    ("GET", "/_components"),
    ("GET", "/_components/quiet"),
}
GUARDED = [page for page in ALL if (page.method, page.path) not in MEANT_FOR_EVERYBODY]
UNSAFE = [page for page in ALL if page.method != "GET"]


def name(page: Page) -> str:
    return f"{page.method} {page.path}"


def address(page: Page) -> str:
    return re.sub(r"\{\w+\}", "x1", page.path)


async def ask(browser: Browser, page: Page, **headers: str) -> httpx2.Response:
    kind = "application/json" if page.script else "application/x-www-form-urlencoded"
    given = {"content-type": kind, **headers} if page.method == "POST" else headers
    return await browser.client.request(page.method, address(page), headers=given)


def test_exactly_the_pages_meant_for_everybody_are_public() -> None:
    assert {(page.method, page.path) for page in ALL if page.access is Access.PUBLIC} == MEANT_FOR_EVERYBODY


async def test_a_stranger_is_sent_to_sign_in(world: World) -> None:
    for page in GUARDED:
        answer = await ask(world.browser(), page)

        assert answer.status_code == 303, name(page)
        assert answer.headers["location"].startswith("/signin"), name(page)


async def test_who_came_by_a_link_can_only_set_a_credential(world: World) -> None:
    """A link proves that somebody had the link: it must not be enough to use, see or change anything."""
    browser, _ = await by_link(world)

    for page in (page for page in GUARDED if page.access is Access.SIGNED_IN):
        answer = await ask(browser, page, **{"sec-fetch-site": "same-origin", "origin": "null"})

        assert answer.status_code == 303, name(page)
        assert answer.headers["location"].startswith("/welcome"), name(page)


async def by_link(world: World) -> tuple[Browser, str]:
    person = await world.person("grace", password="")
    token = (await world.services.links.issue(person.id, purpose="invite")).reveal().decode()
    browser = world.browser()
    await browser.get(f"/signin/link/{token}")
    await browser.submit("/signin/link", {"token": token})
    return browser, person.id


async def signed_in(world: World) -> tuple[Browser, str]:
    browser, _ = await world.signed_in("ada")
    await browser.get("/settings")
    return browser, browser.csrf()


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site", "origin": "null"},
        {"sec-fetch-site": "same-site", "origin": "http://other.localhost:8484"},
        {"sec-fetch-site": "same-origin", "origin": "https://evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"{PUBLIC_URL}.evil.example"},
        {},
    ],
    ids=lambda headers: ", ".join(headers.values()) or "silent",
)
async def test_nothing_changes_at_another_sites_request(world: World, headers: dict[str, str]) -> None:
    """Even with the right token: the two checks stand alone."""
    browser, csrf = await signed_in(world)

    for page in UNSAFE:
        answer = await change(browser, page, csrf, headers)

        assert answer.status_code == 403, name(page)
        assert "nothing was changed" in answer.text, name(page)


@pytest.mark.parametrize("token", ["", "wrong", "stranger's"])
async def test_nothing_changes_without_the_pages_own_token(world: World, token: str) -> None:
    """Even from our own origin: another person's token, or one from before signing in, is not this browser's."""
    browser, _ = await signed_in(world)
    if token == "stranger's":
        stranger = world.browser()
        await stranger.get("/signin")
        token = stranger.csrf()
        assert token

    for page in UNSAFE:
        answer = await change(browser, page, token, {"origin": PUBLIC_URL, "sec-fetch-site": "same-origin"})

        assert answer.status_code == 403, name(page)


async def change(browser: Browser, page: Page, token: str, headers: dict[str, str]) -> httpx2.Response:
    kind = "application/json" if page.script else "application/x-www-form-urlencoded"
    body = "{}" if page.script else f"csrf={token}"
    return await browser.client.post(
        address(page), content=body, headers={"content-type": kind, "x-csrf-token": token, **headers}
    )


HEADERS = {
    "content-security-policy": content_security_policy(),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def assert_hardened(answer: httpx2.Response) -> None:
    for header, value in HEADERS.items():
        assert answer.headers[header] == value, header
    assert "publickey-credentials-get=(self)" in answer.headers["permissions-policy"]
    assert "camera=()" in answer.headers["permissions-policy"]


def test_the_policy_is_the_one_that_was_decided() -> None:
    assert content_security_policy() == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        "base-uri 'none'; frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'; "
        "trusted-types default"
    )


async def test_every_answer_carries_the_headers(world: World) -> None:
    """To strangers, to people, and to methods that are not there."""
    browser, _ = await signed_in(world)

    for page in ALL:
        for who in (world.browser(), browser):
            assert_hardened(await ask(who, page))
            assert_hardened(await who.client.request("DELETE", address(page)))


async def test_pages_that_are_not_there_carry_the_headers_too(world: World) -> None:
    for path in ("/nothing", "/connections/a/b/c", "/.env", "/static/../site.py", "/static/nothing.js"):
        answer = await world.browser().client.get(path)

        assert answer.status_code == 404
        assert answer.headers["content-security-policy"] == content_security_policy()


async def test_https_pages_say_that_they_stay_https(world: World, https_world: World) -> None:
    over_https = await https_world.browser(host="hub.example", scheme="https").get("/signin")
    over_http = await world.browser().get("/signin")

    assert over_https.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
    assert "strict-transport-security" not in over_http.headers


async def test_cookies_on_https_cannot_be_set_by_another_host(https_world: World) -> None:
    await https_world.person("ada")
    browser = https_world.browser(host="hub.example", scheme="https")
    await browser.get("/signin")

    answer = await browser.client.post(
        "/signin",
        content=f"csrf={browser.csrf()}&login=ada&password=three+quiet+otters",
        headers={
            "content-type": "application/x-www-form-urlencoded",
            "sec-fetch-site": "same-origin",
            "origin": "https://hub.example",
        },
    )

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-sid=vks_")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


async def test_another_host_name_gets_nothing(world: World) -> None:
    """DNS rebinding: the browser believes it talks to evil.example, and would show it our pages."""
    for host in ("evil.example", "evil.example:8484", "localhost.evil.example:8484", "localhost:1"):
        answer = await world.browser(host=host).client.post("/signin")
        assert answer.status_code == 421

    assert (await world.browser(host="evil.example:8484").client.get("/signin")).status_code == 421


async def test_the_loopback_address_leads_to_the_name_that_passkeys_know(world: World) -> None:
    answer = await world.browser(host="127.0.0.1:8484").client.get("/connections?done=tools")

    assert (answer.status_code, answer.headers["location"]) == (307, f"{PUBLIC_URL}/connections?done=tools")


async def test_static_files_are_kept_only_under_their_contents_name(world: World) -> None:
    page = await world.browser().get("/signin")
    sheet = re.search(r'href="(/static/base\.css\?v=\w+)"', page.text)
    assert sheet

    named = await world.browser().client.get(sheet[1])
    bare = await world.browser().client.get("/static/base.css?v=other")

    assert named.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert named.headers["content-type"] == "text/css; charset=utf-8"
    assert bare.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"csrf=" + b"a" * 70_000),
        ("application/x-www-form-urlencoded", b"csrf=%ff"),
        ("application/x-www-form-urlencoded", b"&".join(b"a=" for _ in range(4000))),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n--x--"),
        ("text/plain", b"csrf=x"),
        ("application/json", b"{}"),
        ("application/x-www-form-urlencoded", b"csrf=a&csrf=b"),
    ],
    ids=["large", "not utf-8", "many fields", "multipart", "plain", "json", "twice"],
)
async def test_a_form_that_cannot_be_one_is_refused(world: World, kind: str, body: bytes) -> None:
    browser, _ = await signed_in(world)

    answer = await browser.client.post(
        "/settings/sessions/end-others",
        content=body,
        headers={"content-type": kind, "sec-fetch-site": "same-origin", "origin": "null"},
    )

    assert answer.status_code == 422


async def test_an_unforeseen_error_becomes_a_page_with_a_reference_and_no_values(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    browser, _ = await signed_in(world)
    object.__setattr__(world.services, "trail", None)

    answer = await browser.get("/settings")

    assert answer.status_code == 500
    reference = re.search(r"<code>(ref_\w+)</code>", answer.text)
    assert reference
    log = capsys.readouterr().out
    assert reference[1] in log
    assert "Traceback" not in answer.text
    assert "NoneType" not in answer.text
    assert_hardened(answer)
