"""A profile is its person's own, names only their own connections, and loses what has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.conftest import FakeClock
from tests.directory.rows import add_connection, add_person
from valetkey.audit.model import OfPerson
from valetkey.audit.trail import Trail
from valetkey.directory.model import Choice, Profile, ToolAccess
from valetkey.directory.profiles import LIMIT, Profiles
from valetkey.kernel.errors import BadInput, Conflict, NotFound, TooMany
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

NOTES, MAIL = "cn_notes", "cn_mail"


@dataclass(frozen=True)
class Who:
    id: str
    organization_id: str


@dataclass(frozen=True)
class Held:
    id: str


ADA, BEN = Who("ada", "org_a"), Who("ben", "org_b")


class Ownership:
    """The floor above, which knows whose connection is whose."""

    def __init__(self) -> None:
        self.of = {"ada": [Held(NOTES), Held(MAIL)], "ben": []}

    async def list(self, person_id: str) -> Sequence[Held]:
        return self.of[person_id]


@pytest.fixture
async def profiles(database: Database, clock: FakeClock) -> Profiles:
    await add_person(database, "ada", organization_id="org_a")
    await add_person(database, "ben", organization_id="org_b")
    await add_connection(database, NOTES, slug="notes")
    await add_connection(database, MAIL, slug="mail")
    return Profiles(
        database,
        Notifications(database),
        clock=clock,
        trail=Trail(database, clock),
        connections=Ownership(),
        on_removed=put_out,
    )


OUT: list[str] = []


async def put_out(profile: Profile) -> None:
    """Ends the sign-ins at the profile's address."""
    OUT.append(profile.path)


async def add(profiles: Profiles, name: str, *choices: Choice, who: Who = ADA, access: str = "auto") -> None:
    await profiles.add(who, name, title="", access=access, choices=choices, by=f"person:{who.id}")


async def test_a_profile_has_what_was_chosen_and_nothing_else(profiles: Profiles) -> None:
    await add(profiles, "work", Choice(NOTES, whole=True), Choice(MAIL, whole=False, tools=frozenset({"read"})))

    work = await profiles.get("ada", "work")

    assert (work.path, work.title, work.access) == ("/p/work/mcp", "work", ToolAccess.AUTO)
    assert [work.has(NOTES, "anything"), work.has(MAIL, "read"), work.has(MAIL, "send"), work.has("cn_x", "read")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert await profiles.list("ada") == [work]
    assert profiles.get_now("ada", "work") == work


async def test_nobody_finds_or_changes_another_persons_profile(profiles: Profiles) -> None:
    await add(profiles, "work", Choice(NOTES, whole=True))

    for attempt in (
        profiles.get("ben", "work"),
        profiles.set(BEN, "work", title="", access="auto", choices=[], by="person:ben"),
        profiles.remove(BEN, "work", by="person:ben"),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await profiles.list("ben") == []
    assert (await profiles.get("ada", "work")).covers(NOTES)


async def test_two_people_may_use_the_same_name(profiles: Profiles) -> None:
    await add(profiles, "work", Choice(NOTES, whole=True))

    await add(profiles, "work", who=BEN)

    assert (await profiles.get("ben", "work")).choices == {}


async def test_another_persons_connection_cannot_be_put_into_a_profile(profiles: Profiles) -> None:
    with pytest.raises(NotFound, match="no such connection"):
        await add(profiles, "work", Choice(NOTES, whole=True), who=BEN)

    assert await profiles.list("ben") == []


async def test_a_connection_that_ended_is_in_no_profile_at_once(profiles: Profiles) -> None:
    await add(profiles, "work", Choice(NOTES, whole=True), Choice(MAIL, whole=True))
    await add(profiles, "notes", Choice(NOTES, whole=True))
    await profiles.get("ada", "work")

    await profiles.leave(NOTES)

    assert {one.name: list(one.choices) for one in await profiles.list("ada")} == {"notes": [], "work": [MAIL]}
    assert not (await profiles.get("ada", "work")).covers(NOTES)


async def test_what_is_set_replaces_what_was_there_everywhere_at_once(profiles: Profiles, clock: FakeClock) -> None:
    await add(profiles, "work", Choice(NOTES, whole=True))
    before = await profiles.get("ada", "work")
    clock.advance(60)

    choices = [Choice(MAIL, whole=False, tools=frozenset({"read"}))]
    await profiles.set(ADA, "work", title=" At work ", access="search", choices=choices, by="person:ada")

    after = await profiles.get("ada", "work")
    assert (after.id, after.title, after.access, list(after.choices)) == (
        before.id, "At work", ToolAccess.SEARCH, [MAIL],
    )  # fmt: skip
    assert after.changed_at > before.changed_at == after.created_at


async def test_a_removed_profile_is_gone_and_its_name_is_free(profiles: Profiles) -> None:
    await add(profiles, "work", Choice(NOTES, whole=True))
    await profiles.get("ada", "work")

    await profiles.remove(ADA, "work", by="person:ada")

    assert OUT.pop() == "/p/work/mcp"
    with pytest.raises(NotFound):
        await profiles.get("ada", "work")
    await add(profiles, "work")
    assert (await profiles.get("ada", "work")).choices == {}


@pytest.mark.parametrize("name", ["", "Work", "a" * 25, "-a", "a-", "a/b", "a b", "ä", "a_b", "mcp\n"])
async def test_a_name_that_cannot_stand_in_an_address_is_refused(profiles: Profiles, name: str) -> None:
    with pytest.raises(BadInput) as refused:
        await add(profiles, name)

    assert refused.value.field == "name"


async def test_a_name_is_given_once_and_a_word_that_is_no_access_is_refused(profiles: Profiles) -> None:
    await add(profiles, "work")

    with pytest.raises(Conflict):
        await add(profiles, "work")
    with pytest.raises(BadInput, match="auto, all or search"):
        await add(profiles, "other", access="some")


async def test_a_connection_is_chosen_once_and_choosing_nothing_of_it_leaves_it_out(profiles: Profiles) -> None:
    with pytest.raises(BadInput, match="twice"):
        await add(profiles, "work", Choice(NOTES, whole=True), Choice(NOTES, whole=True))

    await add(profiles, "work", Choice(NOTES, whole=False))

    assert (await profiles.get("ada", "work")).choices == {}


async def test_there_are_at_most_so_many(profiles: Profiles) -> None:
    for number in range(LIMIT):
        await add(profiles, f"p{number}")

    with pytest.raises(TooMany):
        await add(profiles, "one-more")


async def test_a_profile_names_at_most_so_many_tools(profiles: Profiles) -> None:
    many = frozenset(f"t{number}" for number in range(5001))

    with pytest.raises(BadInput, match="at most"):
        await add(profiles, "work", Choice(NOTES, whole=False, tools=many))


async def test_the_trail_says_who_changed_which_profile(
    profiles: Profiles, database: Database, clock: FakeClock
) -> None:
    await add(profiles, "work", Choice(NOTES, whole=True))
    await profiles.set(ADA, "work", title="", access="all", choices=[], by="client:c1")
    await profiles.remove(ADA, "work", by="person:ada")

    events = await Trail(database, clock).list(OfPerson("ada"))

    assert [(event.event, event.actor) for event in reversed(events)] == [
        ("profile.added", "person:ada"), ("profile.changed", "client:c1"), ("profile.removed", "person:ada"),
    ]  # fmt: skip
