"""After signing in a person lands on a page of this hub, whatever the address said."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.world import PASSWORD, World
from valetkey.web.return_path import local_path

ELSEWHERE = [
    "https://evil.example",
    "http:evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "/\x00/evil.example",
    "/./\\evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/a/..//evil.example",
    "/a//evil.example",
    "/connections/../signout",
    "/connections/./x",
    "//evil.example/%2f..",
    "/%09/evil.example",
    "/%5cevil.example",
    "/%2f%2fevil.example",
    "//localhost:8484@evil.example",
    "//localhost:8484.evil.example",
    "https:/evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "/javascript:alert(1)",
    "mailto:x@evil.example",
    "evil.example",
    "?to=x",
    "#evil",
    "/connections#//evil.example",
    "/／evil.example",
    "／／evil.example",
    "/。/evil",
    "//evil。example",
    "/\u2028/evil.example",
    "/connections?x=\r\nlocation:+//evil.example",
    '/connections?x="><script>',
    "/signin",
    "/signin/again",
    "/signout",
    "/" + "a" * 7000,
    "",
]
OURS = [
    "/",
    "/connections",
    "/connections/cn_01abc",
    "/connections/review/try_1?done=tools",
    "/activity?tool=a%20b&before=call_1",
    "/oauth/authorize?client_id=https%3A%2F%2Fclaude.ai%2Fx&redirect_uri=http://localhost:1/cb&state=a%2Bb&scope=mcp",
]


@pytest.mark.parametrize("text", ELSEWHERE)
def test_an_address_elsewhere_becomes_the_first_page(text: str) -> None:
    assert local_path(text) == "/"


@pytest.mark.parametrize("text", OURS)
def test_a_path_of_ours_is_kept_to_the_letter(text: str) -> None:
    assert local_path(text) == text


@given(st.text(alphabet=st.sampled_from("/\\.:@?#%abt \t\n\r\x00。／h2f5c")))
def test_no_text_leads_off_this_origin(text: str) -> None:
    kept = local_path(text)

    assert kept.startswith("/")
    assert not kept.startswith(("//", "/\\"))
    assert kept.isprintable()
    assert kept.isascii()
    assert (urlsplit(kept).scheme, urlsplit(kept).netloc) == ("", "")


async def test_signing_in_does_not_redirect_off_site(world: World) -> None:
    await world.person("ada")
    for text in ELSEWHERE:
        browser = world.browser()
        await browser.get("/signin")
        answer = await browser.send("/signin", {"login": "ada", "password": PASSWORD, "to": text})
        assert (answer.status_code, answer.headers["location"]) == (303, "/"), text


async def test_signing_in_leads_back_to_where_one_was_going(world: World) -> None:
    await world.person("ada")
    browser = world.browser()
    page = await browser.open("/activity?tool=search_notes")
    assert page.url.path == "/signin"
    assert 'name="to" value="/activity?tool=search_notes"' in page.text

    page = await browser.submit("/signin", {"login": "ada", "password": PASSWORD, "to": "/activity?tool=search_notes"})

    assert str(page.url).endswith("/activity?tool=search_notes")


async def test_where_an_assistant_waits_a_page_stands_between_the_form_and_the_redirect(world: World) -> None:
    """Browsers hold what a form's answer redirects to against `form-action`, through every redirect that follows."""
    await world.person("ada")
    browser = world.browser()
    await browser.get("/signin")

    answer = await browser.send(
        "/signin", {"login": "ada", "password": PASSWORD, "to": "/oauth/authorize?client_id=x&state=%22%3E"}
    )

    assert answer.status_code == 200
    assert 'content="0;url=/oauth/authorize?client_id=x&amp;state=%22%3E"' in answer.text
