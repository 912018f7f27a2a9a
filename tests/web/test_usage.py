"""The page of how services are used: all numbers to an owner, those of five people and more to an admin (ORG-15)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.web.world import World
from valetkey.audit.model import CallEnding, CallIntent, Outcome
from valetkey.audit.repository import insert_calls
from valetkey.identity.model import Person, Role

HERE = "/admin/usage"


async def used(world: World, *people: Person, connector: str = "notes", client: str = "Claude Code") -> None:
    """A call by each of them, yesterday."""
    at = world.clock.now() - timedelta(days=1)
    made = [
        CallIntent(
            id=f"call_{connector}_{one.id}"[:40], started_at=at, organization_id=one.organization_id,
            person_id=one.id, client=client, connector=connector, connection_id="cn_1", label="main",
            method="tools/call", tool="find_note", day=at.date().isoformat(),
        )
        for one in people
    ]  # fmt: skip
    async with world.database.write() as tx:
        await insert_calls(tx, [(one, CallEnding(id=one.id, outcome=Outcome.OK)) for one in made])


async def test_an_owner_sees_who_used_what_and_an_admin_what_five_people_stand_behind(world: World) -> None:
    owner, _ = await world.signed_in("olga", role=Role.OWNER)
    admin, _ = await world.signed_in("adam", role=Role.ADMIN)
    people = [await world.person(f"m{number}") for number in range(5)]
    await used(world, *people)
    await used(world, people[0], connector="mail")

    by_person = (await owner.open(f"{HERE}?by=person")).text
    of_admin = (await admin.open(HERE)).text
    tried = (await admin.open(f"{HERE}?by=person")).text

    assert people[0].display_name in by_person
    assert "fewer than 5 people" not in by_person
    assert "fewer than 5 people" in of_admin
    for page in (of_admin, tried):
        assert people[0].display_name not in page
        assert 'value="person"' not in page


@pytest.mark.parametrize(
    "days", ["since=yesterday", "until=2999-01-01", "since=2020-01-01", "since=2026-11-20&until=2026-11-01"]
)
async def test_days_that_there_are_not_are_said_to_be_so_on_the_page(world: World, days: str) -> None:
    owner, _ = await world.signed_in("olga", role=Role.OWNER)

    page = await owner.open(f"{HERE}?{days}")

    assert page.status_code == 422
    assert 'class="filters"' in page.text


async def test_a_member_is_told_of_no_such_page(world: World) -> None:
    member, _ = await world.signed_in("mia")

    assert (await member.open(HERE)).status_code == 404
