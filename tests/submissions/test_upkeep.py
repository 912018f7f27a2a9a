"""What the hub does about listings by itself (S-23, S-29, DIR-03, DIR-08, DIR-10, DIR-11, DIR-12)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.net.servers import response
from tests.review.servers import TOKEN
from tests.submissions.conftest import PLAIN, World
from tests.submissions.test_desk import OPERATOR, published
from valetkey.audit.model import CallEnding, CallIntent, Everyone, Outcome
from valetkey.audit.repository import insert_calls
from valetkey.kernel.errors import Conflict, NotFound
from valetkey.kernel.secret import Secret
from valetkey.submissions.ground import Whole
from valetkey.submissions.model import Act, State
from valetkey.submissions.reviews import report_of


async def look(world: World, one_id: str) -> Whole:
    """One look at everything that is published, and how the submission is then."""
    await world.room.upkeep.begin()
    await world.room.upkeep.settled()
    return await world.room.drafts.get(world.ada, one_id)


def listed(world: World) -> bool:
    return world.connectors.listings.find("marginalia") is not None


async def test_dir_10_what_a_look_finds_to_block_holds_the_listing_until_a_look_passes(world: World) -> None:
    one_id = await published(world)
    first = await look(world, one_id)
    world.server.wants_sign_in = False  # open to everyone from here on: its tools are seen
    seen = await look(world, one_id)
    name = world.server.tools[0][0]["name"]
    world.server.tools[0][0] = dict(world.server.tools[0][0], name="list notes!")
    bad = await look(world, one_id)
    offered = listed(world)
    world.server.tools[0][0] = dict(world.server.tools[0][0], name=name, description="Lists the notes of a notebook.")
    mended = await look(world, one_id)
    events = [event.event for event in await world.trail.list(Everyone(), limit=50)]

    assert "wants a sign-in" in first.look.says
    assert set(seen.look.tools) == {name}
    assert "L-504" in bad.look.held
    assert not offered
    assert listed(world)
    assert (mended.look.why_held, f"changed: {name}" in mended.look.says) == ("", True)
    told = [entry.words for entry in mended.history if entry.act == "told"]
    assert told[0] == "It is held no longer."
    assert told[1].startswith("It is held: L-504")
    assert (events.count("listing.held"), events.count("listing.hold_lifted")) == (1, 1)


async def test_s_22_no_look_carries_anybodys_credential_not_even_the_test_accounts(world: World) -> None:
    one_id = await published(world)
    await world.room.drafts.set_account(world.ada, one_id, Secret(TOKEN), by="person:ada")
    before = len(world.upstream.requests)

    progress = await world.room.upkeep.run()  # all of a day

    assert (progress.done, progress.error) == (1, "")
    asked = world.upstream.requests[before:]
    assert asked
    assert not [request for request in asked if request.header(b"authorization")]


async def test_a_listing_that_cannot_be_reached_is_told_so_and_is_not_held_for_it(world: World) -> None:
    one_id = await published(world)
    await world.upstream.stop()
    seen = await look(world, one_id)

    assert "could not be reached" in seen.look.says
    assert listed(world)
    progress = world.room.upkeep.progress
    assert progress is not None
    assert (progress.done, progress.total, progress.unreached, progress.error) == (1, 1, 1, "")


async def test_one_run_at_a_time_of_what_there_is(world: World) -> None:
    await published(world)
    with pytest.raises(NotFound):
        await world.room.upkeep.begin("nothing")
    await world.room.upkeep.begin("marginalia")
    with pytest.raises(Conflict, match="already"):
        await world.room.upkeep.begin()
    await asyncio.sleep(0)
    await world.room.upkeep.stop()
    progress = world.room.upkeep.progress

    assert progress is not None
    assert progress.error == "It was broken off."


async def test_dir_03_control_is_looked_for_again_after_a_year_and_its_loss_holds_the_listing(world: World) -> None:
    one_id = await published(world)
    world.clock.advance(timedelta(days=364).total_seconds())
    world.server.pages["/.well-known/valetkey-challenge"] = response(b"somebody else's", headers=PLAIN)
    await world.room.upkeep.prove_again()
    within = listed(world)
    world.clock.advance(timedelta(days=2).total_seconds())
    await world.room.upkeep.prove_again()
    lost = await world.room.drafts.get(world.ada, one_id)
    beyond = listed(world)
    world.show_proof(lost.submission)
    await world.room.upkeep.prove_again()
    found = await world.room.drafts.get(world.ada, one_id)

    assert (within, beyond, listed(world)) == (True, False, True)
    assert "says something else" in lost.look.unproved
    assert lost.history[0].words.startswith("It is held: The file")
    assert found.submission.proved_at == world.clock.now()


async def test_s_29_who_did_not_agree_by_the_date_is_taken_out_and_is_back_when_they_do(world: World) -> None:
    one_id = await published(world)
    drafts = world.room.drafts
    drafts.terms_are(replace(drafts.terms, version="99", since=world.clock.now().date()))
    await world.room.upkeep.end_overdue()
    within = listed(world)
    world.clock.advance(timedelta(days=31).total_seconds())
    await world.room.upkeep.end_overdue()
    out = (await drafts.get(world.ada, one_id)).submission
    beyond = listed(world)
    await world.agree(out)

    assert (within, beyond, listed(world)) == (True, False, True)
    assert (out.state, out.decided_by) == (State.DELISTED, "system")
    assert "Version 99 of the terms" in out.reason


async def test_what_the_desk_took_out_is_not_back_by_agreeing(world: World) -> None:
    one_id = await published(world)
    seen = (await world.room.desk.get(None, one_id)).version
    await world.room.desk.decide(None, one_id, Act.DELIST, reason="Complaints.", seen=seen, verified=False, by=OPERATOR)
    await world.agree((await world.room.drafts.get(world.ada, one_id)).submission)

    assert not listed(world)


async def test_dir_11_who_waits_longer_than_the_target_is_told_every_week(world: World) -> None:
    one = await world.submitted()
    told = []
    for days in (6, 2, 6, 2):
        world.clock.advance(timedelta(days=days).total_seconds())
        await world.room.upkeep.tell_idle()
        history = (await world.room.drafts.get(world.ada, one.id)).history
        told.append(sum(entry.act == "told" for entry in history))

    assert told == [0, 1, 1, 2]
    assert "It has waited for 8 days and is number 1 in the queue." in history[1].words


async def test_dir_08_an_account_whose_submission_is_gone_is_destroyed(world: World) -> None:
    """As when an organization's rows go: nothing of the submission is left to say so."""
    await world.ready()
    async with world.vault._main.write() as tx:
        await tx.execute(text("delete from submission"))
    await world.room.upkeep.end_accounts()
    async with world.vault._main.read() as tx:
        left = (await tx.execute(text("select count(*) from secret"))).scalar()

    assert left == 0


async def test_dir_12_the_upkeep_of_a_listing_is_judged_by_its_calls(world: World) -> None:
    """L-307 is run as soon as there is something to count, and a degraded listing is held for a reviewer."""
    one_id = await published(world)
    now, calls = world.clock.now(), []
    for number in range(60):
        intent = CallIntent(
            id=f"call_{number:026}", started_at=now, organization_id="o", person_id=f"p{number % 10}", client="c",
            connector="marginalia", connection_id="x", label="", method="tools/call", tool="list_notes", day="d",
        )  # fmt: skip
        outcome = Outcome.OK if number % 6 else Outcome.TIMEOUT
        calls.append((intent, CallEnding(id=intent.id, outcome=outcome, origin="https://x", duration_us=2000)))
    async with world.vault._main.write() as tx:
        await insert_calls(tx, calls)
    health = await world.room.healths.of("marginalia", is_live=True)
    await world.review((await world.room.drafts.get(world.ada, one_id)).submission)
    run = (await world.room.drafts.get(world.ada, one_id)).run
    assert run is not None
    report = report_of(run)

    assert report is not None
    (upkeep,) = [outcome for outcome in report.outcomes if outcome.rule == "L-307"]
    assert (health.condition.value, upkeep.not_run, len(upkeep.findings)) == ("degraded", "", 1)
    assert health.p50 == 2


async def test_s_23_a_privacy_policy_that_is_gone_parked_or_behind_a_login_holds_the_listing_and_an_empty_is_flagged(
    world: World,
) -> None:
    """Looked at every day, which is oftener than every week. An empty page may be one that wants scripts."""
    one_id = await published(world)
    good, held = world.server.pages["/privacy"], []
    for words, status in (
        ("Not found", "404 Not Found"), ("This domain is for sale.", "200 OK"), ("Sign in to continue.", "200 OK"),
        ("", "200 OK"),
    ):  # fmt: skip
        world.server.pages["/privacy"] = response(words.encode(), headers=PLAIN, status=status)
        seen = (await look(world, one_id)).look
        held.append((seen.held[:5], seen.says[:5], listed(world)))
    told = (await world.room.drafts.get(world.ada, one_id)).history[0].words
    world.server.pages["/privacy"] = good
    await look(world, one_id)

    assert held == [("L-301", "L-301", False)] * 3 + [("", "L-301", True)]
    assert told == "It is held no longer."
    assert listed(world)
