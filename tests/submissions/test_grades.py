"""The desk gives each tool its class: raised at will, lowered with a reason, for one definition (S-26, S-27)."""

from __future__ import annotations

import pytest

from tests.submissions.conftest import World
from tests.submissions.test_desk import OPERATOR
from valetkey.audit.model import Everyone
from valetkey.directory.listings import ReviewedTool
from valetkey.kernel.errors import BadInput, Forbidden
from valetkey.submissions.grades import Grade, graded, said
from valetkey.submissions.model import Act

SEEN = (
    ReviewedTool(name="list_notes", is_a="read", fingerprint="a"),
    ReviewedTool(name="add_note", is_a="medium", fingerprint="b"),
)


def test_a_tool_is_raised_without_a_reason_and_lowered_with_one_only() -> None:
    raised = {"list_notes": Grade("vertical")}
    lowered = {"add_note": Grade("low write", "It writes into one's own notebook.")}

    assert [tool.is_a for tool in graded(SEEN, raised)] == ["vertical", "medium"]
    assert [tool.fingerprint for tool in graded(SEEN, raised)] == ["a", "b"]
    assert said(SEEN, graded(SEEN, lowered), lowered) == [
        "add_note: medium → low write. It writes into one's own notebook."
    ]
    assert graded(SEEN, {"add_note": Grade("medium")}) == SEEN
    with pytest.raises(BadInput, match="add_note is medium by what can be seen"):
        graded(SEEN, {"add_note": Grade("read", "  ")})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"gone": Grade("high")}, "no tool gone"), ({"add_note": Grade("harmless")}, "cannot be harmless"),
        ({"add_note": Grade("read", "x" * 301)}, "at most 300"),
    ],
)  # fmt: skip
def test_a_class_is_one_of_the_known_for_a_tool_that_was_seen(given: dict[str, Grade], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        graded(SEEN, given)


async def test_what_the_desk_said_of_a_tool_is_published_and_everybody_reads_why(world: World) -> None:
    """Never on one's own: the reviewer is not the submitter."""
    one = await world.submitted()
    desk, drafts = world.room.desk, world.room.drafts
    await desk.appoint(world.ada)
    seen = (await desk.get(None, one.id)).version
    classes = {"list_notes": Grade("high", "It sends the notebook to a printer.")}
    with pytest.raises(Forbidden):
        await desk.decide(
            world.ada, one.id, Act.APPROVE, reason="Fine.", seen=seen, verified=True, by=f"person:{world.ada.id}",
            classes=classes,
        )  # fmt: skip
    approved = await desk.decide(
        None,
        one.id,
        Act.APPROVE,
        reason="Fine.",
        seen=seen,
        verified=True,
        by=OPERATOR,
        vertical="legal",
        classes=classes,
    )
    published = await drafts.publish(world.ada, one.id, by="person:ada")
    history = (await drafts.get(world.ada, one.id)).history
    events = {event.event for event in await world.trail.list(Everyone(), limit=50)}

    assert published.live is not None
    assert [(tool.name, tool.is_a) for tool in published.live.tools] == [("list_notes", "high")]
    assert approved.tools == published.live.tools
    assert published.live.vertical == "legal"
    assert [entry.words for entry in history if entry.act == "class"] == [
        "list_notes: read → high. It sends the notebook to a printer."
    ]
    assert "submission.classed" in events
