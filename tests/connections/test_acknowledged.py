"""Nobody is connected who did not say that they read what is said of the connector, as it is today (S-23, S-24)."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.connections.conftest import PARSE, Hub
from tests.connections.outside import AuthServer, Service
from valetkey.connections.model import StepFailed
from valetkey.directory.connectors import Connectors
from valetkey.directory.disclosure import NotAcknowledged
from valetkey.directory.listings import Listing, Listings, SignIn, Source, read_listing
from valetkey.identity.model import BrowserSession
from valetkey.kernel.secret import Secret

ENTRY = """
name = "Notes"
publisher = "Notes Company"
about = "Notes, kept."
url = "https://mcp.notes.example/mcp"
categories = ["documents"]
source = { url = "https://notes.example/docs", date = 2026-08-01 }
"""
KEY = {"X-API-Key": Secret("key")}


def book(hub: Hub, text: str = ENTRY) -> Connectors:
    """The same connectors under a directory that says this of Notes."""
    listing = read_listing("notes", text, parse_url=PARSE)
    return Connectors(hub.main, hub.notifications, clock=hub.clock, parse_url=PARSE, listings=Listings([listing]))


async def test_a_key_is_not_sealed_before_what_is_said_of_the_connector_was_acknowledged(
    hub: Hub, ada: BrowserSession
) -> None:
    connector = await hub.connector(ada.person, "https://h.example/mcp", kind="header", headers=["X-API-Key"])

    for version in ("", "0" * 64, "yes"):
        with pytest.raises(NotAcknowledged):
            await hub.room.connecting.set_header(ada, connector, acknowledged=version, values=KEY)

    assert await hub.room.connections.list(ada.person.id) == ()


async def test_an_open_service_is_not_connected_either(hub: Hub, ada: BrowserSession) -> None:
    async with Service(None) as service:
        connector = await hub.connector(ada.person, service.url)

        with pytest.raises(NotAcknowledged):
            await hub.room.connecting.connect_open(ada, connector, acknowledged="")

        assert service.asked == []


@pytest.mark.parametrize(
    "more",
    [
        'privacy_policy = "https://notes.example/privacy"',
        'terms = "https://notes.example/terms"',
        'data = { retention = "for ever" }',
        'support = "mailto:help@notes.example"',
        'vertical = "medical"',
    ],
)
async def test_each_changed_fact_makes_another_version(hub: Hub, ada: BrowserSession, more: str) -> None:
    before = book(hub)
    connector = await before.add_listed(ada.person, "notes")
    version = before.disclosure(connector).version

    after = book(hub, f"{more}\n{ENTRY}")

    assert before.disclosure(connector).version == version
    with pytest.raises(NotAcknowledged, match="changed since"):
        after.disclosure(await after.get("notes", ada.person)).check(version)


async def test_cus_09_what_can_go_wrong_is_said_of_every_service_before_anybody_connects(
    hub: Hub, ada: BrowserSession
) -> None:
    """Trust, scopes, injection, changing tools."""
    told = hub.connectors.disclosure(await hub.connector(ada.person, "https://mcp.example.com/mcp"))

    for words in (
        "organizations you trust",
        "may be more than its tools need",
        "steer your assistant",
        "can change later",
    ):
        assert any(words in warning for warning in told.warnings), words


async def test_what_nobody_read_is_said_to_be_not_known(hub: Hub, ada: BrowserSession) -> None:
    connectors = book(hub)

    told = connectors.disclosure(await connectors.add_listed(ada.person, "notes"))

    assert told.facts["privacy policy"] == "not known"
    assert told.facts["publisher"] == "Notes Company"
    assert told.facts["retention"] == "not known"
    assert any("Nobody has checked" in warning for warning in told.warnings)


def service_listed(url: str, **facts: Any) -> Listings:
    """A directory that lists a service on this machine, which no entry on disk may be."""
    about = Listing(
        slug="odd", name="Odd", publisher="Odd", about="Odd.", url=url, categories=("documents",),
        source=Source(url="https://odd.example/docs", date=date(2026, 8, 1)), **facts,
    )  # fmt: skip
    return Listings([about])


async def test_facts_that_change_between_the_page_and_the_click_are_shown_again(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    hub.connectors.listings = service_listed(service.url)
    attempt = await hub.room.connecting.begin(ada, await hub.connectors.add_listed(ada.person, "odd"))
    hub.connectors.listings = service_listed(service.url, terms="https://odd.example/terms")

    with pytest.raises(NotAcknowledged, match="changed since"):
        await hub.room.connecting.accept(attempt.id, ada, attempt.facts.hash, attempt.facts.scopes)


async def test_what_a_service_does_otherwise_is_data_that_connecting_obeys(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """Requirements 4.4: no `resource`, and commas between scopes."""
    quirks = SignIn(omit_resource=True, scope_separator=",", scope="notes:read notes:write")
    hub.connectors.listings = service_listed(service.url, auth=quirks)

    attempt, url = await hub.go(ada, await hub.connectors.add_listed(ada.person, "odd"))

    asked = parse_qs(urlsplit(url).query)
    assert asked["scope"] == ["notes:read,notes:write"]
    assert "resource" not in asked
    assert attempt.facts.resource == ""


async def test_a_service_that_registers_nobody_is_not_asked_to_and_the_person_is_told_how_it_is_done(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    by_hand = SignIn(no_registration=True, console_steps=("Make an app there.",))
    hub.connectors.listings = service_listed(service.url, auth=by_hand)
    connector = await hub.connectors.add_listed(ada.person, "odd")

    with pytest.raises(StepFailed, match="by hand") as caught:
        await hub.room.connecting.begin(ada, connector)

    assert "Make an app there." in caught.value.hint
    assert "/oauth/callback/" in caught.value.hint
    assert server.posts("/register") == []
