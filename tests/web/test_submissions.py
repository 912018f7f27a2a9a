"""Submitting a connector on pages, and the desk where another decides (DIR-04, DIR-07, DIR-08, DIR-09, DIR-11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec

from tests.review.corpus import GOOD, definition, listed
from tests.submissions.drawn import png
from tests.web.world import PASSWORD, Browser, World
from valetkey.directory.listings import ReviewedTool
from valetkey.identity.model import Person, Role
from valetkey.kernel.secret import Secret
from valetkey.review.judge import judge
from valetkey.submissions import repository
from valetkey.submissions.fields import hash_of
from valetkey.submissions.look_repository import add_entry
from valetkey.submissions.model import Entry, Run, State, Submission

FIELDS = {
    "name": "Wolfbook", "publisher": "Wolfbook Ltd", "about": "Wolves in the margin.",
    "description": "Reads what one noted of wolves.", "url": "https://mcp.wolfbook.example/mcp",
    "categories": ["documents"], "docs": "https://wolfbook.example/docs", "support": "mailto:help@wolfbook.example",
    "privacy_policy": "https://wolfbook.example/privacy", "security_contact": "mailto:security@wolfbook.example",
    "example_prompts": ["Who howled?", "And when?", "At whom?"], "test_instructions": "It has one wolf.",
}  # fmt: skip


SEEN = (
    ReviewedTool(name="list_notes", is_a="read", fingerprint="a" * 64),
    ReviewedTool(name="add_note", is_a="medium", fingerprint="b" * 64),
)


async def handed_in(world: World, person: Person, *, slug: str = "wolfbook") -> Submission:
    """A submission that waits at the desk, with what a review found of it; nobody went out for it."""
    begun = await world.services.submissions.drafts.begin(person, slug, FIELDS, by=f"person:{person.id}")
    begun = await world.services.submissions.pictures.hand_in(
        person, begun.id, "icon", png(), revision=begun.revision, by=f"person:{person.id}"
    )
    at = world.clock.now()
    report = replace(judge(listed(GOOD, definition("list notes <b>!"))), reviewed=SEEN)
    run = Run(
        id=f"rev_{slug}", organization_id=person.organization_id, person_id=person.id, submission_id=begun.id,
        url=begun.fields.url, fields_hash=hash_of(begun.fields), began_at=at, until=at + timedelta(minutes=8),
    )  # fmt: skip
    waiting = replace(
        begun, state=State.IN_REVIEW, state_since=at, submitted_at=at, submitted_by=f"person:{person.id}", proved_at=at
    )
    async with world.database.write() as tx:
        await repository.insert_run(tx, run)
        await repository.finish_run(tx, replace(run, finished_at=at, report=msgspec.json.encode(report)))
        written = await repository.write(tx, waiting)
        await add_entry(tx, Entry(begun.id, at, waiting.submitted_by, "submit", State.IN_REVIEW, ""))
    return written


async def another(world: World, login: str = "rea") -> tuple[Browser, Person]:
    """The owner of another organization, signed in."""
    theirs = await world.services.organizations.create("Theirs", "organization")
    person = await world.services.people.create(
        login=login, display_name=login.title(), organization_id=theirs.id, role=Role.OWNER
    )
    await world.services.passwords.set(person.id, Secret(PASSWORD))
    browser = world.browser()
    await browser.sign_in(login)
    return browser, person


async def test_a_publisher_goes_from_step_to_step_and_a_mistake_stands_beside_its_field(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    empty = await browser.open("/directory/submissions")
    bad = await browser.submit("/directory/submissions", {"name": "Wolfbook", "slug": "Wolf Book!"})
    await browser.open("/directory/submissions")
    first = await browser.submit("/directory/submissions", {"name": "Wolfbook", "slug": "wolfbook"})
    path = first.url.path.rpartition("/")[0]
    second = await browser.submit(
        f"{path}/connection",
        {"revision": "1", "url": "https://mcp.wolfbook.example/mcp", "hosts": "a.example\nb.example"},
    )
    long = await browser.submit(f"{path}/listing", {"revision": "2", "name": "W" * 101, "about": "<b>Wolves</b>"})
    await browser.open(f"{path}/listing")
    categories = [("revision", "2"), ("name", "Wolfbook"), ("categories", "documents"), ("categories", "search")]
    third = await browser.submit(f"{path}/listing", categories)
    pairs = await browser.submit(f"{path}/use-cases", {"revision": "3", "justified": "no colon here"})
    stale = await browser.submit(f"{path}/company", {"revision": "1", "publisher": "Wolfbook Ltd"})
    (one,) = await world.services.submissions.drafts.list(ada)
    shown = await browser.open(path)

    assert "None yet" in empty.text
    assert "small letters, digits and hyphens" in bad.text
    assert (first.url.path, second.url.path) == (f"{path}/connection", f"{path}/listing")
    assert "name may have at most 100 characters, and has 101." in long.text
    assert "&lt;b&gt;Wolves&lt;/b&gt;" in long.text  # what was typed is still there
    assert third.url.path == f"{path}/use-cases"
    assert "tool.parameter: why" in pairs.text
    assert "Somebody else changed it meanwhile" in stale.text
    assert (one.fields.hosts, one.fields.categories) == (("a.example", "b.example"), ("documents", "search"))
    assert "Not filled in: Publisher, Support, Security contact." in shown.text
    assert "security_contact" not in shown.text
    assert "Some steps are still to do." in shown.text


async def test_each_text_is_agreed_to_by_itself_in_the_words_that_were_shown(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    drafts = world.services.submissions.drafts
    one = await drafts.begin(ada, "wolfbook", FIELDS, by="person:ada")
    path = f"/directory/submissions/{one.id}/acknowledgments"
    page = await browser.open(path)
    nothing = await browser.submit(path, {})
    other = await browser.submit(path, {"agree:guidelines": "0" * 64})
    await browser.open(path)
    await browser.submit(path, {f"agree:{text}": drafts.terms.hash_of(text) for text in ("guidelines", "AI media")})

    assert all(words in page.text for words in list(drafts.terms.texts.values())[:2])
    assert "Tick each text" in nothing.text
    assert "not in force in these words" in other.text
    assert {found.text for found in (await drafts.get(ada, one.id)).agreed} == {"guidelines", "AI media"}


async def test_the_desk_asks_the_publisher_answers_and_another_organizations_reviewer_decides(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    reviewer, rea = await another(world)
    one = await handed_in(world, ada)
    theirs, ours = f"/directory/desk/{one.id}", f"/directory/submissions/{one.id}"
    unnamed = [(await reviewer.get(path)).status_code for path in ("/directory/desk", theirs)]
    await world.services.submissions.desk.appoint(rea)
    world.clock.advance(timedelta(minutes=20).total_seconds())
    queue = await reviewer.open("/directory/desk")
    seen = await reviewer.open(theirs)
    await reviewer.submit(f"{theirs}/question", {"words": "Why <i>two</i> scopes?"})
    asked = await browser.open(ours)
    await browser.submit(f"{ours}/answer", {"words": "One is for reading."})
    await reviewer.open(theirs)
    version = (await world.services.submissions.desk.get(rea, one.id)).version
    without = await reviewer.submit(f"{theirs}/decision", {"act": "request changes", "seen": version})
    await reviewer.open(theirs)
    decided = await reviewer.submit(
        f"{theirs}/decision", {"act": "request changes", "seen": version, "reason": "Say which."}
    )
    told = await browser.open(ours)

    assert unnamed == [404, 404]
    assert "Place 1" in queue.text
    assert "Ada" in seen.text  # who submitted it, and that somebody else decides
    assert "L-504" in seen.text
    assert "Why &lt;i&gt;two&lt;/i&gt; scopes?" in asked.text
    assert "Place 1, since today" in " ".join(asked.text.split())
    assert "A decision has a reason" in without.text
    assert "One is for reading." in decided.text
    assert "Say which." in told.text
    assert "Changes requested" in told.text


async def test_nobody_sees_a_form_to_decide_on_what_is_their_own_organizations(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    one = await handed_in(world, ada)
    await world.services.submissions.desk.appoint(ada)
    path = f"/directory/desk/{one.id}"
    page = await browser.open(path)
    version = (await world.services.submissions.desk.get(ada, one.id)).version
    forced = await browser.submit(f"{path}/decision", {"act": "reject", "seen": version, "reason": "Mine."})

    assert "Another organization's reviewer decides" in page.text
    assert f"{path}/decision" not in page.text
    assert "Nobody decides on what they" in forced.text


async def test_what_waits_beyond_the_target_is_late_for_both_sides(world: World) -> None:
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    one = await handed_in(world, ada)
    reviewer, rea = await another(world)
    await world.services.submissions.desk.appoint(rea)
    world.clock.advance(timedelta(days=8).total_seconds())
    await reviewer.sign_in("rea")
    await browser.sign_in("ada")

    assert "late" in (await reviewer.open("/directory/desk")).text
    assert "for 8 days" in " ".join((await browser.open(f"/directory/submissions/{one.id}")).text.split())


async def test_a_reviewer_who_was_away_confirms_who_they_are(world: World) -> None:
    reviewer, rea = await another(world)
    await world.services.submissions.desk.appoint(rea)
    await reviewer.open("/directory/desk")
    world.clock.advance(timedelta(minutes=45).total_seconds())

    assert (await reviewer.get("/directory/desk")).headers["location"].startswith("/signin/again")


async def test_a_test_accounts_token_is_on_no_page(world: World) -> None:
    """DIR-08: sealed, and shown to nobody."""
    browser, ada = await world.signed_in("ada", role=Role.OWNER)
    one = await world.services.submissions.drafts.begin(ada, "wolfbook", FIELDS, by="person:ada")
    path = f"/directory/submissions/{one.id}"
    await browser.open(f"{path}/account")
    after = await browser.submit(f"{path}/account", {"token": "canary-token-4711"})
    pages = [after, *[await browser.get(f"{path}{more}") for more in ("", "/account", "/authentication")]]

    assert "Sealed" in after.text
    assert not [page for page in pages if "canary-token-4711" in page.text]


async def test_a_listing_that_is_taken_down_is_frozen_and_says_why(world: World) -> None:
    """DIR-15, from the desk's page."""
    _, ada = await world.signed_in("ada", role=Role.OWNER)
    one = await handed_in(world, ada)
    reviewer, rea = await another(world)
    await world.services.submissions.desk.appoint(rea)
    submissions = world.services.submissions
    async with world.database.write() as tx:
        await repository.write(tx, replace(one, state=State.APPROVED))
    await submissions.drafts.publish(ada, one.id, by="person:ada")
    connector = await world.services.connectors.add_listed(ada, "wolfbook")
    path = f"/directory/desk/{one.id}"
    await reviewer.open(path)
    health = await reviewer.open(path)
    await reviewer.submit(f"{path}/takedown", {"why": "It was sold."})
    down = await world.services.connectors.by_id(connector.id)
    why = await world.services.quarantine.why_down(down)
    version = (await submissions.desk.get(rea, one.id)).version
    await reviewer.open(path)
    await reviewer.submit(f"{path}/decision", {"act": "relist", "seen": version, "reason": "It was not."})

    assert "Few data" in health.text
    assert (down.state, why) == ("delisted", "It was sold.")
    assert (await world.services.connectors.by_id(connector.id)).state == "enabled"
    assert world.services.connectors.listings.find("wolfbook") is not None
