"""Icons and screenshots of submissions: whose they are, which are shown, how many (DIR-05, DIR-14)."""

from __future__ import annotations

import hashlib

import pytest

from tests.submissions.conftest import World
from tests.submissions.drawn import png
from tests.submissions.test_desk import OPERATOR
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.submissions.model import Act, Submission


async def shown(world: World, one: Submission, *shades: int) -> Submission:
    """With screenshots in these shades."""
    for shade in shades:
        one = await world.room.pictures.hand_in(
            world.ada, one.id, "screenshot", png(1000, 2, shade=shade), revision=one.revision, by="person:ada"
        )
    return one


async def test_what_is_listed_keeps_its_icon_until_another_is_approved(world: World) -> None:
    one = await world.submitted()
    pictures, drafts = world.room.pictures, world.room.drafts
    with pytest.raises(Conflict, match="in review"):
        await pictures.hand_in(world.ada, one.id, "icon", png(65), revision=one.revision, by="person:ada")
    seen = (await world.room.desk.get(None, one.id)).version
    await world.room.desk.decide(None, one.id, Act.APPROVE, reason="Fine.", seen=seen, verified=False, by=OPERATOR)
    live = await drafts.publish(world.ada, one.id, by="person:ada")
    for shade in (1, 2):  # the first of the two is in nobody's listing, and goes
        live = await pictures.hand_in(
            world.ada, one.id, "icon", png(shade=shade), revision=live.revision, by="person:ada"
        )
    listed = world.connectors.listings.get("marginalia")
    content = await pictures.get(listed.icon)

    assert listed.icon != live.fields.icon
    assert listed.description == "Reads the notes of one's own notebooks."
    assert hashlib.sha256(content).hexdigest() == listed.icon
    assert content.startswith(b"\x89PNG")
    with pytest.raises(NotFound):
        await pictures.get("../" + listed.icon)
    with pytest.raises(NotFound):
        await pictures.get("0" * 64)


async def test_dir_14_there_are_three_to_five_screenshots_or_none(world: World) -> None:
    one = await world.with_icon(await world.room.drafts.begin(world.ada, "marginalia", world.fields(), by="person:ada"))
    missing = []
    for shades in ((1, 2), (3,), (4, 5)):
        one = await shown(world, one, *shades)
        (step,) = [found for found in (await world.room.drafts.get(world.ada, one.id)).steps if found.name == "listing"]
        missing.append(step.missing)
    with pytest.raises(BadInput, match="5 already"):
        await shown(world, one, 6)

    assert missing == [("there are 3 to 5 screenshots, or none",), (), ()]


async def test_a_picture_of_another_submission_is_not_ones_own_nor_is_a_file_that_is_none(world: World) -> None:
    drafts = world.room.drafts
    one = await world.with_icon(await drafts.begin(world.ada, "marginalia", world.fields(), by="person:ada"))
    with pytest.raises(BadInput, match="no such picture") as refused:
        await drafts.begin(world.ada, "another", {"icon": one.fields.icon}, by="person:ada")
    other = await drafts.begin(world.ada, "another", {}, by="person:ada")
    with pytest.raises(BadInput, match="no such picture"):
        await drafts.edit(
            world.ada, other.id, {"screenshots": [one.fields.icon]}, revision=other.revision, by="person:ada"
        )
    for content in (b"<svg onload='alert(1)'/>", b"", png(64)[:-1]):
        with pytest.raises(BadInput):
            await world.room.pictures.hand_in(
                world.ada, other.id, "icon", content, revision=other.revision, by="person:ada"
            )
    with pytest.raises(NotFound):
        await world.room.pictures.hand_in(world.rea, one.id, "icon", png(), revision=one.revision, by="person:rea")

    assert refused.value.field == "icon"
