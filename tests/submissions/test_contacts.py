"""The security contact answers: asked by a code, and again every half year (DIR-16)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.submissions.conftest import World
from tests.submissions.test_desk import OPERATOR
from valetkey.directory.model import ReviewState
from valetkey.kernel.errors import BadInput, Conflict, TooMany
from valetkey.submissions.model import Act, State


class Letters:
    """A mail server that keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    async def __call__(self, to: str, subject: str, text: str, letter_id: str) -> None:
        self.sent.append((to, text))

    @property
    def code(self) -> str:
        found = re.search(r"^    ([0-9a-z]{24})$", self.sent[-1][1], re.MULTILINE)
        assert found is not None
        return found[1]


@pytest.fixture
def letters(world: World) -> Letters:
    """As if the operator had named a mail server."""
    letters = Letters()
    world.room.contacts._send = letters
    world.room.contacts._ground.sends_mail = True
    return letters


async def test_dir_16_a_code_goes_to_the_contact_and_only_who_has_it_goes_on(world: World, letters: Letters) -> None:
    contacts = world.room.contacts
    one = await world.room.drafts.begin(world.ada, "marginalia", world.fields(), by="person:ada")
    before = await missing(world, one.id)
    with pytest.raises(BadInput, match="not the code"):
        await contacts.confirm(world.ada, one.id, "", by="person:ada")
    await contacts.send_code(world.ada, one.id, by="person:ada")
    with pytest.raises(TooMany):
        await contacts.send_code(world.ada, one.id, by="person:ada")
    old = letters.code
    world.clock.advance(timedelta(minutes=11).total_seconds())
    await contacts.send_code(world.ada, one.id, by="person:ada")
    with pytest.raises(BadInput, match="sent last"):
        await contacts.confirm(world.ada, one.id, old, by="person:ada")
    confirmed = await contacts.confirm(world.ada, one.id, f" {letters.code.upper()} ", by="person:ada")
    after = await missing(world, one.id)
    with pytest.raises(BadInput, match="not the code"):  # once
        await contacts.confirm(world.ada, one.id, letters.code, by="person:ada")
    edited = await world.room.drafts.edit(
        world.ada, one.id, {"security_contact": "mailto:other@marginalia.example"}, revision=confirmed.revision,
        by="person:ada",
    )  # fmt: skip

    assert before == ("the security contact is not confirmed",)
    assert after == ()
    assert {to for to, _ in letters.sent} == {"security@marginalia.example"}
    assert letters.code not in repr(confirmed)
    assert edited.contact_at is None  # another contact is asked anew


@pytest.mark.parametrize(
    "contact", ["mailto:a@b.example?bcc=c@d.example", "mailto:a@b.example\r\nRCPT TO:<c>", "mailto:"]
)
async def test_a_letter_goes_to_one_plain_address_or_to_nobody(world: World, letters: Letters, contact: str) -> None:
    one = await world.room.drafts.begin(world.ada, "marginalia", {"security_contact": contact}, by="person:ada")

    with pytest.raises(BadInput, match="no mail address"):
        await world.room.contacts.send_code(world.ada, one.id, by="person:ada")
    assert letters.sent == []


async def test_dir_16_who_answers_no_more_is_not_verified_then_not_listed_and_back_when_they_do(world: World) -> None:
    """L-307: a stale contact lowers the label first. Without mail it is the publisher's word, said anew."""
    one = await world.submitted()
    seen = (await world.room.desk.get(None, one.id)).version
    await world.room.desk.decide(None, one.id, Act.APPROVE, reason="Fine.", seen=seen, verified=True, by=OPERATOR)
    await world.room.drafts.publish(world.ada, one.id, by="person:ada")
    found = []
    for days in (179, 2, 30, 30):
        world.clock.advance(timedelta(days=days).total_seconds())
        await world.room.upkeep.ask_contacts()
        listing = world.connectors.listings.find("marginalia")
        told = (await world.room.drafts.get(world.ada, one.id)).history[0]
        found.append((listing.review_state if listing else None, told.act))
    delisted = (await world.room.drafts.get(world.ada, one.id)).submission
    with pytest.raises(Conflict, match="No code"):
        await world.room.contacts.send_code(world.ada, one.id, by="person:ada")
    back = await world.room.contacts.confirm(world.ada, one.id, "", by="person:ada")

    assert found == [
        (ReviewState.VERIFIED, "publish"), (ReviewState.VERIFIED, "told"), (ReviewState.COMMUNITY, "told"),
        (None, "delist"),
    ]  # fmt: skip
    assert delisted.reason.startswith("Its security contact was not confirmed")
    assert back.state is State.PUBLISHED
    assert world.connectors.listings.get("marginalia").review_state is ReviewState.VERIFIED


async def test_nobody_is_taken_out_who_was_not_asked_for_a_month(world: World) -> None:
    """The hub was off, or is newer than the question: what it did not ask in time it asks late."""
    one = await world.submitted()
    seen = (await world.room.desk.get(None, one.id)).version
    await world.room.desk.decide(None, one.id, Act.APPROVE, reason="Fine.", seen=seen, verified=True, by=OPERATOR)
    await world.room.drafts.publish(world.ada, one.id, by="person:ada")
    listed = []

    for days in (300, 1, 29, 2):
        world.clock.advance(timedelta(days=days).total_seconds())
        await world.room.upkeep.ask_contacts()
        listed.append(world.connectors.listings.find("marginalia") is not None)

    history = (await world.room.drafts.get(world.ada, one.id)).history
    asked = [entry.words for entry in history if entry.act == "told"]
    by = (world.clock.now() - timedelta(days=2)).date()
    assert listed == [True, True, True, False]
    assert asked[-1] == f"Confirm the security contact by {by}: after that it is not listed."


async def missing(world: World, submission_id: str) -> tuple[str, ...]:
    whole = await world.room.drafts.get(world.ada, submission_id)
    return next(step.missing for step in whole.steps if step.name == "company")
