"""Interactive pages before the linter (5.H, DIR-14): where they are found and how they are read.

Each rule's bad ones are in the corpus (`bad_pages.py`); here is what the corpus takes as given.
"""

from __future__ import annotations

import base64
import ipaddress
from pathlib import Path
from ssl import SSLContext

import pytest
import trustme

from tests.conftest import FakeClock
from tests.net.conftest import authority as authority  # fixtures, re-exported
from tests.net.conftest import ca_file as ca_file
from tests.net.conftest import server_context
from tests.review.corpus import GOOD, URL, definition, interactive, lists, tools
from tests.review.played import NAMES, visited
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.dialer import Dialer
from valetkey.net.outbound import outbound_by
from valetkey.net.url import parse_url
from valetkey.review.app_pages import MIME, AppPage, Thing, pages_named, read_page
from valetkey.review.conversation import Conversation, _pages
from valetkey.review.judge import judge
from valetkey.review.model import Report
from valetkey.review.rules.c5h_pages import _origin
from valetkey.review.visit import Visit

URI = "ui://marginalia/notes.html"


@pytest.fixture
def tls(authority: trustme.CA) -> SSLContext:
    return server_context(authority, *NAMES)


def found(report: Report) -> list[str]:
    return [outcome.rule for outcome in report.outcomes if outcome.findings]


def test_a_page_that_is_as_it_should_be_passes_every_rule() -> None:
    assert found(judge(interactive(visibility=["model", "app"])(GOOD))) == []


async def test_a_page_is_read_at_its_address_when_its_server_is_visited(tls: SSLContext, ca_file: Path) -> None:
    """Stage 2 reads what tools name, whether or not it stands in a list of resources (SEP-1865)."""
    policy = AddressPolicy((ipaddress.ip_network("127.0.0.1/32"),))

    good = await visited(interactive()(GOOD), tls, ca_file, policy)
    bad = await visited(interactive(mime="text/html")(GOOD), tls, ca_file, policy)

    assert found(good) == []
    assert found(bad) == ["L-512"]


class Slow(Conversation):
    """Answers for each page, three seconds later."""

    def __init__(self, visit: Visit, clock: FakeClock) -> None:
        super().__init__(visit)
        self.clock = clock

    async def read_page(self, uri: str, listed: Thing) -> AppPage:
        self.clock.advance(3)
        return AppPage(uri=uri, mime=MIME, html="<html>")


async def test_pages_that_come_too_slowly_spare_nobody_the_look_at_its_tools(clock: FakeClock) -> None:
    """Else who hides something in a tool would answer late for pages, and nothing of the tools would be judged."""
    out = outbound_by(Dialer(AddressPolicy(()), clock=clock), clock)
    visit = Visit(
        url=parse_url(URL), out=out, certificates=None, clock=clock, parse=parse_url, say=lambda _text: None
    )  # fmt: skip
    named = tools(*(definition(f"t{n}", _meta={"ui": {"resourceUri": f"ui://t/{n}"}}) for n in range(30)))

    apps = await _pages(visit, Slow(visit, clock), named, ())
    await out.close()

    assert (len(apps), [page.left_out for page in apps[-2:]]) == (8, [False, True])
    assert found(judge(lists(apps=(apps[-1],))(interactive()(GOOD)))) == ["L-512"]


def test_pages_are_found_by_tools_in_either_spelling_and_by_lists() -> None:
    tools: list[Thing] = [
        {"_meta": {"ui": {"resourceUri": "ui://a"}}},
        {"_meta": {"ui/resourceUri": "ui://b"}},
        {"_meta": 7},
        {},
    ]
    resources: list[Thing] = [
        {"uri": "ui://c", "_meta": {"ui": {"prefersBorder": True}}},
        {"uri": "note:///1"},
        {"uri": None},
    ]

    assert pages_named(tools, resources) == {"ui://a": {}, "ui://b": {}, "ui://c": {"prefersBorder": True}}


@pytest.mark.parametrize(
    ("part", "html", "ui"),
    [
        ({"uri": URI, "mimeType": MIME, "text": "<html>"}, "<html>", {"domain": "listed"}),
        ({"uri": URI, "mimeType": MIME, "blob": base64.b64encode(b"<html>").decode()}, "<html>", {"domain": "listed"}),
        ({"uri": URI, "text": "<html>", "_meta": {"ui": {"domain": "own"}}}, "<html>", {"domain": "own"}),
        ({"uri": URI, "blob": "no base64!"}, "", {"domain": "listed"}),
        ({"uri": URI, "text": 7, "blob": 7, "_meta": {"ui": 7}}, "", {"domain": "listed"}),
    ],
)
def test_what_stands_at_the_contents_goes_before_what_stands_in_lists(
    part: dict[str, object], html: str, ui: dict[str, str]
) -> None:
    page = read_page(URI, {"domain": "listed"}, {"contents": [part]})

    assert (page.html, page.ui) == (html, ui)


@pytest.mark.parametrize("result", [{}, {"contents": []}, {"contents": "x"}, {"contents": [7]}])
def test_an_answer_without_contents_is_no_page(result: dict[str, object]) -> None:
    assert read_page(URI, {}, result).problem


ESCAPES: tuple[object, ...] = (
    "*", "https:", "https://*", "https://*.", "https://*.com", "https://*.co.uk", "https://*.github.io",
    "https://*.eu-west-1.amazonaws.com", "http://a.example", "ws://a.example", "data:", "blob:", "javascript:alert(1)",
    "'self'", "'unsafe-inline'", "'unsafe-eval'", "'none'", "https://a.example; script-src *", "https://a.example, *",
    "https://a.example *", "https://a.example\nscript-src *", "https://a.example\r\nX: y", "https://user@a.example",
    "https://a.example/path", "https://a.example?q", "https://a.example#f", "https://localhost", "https://127.0.0.1",
    "https://[::1]", "https://a..example", "https://-a.example", "https://а.example", "//a.example", "a.example",
    "https://a.*.example", "https://*a.example", "HTTPS://a.example", "https://a.example:port", "", " ", None, 7, {},
)  # fmt: skip


@pytest.mark.parametrize("value", ESCAPES, ids=repr)
def test_nothing_that_lets_in_anybody_or_breaks_out_of_the_header_is_an_origin(value: object) -> None:
    """The escape corpus of DIR-14: what a client would put into a Content-Security-Policy."""
    assert _origin(value) is None


@pytest.mark.parametrize(
    "value",
    ["https://a.example", "https://*.a.example", "wss://live.a.example:8443", "https://x.github.io", "https://a.co.uk"],
)
def test_what_names_one_owner_is_an_origin(value: str) -> None:
    assert _origin(value) is not None
