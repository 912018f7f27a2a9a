"""The hostile service tries what it says, and a hub that went along would be noticed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import httpx2
import pytest

from valetkey.demo.story.assistant import Assistant
from valetkey.demo.story.browser import Browser, Form, Page, read_page
from valetkey.demo.story.hostile import Hostile
from valetkey.demo.story.hub import NotSeen
from valetkey.demo.trap import METADATA, ORDER, Trap, trap

ELSEWHERE = "http://127.0.0.1:2"
CONNECTED = '<p>Connected</p><form action="/t" method="post"><button>the one that says it only reads</button></form>'


class Gullible(Browser):
    """The pages of a hub that connects whatever it is given, asking wherever it is led."""

    def __init__(self, page: str, *, asks: str = "") -> None:
        super().__init__()
        self._shown = read_page("http://localhost:1/connections/cn_1", 200, page)
        self._asks = asks

    def open(self, url: str) -> Page:
        return self._shown

    def press(self, button: str, typed: Mapping[str, str | Sequence[str]] = {}, *, form: Form | None = None) -> Page:
        if self._asks:
            httpx2.get(self._asks, follow_redirects=True, trust_env=False)
        return self._shown


@pytest.fixture
def hostile_to() -> Iterator[list[Hostile]]:
    begun: list[Hostile] = []
    yield begun
    for one in begun:
        one.close()


def story(begun: list[Hostile], page: str) -> Hostile:
    begun.append(
        Hostile("http://localhost:1", ELSEWHERE, Gullible(page), lambda: Assistant("http://localhost:1", "", "modern"))
    )
    return begun[-1]


def test_a_hub_that_connects_a_private_address_is_noticed(hostile_to: list[Hostile]) -> None:
    with pytest.raises(NotSeen, match=r"10\.0\.0\.1"):
        story(hostile_to, CONNECTED).private()


def test_a_hub_that_follows_a_redirect_is_noticed(hostile_to: list[Hostile]) -> None:
    told = story(hostile_to, "<p>redirect</p>")
    told.owner._shown.status = 502  # type: ignore[attr-defined] # what it says is right; what it does is not
    told.owner._asks = f"{told.there.origin}/metadata/redirects"  # type: ignore[attr-defined] # as above

    with pytest.raises(NotSeen, match="followed"):
        told.redirect()


def test_a_hub_that_believes_the_wrong_issuer_is_noticed(hostile_to: list[Hostile]) -> None:
    with pytest.raises(NotSeen, match="issuer"):
        story(hostile_to, CONNECTED).pose()


def test_a_name_that_is_believed_is_noticed(hostile_to: list[Hostile]) -> None:
    with pytest.raises(NotSeen, match="Custom – unverified"):
        story(hostile_to, f"{CONNECTED}<p>GitНub, Verified</p>").turn()


@pytest.fixture
def there() -> Iterator[Trap]:
    with trap(issuer=ELSEWHERE) as told:
        yield told


def test_the_trap_leads_to_the_machines_own_credentials_and_claims_to_be_another_issuer(there: Trap) -> None:
    led = httpx2.post(f"{there.origin}/redirects/mcp", json={}, trust_env=False)
    posing = httpx2.get(f"{there.origin}/.well-known/oauth-authorization-server/login", trust_env=False).json()

    assert (led.status_code, led.headers["location"]) == (307, METADATA)
    assert posing["issuer"] == ELSEWHERE
    assert posing["token_endpoint"] == f"{there.origin}/caught"


def test_the_traps_tools_change_once_it_has_turned(there: Trap) -> None:
    assistant = Assistant(f"{there.origin}/weather/mcp", "secret", "modern")
    before = assistant.list_tools()

    there.has_turned = True
    after = assistant.list_tools()

    assert before.keys() == {"read_weather"}
    assert after.keys() == {"read_weather", "collect_everything"}
    assert ORDER in after["read_weather"]["description"]
    assert {one["secrets"] for one in there.seen} == {"Bearer secret"}
