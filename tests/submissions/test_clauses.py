"""Requirements of the desk that no other file here plays.

DIR-01, DIR-02, DIR-04, DIR-05, DIR-06, DIR-07, DIR-17, DIR-18, DIR-19, S-23, S-25, S-29, S-30.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.submissions.conftest import World
from tests.submissions.test_desk import OPERATOR, published
from valetkey.directory.model import ReviewState
from valetkey.kernel.errors import BadInput, Conflict
from valetkey.review.clauses import CLAUSES, VERSION
from valetkey.review.rules import RULES
from valetkey.submissions.model import Act
from valetkey.submissions.reviews import report_of

POLICY = Path(__file__).parents[2] / "docs/policy.md"


async def test_dir_01_dir_02_s_30_what_is_published_is_one_listing_for_every_organization(world: World) -> None:
    """One catalogue: the label is computed from the desk's word, and no organization has a directory of its own."""
    await published(world)
    hers = await world.connectors.add_listed(world.ada, "marginalia")
    theirs = await world.connectors.add_listed(world.rea, "marginalia")

    assert (hers.slug, hers.name, hers.review_state) == (theirs.slug, theirs.name, theirs.review_state)
    assert hers.review_state is ReviewState.COMMUNITY


async def test_dir_06_hosts_that_were_not_declared_are_asked_about(world: World) -> None:
    """What it says of its data is held against what was seen: another's host in the listing's own links."""
    one, _ = await world.ready(support="https://elsewhere.example/support")
    run = (await world.room.drafts.get(world.ada, one.id)).run
    assert run is not None
    report = report_of(run)
    assert report is not None
    (hosts,) = [outcome for outcome in report.outcomes if outcome.rule == "L-306"]

    assert any("elsewhere.example" in finding.says for finding in hosts.findings)


async def test_dir_18_a_listing_outlives_who_submitted_it(world: World) -> None:
    one_id = await published(world)
    async with world.vault._main.write() as tx:
        await tx.execute(text("update submission set created_by = 'per_gone', submitted_by = 'person:per_gone'"))
    one = (await world.room.drafts.get(world.ada, one_id)).submission
    edited = await world.room.drafts.edit(
        world.ada, one_id, {"about": "Notes."}, revision=one.revision, by="person:ada"
    )

    assert edited.is_listed


async def test_dir_19_a_reviewer_raises_a_vertical_and_never_lowers_one(world: World) -> None:
    """S-27: it is declared by the listing and corrected by reviewers; what is approved is what they said."""
    one = await world.submitted()
    desk = world.room.desk
    seen = (await desk.get(None, one.id)).version
    with pytest.raises(BadInput, match="known vertical"):
        await desk.decide(
            None, one.id, Act.APPROVE, reason="Fine.", seen=seen, verified=False, by=OPERATOR, vertical="wolves"
        )
    await desk.decide(
        None, one.id, Act.APPROVE, reason="It pays.", seen=seen, verified=False, by=OPERATOR, vertical="finance"
    )
    await world.room.drafts.publish(world.ada, one.id, by="person:ada")
    listing = world.connectors.listings.get("marginalia")
    now = (await world.room.drafts.get(world.ada, one.id)).submission
    with pytest.raises(Conflict, match="reviewer"):
        await world.room.drafts.edit(world.ada, one.id, {"vertical": ""}, revision=now.revision, by="person:ada")

    assert listing.vertical == "finance"


def test_s_25_each_rule_and_what_is_agreed_to_stand_on_a_clause_of_the_one_policy() -> None:
    on_the_page = set(re.findall(r"\b\d\.[A-Z]\b", POLICY.read_text()))

    assert {rule.clause for rule in RULES} <= CLAUSES.keys()
    assert CLAUSES.keys() <= on_the_page


@pytest.mark.parametrize("page", ["", "http://mcp.marginalia.example/privacy"])
async def test_s_23_nothing_is_submitted_without_a_privacy_policy_that_opens(world: World, page: str) -> None:
    one = await world.room.drafts.begin(world.ada, "marginalia", world.fields(privacy_policy=page), by="person:ada")
    missing = {step.name for step in (await world.room.drafts.get(world.ada, one.id)).steps if step.missing}

    assert missing & {"listing", "data handling"}


async def test_dir_07_dir_04_s_29_one_text_that_is_not_agreed_to_is_a_step_that_is_not_done(world: World) -> None:
    """Each is stored by itself, with who, when, and the version and hash of the words."""
    one, seen = await world.ready()
    async with world.vault._main.write() as tx:
        await tx.execute(text("delete from submission_agreed where text = 'AI media'"))
    agreed = (await world.room.drafts.get(world.ada, one.id)).agreed
    with pytest.raises(BadInput, match=r"acknowledgments.*AI media") as refused:
        await world.room.drafts.submit(world.ada, one.id, seen=seen, by="person:ada")

    assert refused.value.field == "acknowledgments"
    assert len({found.text_hash for found in agreed}) == 6
    assert {(found.person_id, found.version, found.at is not None) for found in agreed} == {
        (world.ada.id, VERSION, True)
    }


async def test_dir_17_a_tool_that_both_reads_and_writes_is_seen_before_anybody_decides(world: World) -> None:
    """The linter holds what it can see of the bar; that the tools were tried, a reviewer says with *verified*."""
    tool = world.server.tools[0][0]
    choice = {
        "type": "string",
        "enum": ["list", "delete"],
        "description": "What is done with the notes of the notebook.",
    }
    world.server.tools[0][0] = {
        **tool,
        "name": "manage_notes", "description": "Lists or deletes the notes of a notebook, as its action says.",
        "inputSchema": {"type": "object", "properties": {"action": choice}, "required": ["action"]},
    }  # fmt: skip
    one, _ = await world.ready()
    run = (await world.room.drafts.get(world.ada, one.id)).run
    assert run is not None
    report = report_of(run)
    assert report is not None
    found = {outcome.rule for outcome in report.outcomes if outcome.findings}

    assert "L-509" in found


@pytest.mark.parametrize(
    ("text_of_two", "counts"), [("\U0001f469\u200d\U0001f469\u200d\U0001f467", 5), ("e\u0301", 2)]
)  # fmt: skip
async def test_dir_05_what_looks_like_one_character_and_counts_as_several_is_told_with_its_number(
    world: World, text_of_two: str, counts: int
) -> None:
    """A limit is never less than what people see, and the message has the number that was counted."""
    many = 200 // counts + 1
    with pytest.raises(BadInput, match=f"at most 200 characters, and has {many * counts}") as refused:
        await world.room.drafts.begin(world.ada, "marginalia", {"about": text_of_two * many}, by="person:ada")

    assert "several" in refused.value.hint
