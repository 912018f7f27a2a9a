"""How connectors are used, in numbers: all of them to who sees each call, and of no few people else (ORG-15)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from tests.api.hub import NOTES, Hub, open_hub
from tests.audit.conftest import intent
from tests.conftest import FakeClock
from valetkey.audit.model import CallEnding, Outcome
from valetkey.audit.repository import insert_calls
from valetkey.identity.model import Role
from valetkey.privacy.products import Products
from valetkey.privacy.small_groups import REST, Cell, apart, overlapping
from valetkey.store.database import Database

CREW = [f"m{number}" for number in range(7)]


@pytest.fixture
async def hub(sqlite_database: Database, clock: FakeClock) -> Hub:
    return await furnished(sqlite_database, clock)


async def furnished(database: Database, clock: FakeClock) -> Hub:
    """Ada (owner), Adam (admin), Audrey (auditor), Bob and a crew of seven; Eve is of another organization."""
    hub = await open_hub(database, clock)
    ours = hub.people["ada"].organization_id
    await hub.add("adam", ours, Role.ADMIN)
    await hub.add("audrey", ours, Role.AUDITOR)
    for login in CREW:
        await hub.add(login, ours, Role.MEMBER)
    return hub


async def calls(
    hub: Hub, logins: Sequence[str], times: int = 1, *, days_ago: int = 1, client: str = "Claude", **others: Any
) -> None:
    """So many calls by each of them, on a day of the past."""
    outcome = others.pop("outcome", Outcome.OK)
    at = hub.clock.now() - timedelta(days=days_ago)
    made = [
        intent(
            hub.clock, person_id=hub.people[login].id, organization_id=hub.people[login].organization_id, client=client,
            started_at=at, day=at.date().isoformat(), **{"connector": "github", "method": "tools/call"} | others,
        )
        for login in logins
        for _ in range(times)
    ]  # fmt: skip
    async with hub.database.write() as tx:
        await insert_calls(tx, [(one, CallEnding(id=one.id, outcome=outcome)) for one in made])


async def ask(hub: Hub, login: str, status: int = 200, **query: Any) -> Any:
    client = await hub.with_scopes(login)
    answer = await client.get(f"/organizations/{hub.people['ada'].organization_id}/usage", params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


async def rows(hub: Hub, login: str, **query: Any) -> list[tuple[Any, ...]]:
    found = await ask(hub, login, **query)
    return [(one["name"], one["calls"], one["carried"], one["people"]) for one in found["items"]]


async def test_an_owner_and_an_auditor_see_all_numbers_and_by_whatever_they_ask(
    database: Database, clock: FakeClock
) -> None:
    hub = await furnished(database, clock)
    await calls(hub, ["bob"], 3, client="claude-code/2.1.0")
    await calls(hub, ["bob", "m0"], 2, client="Claude Code (laptop)", days_ago=2)
    await calls(hub, ["m0"], 1, outcome=Outcome.REFUSED)
    await calls(hub, ["eve"], 9)
    await calls(hub, ["bob"], 5, method="tools/list")

    for login in ("ada", "audrey"):
        assert await rows(hub, login) == [("github", 8, 7, 2)]
        assert await rows(hub, login, by="client") == [("Claude", 1, 0, 1), ("Claude Code", 7, 7, 2)]
        assert sorted(await rows(hub, login, by="person")) == [("Bob", 5, 5, 1), ("M0", 3, 2, 1)]
        assert await rows(hub, login, by="group") == [("In no group", 8, 7, 2)]
        assert [row[1:] for row in await rows(hub, login, by="day")] == [(4, 4, 2), (4, 3, 2)]
        assert await rows(hub, login, by="auth") == [("Not known any more", 8, 7, 2)]


async def test_an_admin_sees_nothing_that_fewer_than_five_people_stand_behind(hub: Hub) -> None:
    """Each day by itself: what two ranges differ by is a day, and one person's day is nobody's to see."""
    await calls(hub, CREW[:5], 2, days_ago=3)
    await calls(hub, CREW[:4], 7, days_ago=2)
    await calls(hub, ["bob"], 9, connector="mail")

    assert await rows(hub, "adam") == [("github", 10, 10, 5), ("", None, None, None)]
    assert await rows(hub, "adam", by="day", connector="github") == [(day(hub, 3), 10, 10, 5)]
    longer, shorter = [await rows(hub, "adam", since=day(hub, 3), until=day(hub, end)) for end in (2, 3)]
    assert longer == shorter
    [whole, _] = (await ask(hub, "adam"))["items"]
    assert whole["partial"] is True
    assert "owners and auditors" in (await ask(hub, "adam", 403, by="person"))["detail"]


async def test_what_is_small_is_said_together_with_what_makes_it_large_enough(hub: Hub) -> None:
    await calls(hub, CREW, 1, client="Claude")
    await calls(hub, CREW[:5], 2, client="Cursor")
    await calls(hub, ["bob"], 40, client="Homemade")

    assert await rows(hub, "adam") == [("github", 57, 57, 8)]
    assert await rows(hub, "adam", by="client") == [("Others together", 50, 50, 6), ("Claude", 7, 7, 7)]


async def test_groups_of_the_directory_are_counted_and_none_tells_of_who_is_in_one_and_not_the_other(hub: Hub) -> None:
    ours = hub.people["ada"].organization_id
    for name, logins in (("All but one", CREW[:6]), ("Everybody", CREW), ("Pair", CREW[:2])):
        await hub.services.provisioning.directory.add_group(
            ours, name=name, external_id="", members=[hub.people[one].id for one in logins], by="scim:x"
        )
    await calls(hub, CREW, 1)

    assert sorted(await rows(hub, "ada", by="group")) == [
        ("All but one", 6, 6, 6), ("Everybody", 7, 7, 7), ("Pair", 2, 2, 2),
    ]  # fmt: skip
    assert await rows(hub, "adam", by="group") == [("Everybody", 7, 7, 7)]


async def test_with_whose_account_is_said_by_connector(hub: Hub) -> None:
    ada = hub.people["ada"]
    own = await hub.services.connectors.add_listed(ada, NOTES.slug)
    shared = await hub.services.connectors.add_custom(
        ada, name="CRM", url="https://crm.example/mcp", auth_kind="header",
        auth={"headers": ["X-Api-Key"], "identity": "organization"},
    )  # fmt: skip
    await calls(hub, ["bob"], 1, connector=own.slug)
    await calls(hub, ["bob"], 2, connector=shared.slug)

    found = {one["connector_name"]: one["key"] for one in (await ask(hub, "ada", by="auth"))["items"]}
    assert found == {"Notes": "individual", "CRM": "managed"}


async def test_days_are_over_at_most_366_and_end_after_they_begin(hub: Hub) -> None:
    await calls(hub, ["bob"], 1, days_ago=0)
    await calls(hub, ["bob"], 2, days_ago=366)

    assert await rows(hub, "ada") == []
    assert await rows(hub, "ada", since=day(hub, 366)) == [("github", 2, 2, 1)]
    for wrong, words in (
        ({"until": day(hub, 0)}, "a day is over"),
        ({"since": day(hub, 367)}, "At most 366"),
        ({"since": day(hub, 2), "until": day(hub, 3)}, "before they begin"),
    ):
        assert words in (await ask(hub, "ada", 400, **wrong))["detail"]
    hub.clock.advance(86400)
    assert await rows(hub, "ada") == [("github", 1, 1, 1)]


async def test_it_comes_in_pages_with_the_days_it_is_of(hub: Hub) -> None:
    for number in range(3):
        await calls(hub, ["bob"], 1, connector=f"c{number}")

    first = await ask(hub, "ada", limit=2)
    second = await ask(hub, "ada", limit=2, cursor=first["next"])

    assert [one["connector"] for one in first["items"] + second["items"]] == ["c0", "c1", "c2"]
    assert (first["since"], first["until"], second["next"]) == (day(hub, 30), day(hub, 1), None)


async def test_nobody_else_sees_any_of_it(hub: Hub) -> None:
    await ask(hub, "bob", 403)
    await ask(hub, "eve", 404)


def day(hub: Hub, ago: int) -> str:
    found: date = hub.clock.now().date() - timedelta(days=ago)
    return found.isoformat()


def crew(*numbers: int) -> Cell:
    return Cell(len(numbers), 0, {f"p{number}" for number in numbers})


def test_what_is_left_out_cannot_be_had_by_taking_what_is_shown_from_the_whole() -> None:
    few, many = crew(1, 2), crew(*range(10))

    assert dict(apart({"a": many, "b": few})).keys() == {REST}
    assert dict(apart({"a": many, "b": many, "c": few})).keys() == {"a", REST} or {"b", REST}
    assert apart({"a": few, "b": crew(1, 3)}) == {}
    assert apart({}) == {}
    assert overlapping({"a": crew(*range(9))}, many) == {}
    assert overlapping({"a": crew(*range(5))}, many).keys() == {"a"}
    assert overlapping({"a": few}, few) == {}


@pytest.mark.parametrize(
    ("spelled", "product"),
    [
        (["claude-code/2.1.0", "Claude Code", "Claude Code (laptop)", "claude_code v3"], "Claude Code"),
        (["Cursor", "cursor 1.2.3-beta.4", "Cursor [work]"], "Cursor"),
        (["\uff23ursor"], "Cursor"),
        (["Base64"], "Base64"),
        (["", "  "], "Unnamed"),
        (["2"], "2"),
    ],
)  # fmt: skip
def test_one_product_has_one_name(spelled: list[str], product: str) -> None:
    products = Products()

    keys = {products.key(one, 1 + (one == product)) for one in spelled}

    assert len(keys) == 1
    assert list(products.names().values()) == [product]
