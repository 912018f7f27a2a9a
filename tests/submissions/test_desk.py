"""From the first field to the directory, and everything that is refused on the way.

DIR-03, DIR-04, DIR-05, DIR-08, DIR-09, DIR-10, DIR-11, DIR-15, S-28, S-29, S-30.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.net.servers import response
from tests.review.servers import TOKEN
from tests.submissions.conftest import PLAIN, World
from valetkey.audit.model import Everyone
from valetkey.directory.model import ReviewState
from valetkey.kernel.errors import BadInput, Conflict, Forbidden, NotFound, Refused, VaultFailed
from valetkey.kernel.secret import Secret
from valetkey.net.url import parse_url
from valetkey.review.clauses import VERSION
from valetkey.submissions import repository
from valetkey.submissions.drafts import account_of
from valetkey.submissions.model import Act, State
from valetkey.submissions.reviews import report_of
from valetkey.vault.model import BEARER, Use

OPERATOR = "operator"


async def test_a_listing_goes_from_draft_to_directory_and_says_verified_because_the_desk_did(world: World) -> None:
    """DIR-09, DIR-18, S-27: every state on the way, and what the desk saw goes with it."""
    one = await world.submitted()
    desk, drafts = world.room.desk, world.room.drafts
    waiting = await desk.queue(None)
    whole = await desk.get(None, one.id)
    approved = await desk.decide(
        None, one.id, Act.APPROVE, reason="It is fine.", seen=whole.version, verified=True, by=OPERATOR
    )
    listed_before = world.connectors.listings.find("marginalia")
    published = await drafts.publish(world.ada, one.id, by="person:ada")
    hers = await world.connectors.add_listed(world.rea, "marginalia")

    assert [found.id for found in waiting] == [one.id]
    assert whole.run is not None
    report = report_of(whole.run)
    assert report is not None
    assert report.tools == 1
    assert not report.blocks
    not_run = {outcome.rule for outcome in report.outcomes if outcome.not_run}
    assert not not_run & {"L-205", "L-304", "L-306", "L-308", "L-505"}  # they need the hub, the account, the proof
    assert approved.state is State.APPROVED
    assert listed_before is None
    assert published.is_listed
    assert hers.review_state is ReviewState.VERIFIED
    assert published.live is not None
    [tool] = published.live.tools  # as the desk saw it: its definition and its class (S-27)
    assert (tool.name, tool.is_a, len(tool.fingerprint)) == (report.reviewed[0].name, report.reviewed[0].is_a, 64)
    assert not approved.has_test_account  # purged with the decision (DIR-08)
    told = [event.event for event in await world.trail.list(Everyone(), limit=50)]
    assert told.count("submission.moved") == 3


async def test_a_test_account_opens_for_a_review_under_way_and_for_nobody_else(world: World) -> None:
    one, _seen = await world.ready()
    bound_to = account_of(one, parse_url(world.url))
    run = await world.room.reviews.of_submission(one, person_id="")
    other = replace(bound_to, subject="sub_other")

    for call_id, binding in (("call_1", bound_to), (run.id, other)):
        with pytest.raises((Refused, VaultFailed)):
            await world.vault.ticket([(BEARER, binding)], origin=binding.origin, call_id=call_id)
    await world.room.reviews.settled(run.id)
    with pytest.raises(Refused):
        await world.vault.ticket([(BEARER, bound_to)], origin=bound_to.origin, call_id=run.id)
    for use in Use:
        with pytest.raises(BadInput):
            await world.vault.reveal_for_exchange(bound_to=bound_to, use=use)


async def test_the_token_of_a_test_account_is_nowhere_but_in_the_vault(world: World) -> None:
    one, _seen = await world.ready()
    whole = await world.room.drafts.get(world.ada, one.id)

    assert f"Bearer {TOKEN}".encode() in {request.header(b"authorization") for request in world.upstream.requests}
    assert TOKEN not in repr(whole)
    assert whole.run is not None
    assert TOKEN.encode() not in whole.run.report


@pytest.mark.parametrize(
    ("less", "step"),
    [
        ({"url": ""}, "connection"), ({"description": ""}, "listing"), ({"example_prompts": ["One."]}, "use cases"),
        ({"security_contact": ""}, "company"), ({"test_instructions": ""}, "authentication"),
        ({"data": {"api": "own"}}, "data handling"), ({"categories": ["nonsense"]}, "listing"),
        ({"about": "Other."}, "tools"), ({"icon": ""}, "listing"), ({"links": ["javascript:"]}, "listing"),
    ],
)  # fmt: skip
async def test_no_step_can_be_left_out(world: World, less: dict[str, object], step: str) -> None:
    begun = await world.room.drafts.begin(world.ada, "marginalia", world.fields(), by="person:ada")
    begun = await world.with_icon(begun)
    await world.agree(begun)
    changed = await world.room.drafts.edit(world.ada, begun.id, less, revision=begun.revision, by="person:ada")
    whole = await world.room.drafts.get(world.ada, begun.id)

    assert step in {found.name for found in whole.steps if found.missing}
    with pytest.raises(BadInput, match="is not done"):
        await world.room.drafts.submit(world.ada, changed.id, seen=whole.version, by="person:ada")


async def test_what_is_not_agreed_to_in_the_words_in_force_is_not_submitted(world: World) -> None:
    one = await world.room.drafts.begin(world.ada, "marginalia", world.fields(), by="person:ada")

    with pytest.raises(BadInput, match="not in force"):
        await world.room.drafts.agree(world.ada, one.id, {"guidelines": "0" * 64}, by="person:ada")
    with pytest.raises(BadInput, match="no such text"):
        await world.room.drafts.agree(world.ada, one.id, {"our own terms": "0" * 64}, by="person:ada")
    await world.agree(one)
    agreed = (await world.room.drafts.get(world.ada, one.id)).agreed

    assert len(agreed) == 7
    assert {(found.person_id, found.organization_id, found.version) for found in agreed} == {
        (world.ada.id, world.ada.organization_id, VERSION)
    }


async def test_a_domain_that_is_not_controlled_is_not_submitted(world: World) -> None:
    one, seen = await world.ready()
    world.server.pages["/.well-known/valetkey-challenge"] = response(b"something else", headers=PLAIN)

    with pytest.raises(Conflict, match="says something else"):
        await world.room.drafts.prove(world.ada, one.id, by="person:ada")
    with pytest.raises(Conflict, match="says something else"):  # it was proved, and is not any more
        await world.room.drafts.submit(world.ada, one.id, seen=seen, by="person:ada")


async def test_nobody_decides_on_what_they_or_their_organization_submitted(world: World) -> None:
    one = await world.submitted()
    desk = world.room.desk
    seen = (await desk.get(None, one.id)).version

    with pytest.raises(Forbidden):  # no reviewer
        await desk.queue(world.rea)
    for person in (world.ada, world.rea):
        await desk.appoint(person)
    with pytest.raises(Forbidden, match="Nobody decides"):
        await desk.decide(
            world.ada, one.id, Act.APPROVE, reason="Fine.", seen=seen, verified=False, by=f"person:{world.ada.id}"
        )
    with pytest.raises(BadInput, match="reason"):
        await desk.decide(world.rea, one.id, Act.REJECT, reason=" ", seen=seen, verified=False, by="person:rea")
    with pytest.raises(BadInput, match="publisher"):
        await desk.decide(world.rea, one.id, Act.PUBLISH, reason="Fine.", seen=seen, verified=False, by="person:rea")
    with pytest.raises(Conflict, match="changed since"):
        await desk.decide(world.rea, one.id, Act.APPROVE, reason="Fine.", seen="0", verified=False, by="person:rea")
    done = await desk.decide(world.rea, one.id, Act.REJECT, reason="No.", seen=seen, verified=False, by="person:rea")
    await desk.dismiss(world.rea)
    with pytest.raises(Forbidden):
        await desk.queue(world.rea)

    assert (done.state, done.reason, done.decided_by) == (State.NOT_APPROVED, "No.", "person:rea")


async def test_what_the_review_blocks_is_not_approved(world: World) -> None:
    world.server.tools[0][0] = dict(world.server.tools[0][0], name="list notes!")
    one = await world.submitted()
    seen = (await world.room.desk.get(None, one.id)).version

    with pytest.raises(Conflict, match="blocks"):
        await world.room.desk.decide(None, one.id, Act.APPROVE, reason="Fine.", seen=seen, verified=False, by=OPERATOR)


async def published(world: World) -> str:
    one = await world.submitted()
    seen = (await world.room.desk.get(None, one.id)).version
    await world.room.desk.decide(None, one.id, Act.APPROVE, reason="Fine.", seen=seen, verified=False, by=OPERATOR)
    await world.room.drafts.publish(world.ada, one.id, by="person:ada")
    return one.id


async def test_edits_of_what_is_listed_leave_it_until_they_are_approved_and_its_origin_stays(world: World) -> None:
    one_id = await published(world)
    one = (await world.room.drafts.get(world.ada, one_id)).submission
    edited = await world.room.drafts.edit(
        world.ada, one_id, {"name": "Wolfbook"}, revision=one.revision, by="person:ada"
    )
    shown = world.connectors.listings.get("marginalia")

    assert (edited.state, edited.is_listed, shown.name) == (State.DRAFT, True, "Marginalia")
    assert shown.review_state is ReviewState.COMMUNITY
    with pytest.raises(Conflict, match="meanwhile"):  # two who edit at once
        await world.room.drafts.edit(world.ada, one_id, {"name": "X"}, revision=one.revision, by="person:ada")
    with pytest.raises(Conflict, match="stays"):
        await world.room.drafts.edit(
            world.ada, one_id, {"url": "https://other.example/mcp"}, revision=edited.revision, by="person:ada"
        )


async def test_what_is_delisted_or_removed_is_in_no_directory_and_its_slug_stays_taken(world: World) -> None:
    one_id = await published(world)
    whole = await world.room.desk.get(None, one_id)
    await world.room.desk.decide(
        None, one_id, Act.DELIST, reason="Complaints.", seen=whole.version, verified=False, by=OPERATOR
    )
    delisted = world.connectors.listings.find("marginalia")
    seen = (await world.room.desk.get(None, one_id)).version
    await world.room.desk.decide(None, one_id, Act.RELIST, reason="Mended.", seen=seen, verified=False, by=OPERATOR)
    relisted = world.connectors.listings.find("marginalia")
    await world.room.drafts.remove(world.ada, one_id, by="person:ada")

    assert delisted is None
    assert relisted is not None
    assert world.connectors.listings.find("marginalia") is None
    with pytest.raises(Conflict, match="slug"):
        await world.room.drafts.begin(world.ada, "marginalia", {}, by="person:ada")


async def test_who_is_listed_under_outdated_terms_changes_nothing_after_the_date(world: World) -> None:
    one_id = await published(world)
    drafts = world.room.drafts
    newer = replace(drafts.terms, version="99", since=world.clock.now().date())
    drafts.terms_are(newer)
    whole = await drafts.get(world.ada, one_id)
    within = await drafts.edit(
        world.ada, one_id, {"about": "Notes."}, revision=whole.submission.revision, by="person:ada"
    )
    world.clock.advance(timedelta(days=31).total_seconds())

    assert whole.agree_by == newer.agree_by
    with pytest.raises(Conflict, match="agreed to by"):
        await drafts.edit(world.ada, one_id, {"about": "More notes."}, revision=within.revision, by="person:ada")
    await world.agree(within)
    await drafts.edit(world.ada, one_id, {"about": "More notes."}, revision=within.revision, by="person:ada")


async def test_another_organizations_submission_is_not_found_and_a_draft_is_not_the_desks(world: World) -> None:
    one = await world.room.drafts.begin(world.ada, "marginalia", world.fields(), by="person:ada")

    with pytest.raises(NotFound):
        await world.room.drafts.get(world.rea, one.id)
    with pytest.raises(NotFound):
        await world.room.desk.get(None, one.id)


@pytest.mark.parametrize(
    ("field", "most", "text"), [("name", 100, "ñ"), ("about", 200, "狼"), ("description", 2000, "🐺")]
)
async def test_a_limit_holds_to_the_character_and_its_field_is_named(
    world: World, field: str, most: int, text: str
) -> None:
    drafts = world.room.drafts
    one = await drafts.begin(world.ada, "marginalia", {field: text * most}, by="person:ada")

    with pytest.raises(BadInput, match=f"at most {most}") as refused:
        await drafts.edit(world.ada, one.id, {field: text * (most + 1)}, revision=1, by="person:ada")
    assert refused.value.field == field
    with pytest.raises(BadInput, match="no field nonsense"):
        await drafts.edit(world.ada, one.id, {"nonsense": 1}, revision=1, by="person:ada")


async def test_the_address_of_a_shipped_listing_is_not_somebody_elses(world: World) -> None:
    await published(world)

    with pytest.raises(Conflict, match="lists this address as marginalia"):
        await world.room.drafts.begin(world.ada, "another", world.fields(), by="person:ada")


async def test_an_account_is_destroyed_when_the_connector_is_elsewhere(world: World) -> None:
    one, _seen = await world.ready()
    now = (await world.room.drafts.get(world.ada, one.id)).submission
    moved = await world.room.drafts.edit(
        world.ada, one.id, {"url": "https://other.example/mcp"}, revision=now.revision, by="person:ada"
    )
    async with world.vault._main.read() as tx:
        left = (await tx.execute(text("select count(*) from secret"))).scalar()

    assert (moved.has_test_account, moved.proved_at, left) == (False, None, 0)


async def test_one_review_at_a_time_and_a_hub_that_stops_ends_it(world: World) -> None:
    one, _seen = await world.ready()
    run = await world.room.reviews.of_submission(one, person_id="")

    with pytest.raises(Conflict, match="already"):
        await world.room.reviews.of_submission(one, person_id="")
    await asyncio.sleep(0)
    await world.room.reviews.stop()
    ended = await world.room.reviews.status(run.id)

    assert ended is not None
    assert ended.finished_at is not None
    assert "stopped" in ended.error


async def test_an_account_cannot_hold_a_second_header(world: World) -> None:
    one = await world.room.drafts.begin(world.ada, "marginalia", world.fields(), by="person:ada")

    with pytest.raises(BadInput, match="line break"):
        await world.room.drafts.set_account(world.ada, one.id, Secret("a\r\nx: y"), by="person:ada")


async def test_a_question_of_the_desk_waits_for_its_answer_and_the_history_has_both(world: World) -> None:
    """DIR-11: no silence; where it is in the queue, and what was said, is seen by both sides."""
    one = await world.submitted()
    desk, drafts = world.room.desk, world.room.drafts
    await desk.ask(None, one.id, "Why two scopes?", by=OPERATOR)
    asked = await drafts.get(world.ada, one.id)
    await drafts.answer(world.ada, one.id, "One is for reading.", by="person:ada")
    answered = await desk.get(None, one.id)

    assert (asked.place, asked.asked, answered.asked) == (1, "Why two scopes?", "")
    assert [entry.act for entry in reversed(answered.history)] == ["submit", "ask", "answer"]
    for words in (" ", "x" * 1001):
        with pytest.raises(BadInput, match="1 to 1000"):
            await desk.ask(None, one.id, words, by=OPERATOR)
    draft = await drafts.begin(world.ada, "another", {}, by="person:ada")
    with pytest.raises(Conflict):
        await drafts.answer(world.ada, draft.id, "Hello?", by="person:ada")


async def test_a_takedown_freezes_everybody_and_is_lifted_only_where_the_desk_did_it(world: World) -> None:
    """DIR-15; `tests/connections/test_kill.py` holds that no call leaves any more."""
    one_id = await published(world)
    desk = world.room.desk
    await desk.appoint(world.ada)
    with pytest.raises(Forbidden):
        await desk.take_down(world.ada, one_id, reason="Mine.", by=f"person:{world.ada.id}")
    with pytest.raises(BadInput, match="reason"):
        await desk.take_down(None, one_id, reason=" ", by=OPERATOR)
    await desk.take_down(None, one_id, reason="It was sold.", by=OPERATOR)
    down = (dict(world.frozen.listings), world.connectors.listings.find("marginalia"))
    seen = (await desk.get(None, one_id)).version
    await desk.decide(None, one_id, Act.RELIST, reason="It was not.", seen=seen, verified=False, by=OPERATOR)

    assert down == ({"marginalia": "It was sold."}, None)
    assert world.frozen.listings == {}
    assert world.connectors.listings.find("marginalia") is not None
    other = await world.room.drafts.begin(world.ada, "another", {}, by="person:ada")
    async with world.vault._main.write() as tx:
        await repository.write(tx, replace(other, submitted_at=world.clock.now()))
    with pytest.raises(Conflict, match="ever"):
        await desk.take_down(None, other.id, reason="Bad.", by=OPERATOR)
