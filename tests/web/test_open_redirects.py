"""No return path leads off this hub: every entry of the corpus against every parameter that names one (T35).

A browser is asked elsewhere (tests/real); here what it would be given is read as the strictest would, and the laxest.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx2
import pytest

from tests.corpus import open_redirects
from tests.web.world import PASSWORD, PUBLIC_URL, Browser, World
from valetkey.identity.model import Person
from valetkey.identity.signin.openid.model import Arrived
from valetkey.web.return_path import local_path

ENTRIES = open_redirects.read()
SOURCE = Path(__file__).parents[2] / "src/valetkey/web"

Play = Callable[[str], Awaitable[list[str]]]


def stays(address: str) -> bool:
    """Whether every reading of `address` is a page of this hub that neither signs in nor out."""
    readings = {address, unquote(address.partition("?")[0]), unquote(unquote(address.partition("?")[0]))}
    return all(
        re.fullmatch(r"/(?![/\\])[^\\\x00-\x20\x7f-\U0010ffff]*", reading) is not None
        and "//" not in reading.partition("?")[0]
        and not {".", ".."} & set(reading.partition("?")[0].split("/"))
        and not re.match(r"/sign(in|out)\b", reading)
        for reading in readings
    )


def led_to(answer: httpx2.Response) -> list[str]:
    """Wherever an answer sends a browser: by redirect, by refresh, by a script's `to`, by a form's hidden field."""
    if answer.headers.get("content-type", "").startswith("application/json"):
        return [answer.json()["to"]] if "to" in answer.json() else []
    found = [answer.headers["location"]] if "location" in answer.headers else []
    found += re.findall(r'http-equiv="refresh" content="0;url=([^"]*)"', answer.text)
    found += re.findall(r'name="to" value="([^"]*)"', answer.text)
    found += re.findall(r'<a class="button primary" href="([^"]*)" rel="noreferrer">Continue', answer.text)
    return [html.unescape(one) for one in found]


async def asks(browser: Browser, path: str, entry: str) -> list[str]:
    return led_to(await browser.get(f"{path}?to={quote(entry, safe='')}"))


async def sends(browser: Browser, path: str, entry: str, csrf: str, **fields: str) -> list[str]:
    return led_to(await browser.post(path, [("csrf", csrf), *fields.items(), ("to", entry)]))


async def who_is_out_asks_to_sign_in(world: World) -> Play:
    browser = world.browser()
    return lambda entry: asks(browser, "/signin", entry)


async def who_is_in_asks_to_sign_in(world: World) -> Play:
    browser, _ = await world.signed_in("ada")
    return lambda entry: asks(browser, "/signin", entry)


async def signs_in(world: World) -> Play:
    await world.person("ada")

    async def play(entry: str) -> list[str]:
        browser = world.browser()
        await browser.get("/signin")
        return await sends(browser, "/signin", entry, browser.csrf(), login="ada", password=PASSWORD)

    return play


async def signs_in_wrongly(world: World) -> Play:
    async def play(entry: str) -> list[str]:
        browser = world.browser()
        await browser.get("/signin")
        world.clock.advance(3600)
        return await sends(browser, "/signin", entry, browser.csrf(), login="nobody", password="x")

    return play


async def signs_in_with_a_passkey(world: World) -> Play:
    ada = await world.person("ada")
    object.__setattr__(world.services, "passkeys", AnyPasskey(ada))

    async def play(entry: str) -> list[str]:
        browser = world.browser()
        await browser.get("/signin")
        given = {"challenge": "x", "response": {}, "to": entry}
        return led_to(await browser.script("/signin/passkey", given, csrf=browser.csrf()))

    return play


async def is_asked_again(world: World) -> Play:
    browser, _ = await world.signed_in("ada")
    return lambda entry: asks(browser, "/signin/again", entry)


async def says_it_again(world: World) -> Play:
    browser, _ = await world.signed_in("ada")

    async def play(entry: str) -> list[str]:
        await browser.get("/signin/again")
        return await sends(browser, "/signin/again", entry, browser.csrf(), password=PASSWORD)

    return play


async def is_welcomed(world: World) -> Play:
    browser = await by_link(world, "grace")
    return lambda entry: asks(browser, "/welcome", entry)


async def is_welcomed_who_is_in(world: World) -> Play:
    browser, _ = await world.signed_in("ada")
    return lambda entry: asks(browser, "/welcome", entry)


async def sets_a_first_password(world: World) -> Play:
    async def play(entry: str) -> list[str]:
        browser = await by_link(world, f"grace{world.clock.monotonic()}")
        world.clock.advance(1)
        return await sends(browser, "/settings/password", entry, browser.csrf(), password=PASSWORD, repeat=PASSWORD)

    return play


async def sets_a_password_badly(world: World) -> Play:
    browser = await by_link(world, "grace")
    csrf = browser.csrf()
    return lambda entry: sends(browser, "/settings/password", entry, csrf, password="x", repeat="x")


async def adds_a_first_passkey(world: World) -> Play:
    async def play(entry: str) -> list[str]:
        browser = await by_link(world, f"grace{world.clock.monotonic()}")
        world.clock.advance(1)
        session = browser.csrf()
        real = world.services.passkeys
        object.__setattr__(world.services, "passkeys", AnyPasskey(None))
        given = {"challenge": "x", "name": "x", "response": {}, "to": entry}
        answer = await browser.script("/settings/passkeys", given, csrf=session)
        object.__setattr__(world.services, "passkeys", real)
        return led_to(answer)

    return play


async def asks_its_organization(world: World) -> Play:
    browser = world.browser()
    return lambda entry: asks(browser, "/signin/organization", entry)


async def goes_to_its_organization_and_comes_back(world: World) -> Play:
    ada = await world.person("ada")
    real = world.services.openid

    async def play(entry: str) -> list[str]:
        browser, provider = world.browser(), AnyProvider(ada)
        await browser.get("/signin")
        asked = [("csrf", browser.csrf()), ("address", "ada@ours.example"), ("to", entry)]
        object.__setattr__(world.services, "openid", provider)
        await browser.post("/signin/organization", asked)
        back = await browser.get("/signin/organization/callback/org_1?state=x")
        object.__setattr__(world.services, "openid", real)
        return [provider.to, *led_to(back)]

    return play


async def opens_a_path_while_out(world: World) -> Play:
    browser = world.browser()

    async def play(entry: str) -> list[str]:
        answer = await as_path(world, browser, entry)
        return [unquote(one.partition("?to=")[2]) or "/" for one in led_to(answer) if one.startswith("/signin")]

    return play


async def opens_a_path_by_another_name_of_ours(world: World) -> Play:
    browser = world.browser(host="127.0.0.1:8484")

    async def play(entry: str) -> list[str]:
        answer = await as_path(world, browser, entry)
        found = led_to(answer)
        assert all(one.startswith(PUBLIC_URL) for one in found), (entry, found)
        return [one.removeprefix(PUBLIC_URL) for one in found]

    return play


async def as_path(world: World, browser: Browser, entry: str) -> httpx2.Response:
    """The entry as what stands behind the host in the address bar, handed on byte by byte as servers do."""
    target = entry.encode("utf-8", "replace")[:6000]
    target = target if target.startswith(b"/") else b"/" + target
    path, _, query = re.sub(rb"[^!-~]", lambda found: b"%%%02x" % found[0][0], target).partition(b"?")

    class Verbatim(httpx2.ASGITransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            app = self.app

            async def asked(scope: Any, receive: Any, send: Any) -> None:
                scope |= {"path": unquote(path.decode()), "raw_path": path, "query_string": query}
                await app(scope, receive, send)

            return await httpx2.ASGITransport(app=asked).handle_async_request(request)

    client = httpx2.AsyncClient(transport=Verbatim(app=world.app), base_url=browser.client.base_url)
    return await client.get("/", headers={"sec-fetch-site": "none"})


class AnyPasskey:
    """Passkeys that take any answer: what follows is what is played."""

    available = True

    def __init__(self, person: Person | None) -> None:
        self._person = person

    async def authenticate(self, _challenge: str, _response: str) -> Person | None:
        return self._person

    async def register(self, *_: object) -> None:
        pass


class AnyProvider:
    """An organization's provider that knows everybody, and what it was asked to come back to."""

    def __init__(self, person: Person) -> None:
        self.sign_ins, self._person, self.to = self, person, ""

    async def begin_for(self, _address: str, *, browser: object, to: str) -> str:
        self.to = to
        return "https://provider.example/authorize"

    async def finish(self, *_: object, **_more: object) -> Arrived:
        return Arrived(self._person, "signin", datetime.now(UTC), self.to)


async def by_link(world: World, login: str) -> Browser:
    person = await world.person(login, password="")
    token = (await world.services.links.issue(person.id, purpose="invite")).reveal().decode()
    browser = world.browser()
    await browser.get(f"/signin/link/{token}")
    await browser.submit("/signin/link", {"token": token})
    return browser


PLAYS: dict[str, tuple[Callable[[World], Awaitable[Play]], str]] = {
    # Each way in which a return path comes in, and the file that reads it there.
    "who is out asks to sign in": (who_is_out_asks_to_sign_in, "sign_in.py"),
    "who is in asks to sign in": (who_is_in_asks_to_sign_in, "sign_in.py"),
    "signs in": (signs_in, "sign_in.py"),
    "signs in wrongly": (signs_in_wrongly, "sign_in.py"),
    "signs in with a passkey": (signs_in_with_a_passkey, "sign_in_passkey.py"),
    "is asked again": (is_asked_again, "sign_in_again.py"),
    "says it again": (says_it_again, "sign_in_again.py"),
    "is welcomed": (is_welcomed, "welcome.py"),
    "is welcomed who is in": (is_welcomed_who_is_in, "welcome.py"),
    "sets a first password": (sets_a_first_password, "password_set.py"),
    "sets a password badly": (sets_a_password_badly, "password_set.py"),
    "adds a first passkey": (adds_a_first_passkey, "passkey_add.py"),
    "asks its organization": (asks_its_organization, "sign_in_organization.py"),
    "goes to its organization": (goes_to_its_organization_and_comes_back, "sign_in_organization.py"),
    "opens a path while out": (opens_a_path_while_out, "door.py"),
    "opens a path by another name of ours": (opens_a_path_by_another_name_of_ours, "door.py"),
}
EACH_TIME = {
    # Which entries are played each time: all where a try is one request, else some, and all of them in the long run.
    "who is in asks to sign in": 1,
    "opens a path while out": 1,
    "opens a path by another name of ours": 1,
    "sets a first password": 80,
    "goes to its organization": 80,
    "adds a first passkey": 80,
}


def test_the_corpus_is_what_its_rules_make() -> None:
    assert list(dict.fromkeys([*open_redirects.made(), *open_redirects.HAND_MADE])) == ENTRIES
    assert len(ENTRIES) >= 500


def test_every_file_that_reads_a_return_path_is_played() -> None:
    reading = {
        path.name
        for path in SOURCE.glob("*.py")
        if re.search(
            r"""\blocal_path\(|(?:one|query|get)\(["'](?:to|next|return|redirect\w*|url)["']""", path.read_text()
        )
    }

    addresses_of_services = {"connection_add.py", "connection_start.py", "directory_review.py", "request_list.py"}
    assert reading - {"return_path.py", *addresses_of_services} == {file for _, file in PLAYS.values()}


async def lead_astray(world: World, how: str, entries: list[str]) -> None:
    begin, _ = PLAYS[how]
    play = await begin(world)
    led = 0

    for entry in entries:
        for address in await play(entry):
            led += 1
            assert stays(address), f"{json.dumps(entry)} led to {address}"

    assert led >= min(len(entries) // 2, 10)


def test_no_entry_is_taken_for_a_path_of_ours_that_leads_elsewhere() -> None:
    for entry in ENTRIES:
        assert stays(local_path(entry)), entry
        assert local_path(entry) in (entry, "/")


@pytest.mark.parametrize("how", PLAYS)
async def test_nobody_is_led_off_this_hub_who(world: World, how: str) -> None:
    await lead_astray(world, how, ENTRIES[:: EACH_TIME.get(how, 20)])


@pytest.mark.long
@pytest.mark.parametrize("how", sorted(how for how in PLAYS if EACH_TIME.get(how, 20) > 1))
async def test_nobody_is_led_off_this_hub_by_any_entry_who(world: World, how: str) -> None:
    await lead_astray(world, how, ENTRIES)


@pytest.mark.parametrize(
    ("address", "is_ours"),
    [
        ("/connections?x=//evil.example", True),
        ("//evil.example", False),
        ("/%2fevil.example", False),
        ("/%252fevil.example", False),
        ("/\\evil.example", False),
        ("https://evil.example", False),
        ("/a/..//evil.example", False),
        ("/signout", False),
        ("", False),
    ],
)
def test_the_judge_of_these_tests_knows_what_leads_elsewhere(address: str, is_ours: bool) -> None:
    assert stays(address) is is_ours
