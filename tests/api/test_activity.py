"""ORG-13: the activity feed is read to its end while it grows, newest first or from where one was, without a gap."""

from __future__ import annotations

import pytest

from tests.api.hub import Hub, open_hub
from tests.conftest import FakeClock
from valetkey.store.database import Database

MANY = pytest.param(20_000, 1_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])


async def happens(hub: Hub, number: int) -> None:
    ada = hub.people["ada"]
    await hub.services.trail.write(
        "policy.set", actor="operator", organization_id=ada.organization_id, object=str(number)
    )


@pytest.mark.parametrize(("events", "limit"), [(90, 20), MANY])
async def test_pages_of_events_lose_none_and_repeat_none_while_more_are_written(
    database: Database, clock: FakeClock, events: int, limit: int
) -> None:
    hub = await open_hub(database, clock)
    for number in range(events):
        await happens(hub, number)
    client = await hub.with_scopes("ada")
    wanted: dict[str, str | int] = {"event": "policy", "limit": limit}
    written, seen, newest = events, list[str](), 0
    before: dict[str, int] = {}

    while page := (await client.get("/trail", params={**wanted, **before})).json()["items"]:
        seen += [one["object"] for one in page]
        newest = max(newest, page[0]["seq"])
        before = {"before_id": page[-1]["seq"]}
        await happens(hub, written)
        written += 1

    assert seen == [str(number) for number in reversed(range(events))]
    later = (await client.get("/trail", params={**wanted, "after_id": newest})).json()["items"]
    assert [one["object"] for one in later] == [str(number) for number in reversed(range(events, written))]


async def test_an_event_is_there_at_once_and_a_page_has_a_hundred_and_at_most_five_thousand(
    sqlite_database: Database, clock: FakeClock
) -> None:
    hub = await open_hub(sqlite_database, clock)
    client = await hub.with_scopes("ada")
    for number in range(101):
        await happens(hub, number)

    answer = (await client.get("/trail")).json()

    assert answer["items"][0]["object"] == "100"
    assert len(answer["items"]) == 100
    assert (await client.get("/trail", params={"limit": 5000})).status_code == 200
    assert (await client.get("/trail", params={"limit": 5001})).status_code == 400
