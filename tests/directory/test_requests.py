"""ORG-02: members ask for a connector; whoever manages connectors says yes or no, and who asked sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.conftest import FakeClock
from valetkey.audit.feed.names import name_of
from valetkey.directory.connectors import Connectors
from valetkey.directory.listings import Listings, read_listing
from valetkey.directory.requests.asking import Requests
from valetkey.directory.requests.model import RequestState
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.net.url import parse_url
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.schema import connection, membership, organization, person

URL = "https://mcp.wanted.example/mcp"
NOTES = read_listing(
    "notes",
    """
    name = "Notes"
    publisher = "Notes Company"
    about = "Notes, kept."
    url = "https://mcp.notes.example/mcp"
    categories = ["documents"]
    source = { url = "https://notes.example/docs", date = 2026-08-01 }
    """,
    parse_url=parse_url,
)


@dataclass(frozen=True)
class Member:
    id: str
    organization_id: str


@dataclass
class Written:
    events: list[tuple[str, str, Mapping[str, object]]] = field(default_factory=list)

    async def write(
        self, event: str, *, actor: str, organization_id: str = "", person_id: str = "", object: str = "",
        detail: Mapping[str, object] | None = None,
    ) -> None:  # fmt: skip
        self.events.append((event, actor, detail or {}))


class NoGroups:
    async def of(self, _person_id: str) -> frozenset[str]:
        return frozenset()


ADA, BOB, OWNER = (Member(f"person_{name}", "org_1") for name in ("ada", "bob", "olga"))
EVE = Member("person_eve", "org_2")


@dataclass
class House:
    database: Database
    connectors: Connectors
    requests: Requests
    trail: Written
    clock: FakeClock

    async def connections(self) -> Sequence[object]:
        async with self.database.read() as tx:
            return (await tx.execute(connection.select())).all()


@pytest.fixture
async def house(database: Database, clock: FakeClock) -> House:
    async with database.write() as tx:
        for org in ("org_1", "org_2"):
            await tx.execute(
                organization.insert().values(id=org, name=org, kind="organization", created_at=clock.now())
            )
        for one in (ADA, BOB, OWNER, EVE):
            await tx.execute(
                person.insert().values(
                    id=one.id, login=one.id, display_name=one.id, state="active", created_at=clock.now()
                )
            )
            await tx.execute(
                membership.insert().values(
                    organization_id=one.organization_id, person_id=one.id, role="member", created_at=clock.now()
                )
            )
    connectors = Connectors(
        database, Notifications(database), clock=clock, parse_url=parse_url, listings=Listings([NOTES])
    )
    trail = Written()
    requests = Requests(
        database, connectors=connectors, groups=NoGroups(), parse_url=parse_url, clock=clock, trail=trail
    )
    return House(database, connectors, requests, trail, clock)


async def test_whoever_asks_for_the_same_joins_in_and_nothing_is_switched_on_by_asking(house: House) -> None:
    first = await house.requests.ask(ADA, url=URL, name="Wanted")
    house.clock.advance(60)

    second = await house.requests.ask(BOB, url="https://MCP.wanted.example:443/mcp/", name="Something else")
    again = await house.requests.ask(BOB, url=URL)

    assert second.id == again.id == first.id
    assert again.askers == (ADA.id, BOB.id)
    assert again.name == "Wanted"
    assert await house.connectors.list_for(OWNER) == []
    assert [event for event, _, _ in house.trail.events] == ["connector.requested"] * 2


async def test_a_second_press_of_the_button_is_the_same_question(house: House) -> None:
    asked = await asyncio.gather(*(house.requests.ask(BOB, url=URL) for _ in range(4)))

    [found] = await house.requests.of(BOB.organization_id)
    assert {one.id for one in asked} == {found.id}
    assert found.askers == (BOB.id,)
    assert [event for event, _, _ in house.trail.events] == ["connector.requested"]


async def test_a_yes_switches_it_on_connects_nobody_and_is_logged_with_decision_and_count(house: House) -> None:
    asked = await house.requests.ask(ADA, url=URL, name="Wanted")
    await house.requests.ask(BOB, url=URL)

    done = await house.requests.approve(OWNER, asked.id, by="person:olga")

    [connector] = await house.connectors.list_for(ADA)
    assert (connector.url, connector.state, connector.added_by) == (URL, "enabled", OWNER.id)
    assert await house.connections() == []
    assert [(one.state, one.slug) for one in await house.requests.by(ADA)] == [("approved", connector.slug)]
    event, actor, detail = house.trail.events[-1]
    assert name_of(event) == "admin_connector_request_resolved"
    assert (actor, detail["decision"], detail["count"]) == ("person:olga", "approved", 2)
    assert done.resolved_at == house.clock.now()
    with pytest.raises(Conflict):
        await house.requests.dismiss("org_1", asked.id, by="x")


async def test_a_no_is_seen_by_who_asked_and_they_may_ask_anew(house: House) -> None:
    asked = await house.requests.ask(ADA, url=URL)

    await house.requests.dismiss("org_1", asked.id, by="person:olga")

    [seen] = await house.requests.by(ADA)
    assert seen.state is RequestState.DISMISSED
    assert house.trail.events[-1][2]["decision"] == "dismissed"
    assert await house.connectors.list_for(ADA) == []
    house.clock.advance(timedelta(days=1).total_seconds())
    anew = await house.requests.ask(ADA, url=URL)
    assert anew.id != asked.id
    assert [one.id for one in await house.requests.of("org_1")] == [anew.id, asked.id]


async def test_the_address_of_a_listing_becomes_that_listing_whatever_it_was_called(house: House) -> None:
    asked = await house.requests.ask(ADA, url="https://mcp.notes.example/mcp", name="Official Bank")

    done = await house.requests.approve(OWNER, asked.id, by="x")

    [connector] = await house.connectors.list_for(OWNER)
    assert (connector.name, done.slug) == ("Notes", "notes")


async def test_what_is_switched_off_is_switched_on_and_what_is_on_need_not_be_asked_for(house: House) -> None:
    connector = await house.connectors.add_custom(OWNER, name="There", url=URL)
    with pytest.raises(Conflict, match="there already"):
        await house.requests.ask(ADA, url=URL)
    await house.connectors.set_state(connector.id, "blocked")

    asked = await house.requests.ask(ADA, url=URL)
    await house.requests.approve(OWNER, asked.id, by="x")

    [one] = await house.connectors.list_for(ADA)
    assert (one.id, one.state) == (connector.id, "enabled")


async def test_a_yes_lifts_no_quarantine(house: House) -> None:
    connector = await house.connectors.add_custom(OWNER, name="There", url=URL)
    await house.connectors.set_quarantine(connector.id, True)
    asked = await house.requests.ask(ADA, url=URL)

    with pytest.raises(Conflict, match="quarantined"):
        await house.requests.approve(OWNER, asked.id, by="x")

    [seen] = await house.requests.by(ADA)
    assert seen.state is RequestState.OPEN


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("javascript:alert(1)", "x"),
        ("https://mcp.wanted.example/mcp?token=abcdefgh12345678abcdefgh12345678", "x"),
        ("https://user:secret@mcp.wanted.example/mcp", "x"),
        (URL, "Bank\u202ekcab"),
        (URL, "two\nlines"),
        (URL, "x" * 101),
    ],
)
async def test_a_request_carries_no_key_and_nothing_that_is_not_seen(house: House, url: str, name: str) -> None:
    with pytest.raises(BadInput):
        await house.requests.ask(ADA, url=url, name=name)

    assert await house.requests.of("org_1") == []


async def test_anothers_request_is_not_found(house: House) -> None:
    asked = await house.requests.ask(ADA, url=URL)

    with pytest.raises(NotFound):
        await house.requests.approve(EVE, asked.id, by="x")
    with pytest.raises(NotFound):
        await house.requests.dismiss("org_2", asked.id, by="x")

    assert await house.requests.of("org_2") == []
    assert await house.requests.by(EVE) == []
    assert await house.requests.by(BOB) == []
