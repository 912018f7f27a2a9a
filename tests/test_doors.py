"""Every route of every door, found in the site map of a whole hub: headers, hosts, who may change anything (T35)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.routing import Mount

from valetkey.app import Hub, open_hub
from valetkey.gateway.http_answer import Dated, stream_head
from valetkey.gateway.model import Reply
from valetkey.settings import Settings

ORIGIN = "http://localhost:8484"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

DOORS = {
    # Where each path leads. A route that is in no door here fails the tests: it has to be thought about first.
    r"/(p/\{\w+\}/|c/\{\w+\}/(\{\w+\}/)?)?mcp": "gateway",
    r"/\.well-known/.+": "metadata",
    r"/oauth/(token|register|revoke)": "authserver",
    r"/oauth/client/.+\.(json|jwks)": "metadata",
    r"/(api/v1|scim/v2)/.+": "api",
    r"/(healthz|readyz)": "probes",
    r"/static/\{name\}": "static",
    r"/(|_components|_components/quiet|privacy(/.*)?)": "pages",
    r"/(signin|signout|welcome|directory|connections|profiles|activity|settings|admin|approvals|alerts)(/.*)?": "pages",
    r"/oauth/(authorize|callback/\{issuer\})": "pages",
}


PROXIES = ipaddress.ip_network("10.0.0.0/8")


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    settings = Settings(
        data=data, public_url=ORIGIN, root_key=str(tmp_path / "keys" / "root.key"), development=True, port=8484,
        trusted_proxy=(PROXIES,),
    )  # fmt: skip
    async with open_hub(settings) as opened:
        yield opened


def client(hub: Hub, **cookies: str) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=hub.asgi, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url=ORIGIN, cookies=cookies)


def routes_of(app: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every route, through mounts and whatever is wrapped around them."""
    while not hasattr(app, "routes"):
        app = getattr(app, "app", None) or app._app
    for route in app.routes:
        if isinstance(route, Mount):
            yield from routes_of(route.app, prefix + route.path)
        else:
            yield prefix + route.path, route


def paths_of(hub: Hub) -> list[str]:
    return list(dict.fromkeys(path for path, _ in routes_of(hub.asgi)))


def door_of(path: str) -> str:
    found = [door for pattern, door in DOORS.items() if re.fullmatch(pattern, path)]
    assert len(found) == 1, f"{path} stands in {found or 'no door'}: say in DOORS what it is"
    return found[0]


def by_our_name_only(hub: Hub) -> list[str]:
    """All but what a load balancer asks, which knows addresses and no name; it says nothing of use to anybody else."""
    return [path for path in paths_of(hub) if door_of(path) != "probes"]


def address(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "x1", path)


async def test_every_route_stands_in_a_door_that_is_known_here(hub: Hub) -> None:
    doors = {path: door_of(path) for path in paths_of(hub)}

    assert set(doors.values()) == set(DOORS.values())
    assert len(doors) > 80


async def test_every_answer_of_every_route_to_every_method_is_hardened(hub: Hub) -> None:
    stranger = client(hub)
    for path in [*paths_of(hub), "/nothing", "/.env", "/mcp/x", "/c/x1/y1/z1/mcp", "/api/v1/nothing", "/oauth/nothing"]:
        for method in METHODS:
            answer = await stranger.request(method, address(path))
            where = f"{method} {path} ({answer.status_code})"
            assert answer.status_code < 500 or path.startswith("/_components"), where  # which shows a failure's page
            assert answer.headers.get_list("x-content-type-options") == ["nosniff"], where
            assert answer.headers.get_list("referrer-policy") == ["no-referrer"], where
            assert answer.headers["x-frame-options"] == "DENY", where
            assert answer.headers["cross-origin-resource-policy"] == "same-origin", where
            (policy,) = answer.headers.get_list("content-security-policy")
            assert "default-src 'none'" in policy, where
            assert "frame-ancestors 'none'" in policy, where
            assert "unsafe" not in policy, where
            assert "*" not in policy, where
            assert "server" not in answer.headers, where
            assert "x-powered-by" not in answer.headers, where
            if answer.headers["cache-control"] != "no-store":
                assert door_of(path) in ("metadata", "static"), where
                assert "set-cookie" not in answer.headers, where


_INLINE = re.compile(
    r"<script(?![^>]*\ssrc=)[^>]*>|<style|\sstyle=|\son\w+\s*=|(?:href|src|action)=[\"']?\s*(?:javascript|data):", re.I
)


async def test_no_page_holds_a_script_or_a_style_of_its_own(hub: Hub) -> None:
    """What the policy forbids is not there either, so the policy never has to be weakened for it."""
    stranger = client(hub)
    seen = 0
    for path in paths_of(hub):
        answer = await stranger.get(address(path))
        if "text/html" in answer.headers.get("content-type", ""):
            seen += 1
            assert not _INLINE.search(answer.text), path
    templates = list((Path(__file__).parent.parent / "src/valetkey/web/templates").glob("*.html"))
    assert seen >= 4
    assert len(templates) > 25
    a_file_to_take_along = "review_report.html"  # no page of ours: it has its own policy, and no script
    assert [path.name for path in templates if _INLINE.search(path.read_text())] == [a_file_to_take_along]


async def test_data_is_not_read_by_other_origins(hub: Hub) -> None:
    """No door opens itself to all origins, nor repeats whichever asks."""
    stranger = client(hub)
    for path in paths_of(hub):
        for method in ("GET", "OPTIONS", "POST"):
            answer = await stranger.request(method, address(path), headers={"origin": "https://evil.example"})
            allowed = answer.headers.get("access-control-allow-origin", "")
            assert allowed == "" or door_of(path) == "metadata", f"{method} {path}"
            assert "evil.example" not in allowed, f"{method} {path}"
            assert "access-control-allow-credentials" not in answer.headers, f"{method} {path}"


def test_the_front_that_writes_its_own_answers_says_what_they_are() -> None:
    """MCP endpoints are served beside ASGI (D9), so they are in no frame."""
    lines = Dated().line([(b"date", b"today")])
    refused = Dated().answer(Reply(401, b"{}"), [(b"date", b"today")], keep=False)

    for head in (stream_head(lines), refused, Dated().answer(Reply(200, b"{}"), [(b"date", b"today")], keep=True)):
        assert head.count(b"x-content-type-options: nosniff\r\n") == 1


# --- other names ------------------------------------------------------------------------------------------------------

HOSTS = [
    "evil.example",
    "evil.example:8484",
    "localhost.evil.example:8484",
    "localhost:8484.evil.example",
    "localhost:8484@evil.example",
    "localhost:1",
    "localhost",
    "127.0.0.1",
    "127.0.0.2:8484",
    "0.0.0.0:8484",
    "[::]:8484",
    "2130706433:8484",
    "localhost:8484:8484",
    "localhost:8484/",
    "localhost:8484, evil.example",
    "lоcalhost:8484".encode().decode("latin-1"),
    " localhost:8484",
    "",
]


async def test_no_route_answers_to_another_name(hub: Hub) -> None:
    """A page of evil.example, whose name was made to lead here, would read our answers (DNS rebinding)."""
    stranger = client(hub)
    for path in by_our_name_only(hub):
        for host in HOSTS:
            answer = await raw(stranger, "POST" if len(host) % 2 else "GET", address(path), [("host", host)])
            assert answer.status_code == 421, f"{host} {path}"
            assert "evil" not in str(answer.headers), path


async def test_no_route_answers_to_two_names(hub: Hub) -> None:
    stranger = client(hub)
    for path in by_our_name_only(hub):
        for names in (["localhost:8484", "evil.example"], ["evil.example", "localhost:8484"], ["localhost:8484"] * 2):
            answer = await raw(stranger, "GET", address(path), [("host", name) for name in names])
            assert answer.status_code == 421, path


async def raw(browser: httpx2.AsyncClient, method: str, path: str, headers: list[tuple[str, str]]) -> httpx2.Response:
    """With these header lines and no others."""
    request = browser.build_request(method, path)
    request.headers = httpx2.Headers([(name.encode(), value.encode("latin-1")) for name, value in headers])
    return await browser.send(request)


FORGED = {
    "x-forwarded-host": "evil.example",
    "x-forwarded-server": "evil.example",
    "x-forwarded-proto": "https",
    "x-forwarded-scheme": "https",
    "x-forwarded-port": "1",
    "x-forwarded-prefix": "//evil.example",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-user": "ada",
    "x-forwarded-uri": "/admin",
    "x_forwarded_host": "evil.example",
    "x_forwarded_for": "127.0.0.1",
    "x_forwarded_user": "ada",
    "x_csrf_token": "x",
    "remote_user": "ada",
    "remote-user": "ada",
    "x-remote-user": "ada",
    "x-real-ip": "127.0.0.1",
    "true-client-ip": "127.0.0.1",
    "forwarded": "for=127.0.0.1;host=evil.example;proto=https",
    "x-host": "evil.example",
    "x-http-host-override": "evil.example",
    "x-original-host": "evil.example",
    "x-original-url": "/admin",
    "x-rewrite-url": "/admin",
    "x-http-method-override": "DELETE",
    "x-method-override": "POST",
    "x-auth-request-user": "ada",
    "x-authenticated-user": "ada",
    "via": "1.1 evil.example",
    "sec_fetch_site": "same-origin",
    "cookie2": "sid=x",
    "authorization_": "Bearer x",
}
_VARIES = re.compile(r'name="csrf" value="[^"]*"|ref_\w+|"instance":"[^"]*"')


async def test_no_forged_header_changes_what_any_route_answers(hub: Hub) -> None:
    """Proxies' words count only from a proxy that was named, and below this (uvicorn); nothing here reads them."""
    for path in paths_of(hub):
        plain = await client(hub).get(address(path))
        forged = await client(hub).get(address(path), headers=FORGED)
        assert forged.status_code == plain.status_code, path
        assert _VARIES.sub("", forged.text) == _VARIES.sub("", plain.text), path
        assert forged.headers.get("location") == plain.headers.get("location"), path
        assert forged.headers.get("www-authenticate") == plain.headers.get("www-authenticate"), path
        assert "evil.example" not in f"{forged.headers}{forged.text}", path


# --- who may change anything ------------------------------------------------------------------------------------------

CROSS_SITE = [
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "origin": "https://evil.example"},
    {"sec-fetch-site": "same-site", "origin": "http://other.localhost:8484"},
    {"sec-fetch-site": "cross-site", "origin": "null"},
    {"origin": "https://evil.example", "referer": "https://evil.example/"},
    {"referer": f"{ORIGIN}/settings"},
]
BODIES = {
    "application/x-www-form-urlencoded": b"csrf=&decision=allow&to=/&login=eve&role=owner&acknowledged=yes",
    "text/plain": b'{"name":"x"}',
    "multipart/form-data; boundary=x": b'--x\r\ncontent-disposition: form-data; name="csrf"\r\n\r\n\r\n--x--\r\n',
    "application/json": b'{"name":"x"}',
}


async def test_no_unsafe_route_does_anything_for_another_sites_page_that_has_the_cookie(hub: Hub) -> None:
    """The cookie says who is there, never that they meant it; and what takes tokens takes no cookie at all."""
    cookie = await signed_in(hub)
    before = await everything_stored(hub)
    owner = client(hub, sid=cookie)
    assert (await owner.get("/admin")).status_code == 200
    unsafe = 0
    for path in paths_of(hub):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for number, headers in enumerate(CROSS_SITE if method == "POST" else CROSS_SITE[:1]):
                kind, body = list(BODIES.items())[(unsafe + number) % len(BODIES)]
                answer = await owner.request(
                    method, address(path), content=body, headers={**headers, "content-type": kind}
                )
                assert answer.status_code in (400, 401, 403, 404, 405, 413, 415, 422, 429), f"{method} {path}"
                assert "set-cookie" not in answer.headers, f"{method} {path}"
            unsafe += 1
    assert unsafe > 300
    assert await everything_stored(hub) == before


async def test_no_page_lets_itself_be_framed(hub: Hub) -> None:
    """Clickjacking: both words for it, on the pages that have buttons."""
    owner = client(hub, sid=await signed_in(hub))
    for path in (path for path in paths_of(hub) if door_of(path) == "pages"):
        answer = await owner.get(address(path))
        assert answer.headers["x-frame-options"] == "DENY", path
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path


async def signed_in(hub: Hub) -> str:
    """The owner's session cookie, from the one-time link."""
    browser = client(hub)
    token = hub.sign_in_url.rpartition("/")[2]
    same = {"sec-fetch-site": "same-origin", "origin": "null"}
    page = await browser.get(f"/signin/link/{token}")
    csrf = re.search(r'name="csrf" value="([^"]*)"', page.text)
    assert csrf
    await browser.post("/signin/link", data={"csrf": csrf[1], "token": token}, headers=same)
    page = await browser.get("/welcome")
    csrf = re.search(r'name="csrf" value="([^"]*)"', page.text)
    assert csrf
    fields = {"csrf": csrf[1], "password": "three quiet otters", "repeat": "three quiet otters", "to": "/"}
    done = await browser.post("/settings/password", data=fields, headers=same)
    assert done.status_code == 303, done.text
    return browser.cookies["sid"]


async def everything_stored(hub: Hub) -> dict[str, int]:
    """How many rows each table has."""
    import sqlite3

    with sqlite3.connect(hub.settings.data / "valetkey.db") as database:
        names = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
        return {name: database.execute(f'select count(*) from "{name}"').fetchone()[0] for name in names}


async def test_proxies_in_front_are_known_to_the_front_that_needs_no_server_for_it(hub: Hub) -> None:
    """ORG-12: what they say of where a request came from is what events of assistants say; uvicorn has its own list."""
    assert list(hub.gateway.house.trusted) == [PROXIES]
