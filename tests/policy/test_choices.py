"""What a person says of a connection's tools, one by one or by a level; nothing of it widens what holds above them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import FakeClock
from tests.policy.rooms import Keys, Told, seed
from tests.policy.test_decide import CEILINGS, facts
from valetkey.directory.fingerprint import read_tool
from valetkey.directory.listings import Listing, Listings, ReviewedTool, Source
from valetkey.directory.model import Connector, ReviewState, Tool
from valetkey.directory.snapshots import Snapshots
from valetkey.identity.model import Principal, Role
from valetkey.kernel.errors import Refused
from valetkey.policy.choices import Choice, Level, level_of, why_not
from valetkey.policy.decide import always_allowed, decide
from valetkey.policy.gate import Subject
from valetkey.policy.model import STRICTER, Effect, Limits, Setting
from valetkey.policy.room import Policy, open_policy
from valetkey.policy.tool_class import Classified, ToolClass
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

READ = read_tool(
    b'{"name":"list_notes","description":"Lists notes.","inputSchema":{},"annotations":{"readOnlyHint":true}}'
)
EDIT = read_tool(
    b'{"name":"star_note","description":"Stars a note.","inputSchema":{},'
    b'"annotations":{"readOnlyHint":false,"destructiveHint":false}}'
)
DELETE = read_tool(b'{"name":"delete_note","description":"Deletes a note for good."}')
ASKS = read_tool(
    b'{"name":"read_diary","description":"Reads.","annotations":{"readOnlyHint":true},'
    b'"_meta":{"anthropic/requiresUserInteraction":true}}'
)
FLAGGED = read_tool(b'{"name":"list_wishes","description":"Lists wishes.","annotations":{"readOnlyHint":true}}')
PAY = read_tool(b'{"name":"transfer_funds","description":"Transfers money to an account."}')
TOOLS = (READ, EDIT, DELETE)


def connector() -> Connector:
    return Connector(
        "cr_1", "notes", "org_a", "ada", "Notes", "https://notes.example/mcp", "https://notes.example",
        ReviewState.VERIFIED, "oauth",
        {}, "enabled", 1, FakeClock().now(), listing="notes",
    )  # fmt: skip


PLACE = Subject("cn_1", "main", connector(), None, "/connections/cn_1", "https://hub.example")
ADA = Principal("session", "ada", "org_a", Role.MEMBER, "", "", "", frozenset(), "s_1")


def listings() -> Listings:
    wishes = ReviewedTool(name="list_wishes", is_a="read", fingerprint="0" * 64, confirm_each_time=True)
    read = ReviewedTool(name=READ.name, is_a="read", fingerprint=READ.fingerprint)
    source = Source(url="https://notes.example/docs", date=FakeClock().now().date())
    return Listings([
        Listing(slug="notes", name="Notes", publisher="N", about="Notes.", url="https://notes.example/mcp",
                categories=("documents",), tools=(wishes, read), source=source)
    ])  # fmt: skip


@pytest.fixture
async def told() -> Told:
    return Told()


@pytest.fixture
async def policy(database: Database, clock: FakeClock, told: Told) -> Policy:
    await seed(database, clock)
    notifications = Notifications(database)
    return open_policy(
        database, notifications, clock=clock, keys=Keys(), trail=told, listings=listings(),
        snapshots=Snapshots(database, notifications, clock=clock),
    )  # fmt: skip


async def settings(policy: Policy) -> dict[str, str]:
    return {name: one.setting.value for name, one in (await policy.permissions.given("cn_1")).items()}


async def test_the_classes_of_these_tests_are_what_they_are_taken_for(policy: Policy) -> None:
    kinds = [one.classified.counts_as for one in await policy.choices.read(ADA, PLACE, TOOLS)]

    assert kinds == [ToolClass.READ, ToolClass.LOW_WRITE, ToolClass.HIGH]


@pytest.mark.parametrize(
    ("level", "said", "holds"),
    [
        (Level.ALWAYS_ASK, {"list_notes": "ask", "star_note": "ask", "delete_note": "ask"}, ["ask", "ask", "ask"]),
        (Level.BEFORE_CHANGES, {"list_notes": "allow"}, ["allow", "ask", "ask"]),
        (Level.BEFORE_IMPORTANT, {"list_notes": "allow", "star_note": "allow"}, ["allow", "allow", "ask"]),
        (Level.ALLOW, {"list_notes": "allow", "star_note": "allow"}, ["allow", "allow", "ask"]),
    ],
)
async def test_each_level_is_a_setting_for_each_tool(
    policy: Policy, told: Told, level: Level, said: dict[str, str], holds: list[str]
) -> None:
    """PERM-13; and going from any level to it ends in the same."""
    for before in (Level.ALLOW, Level.ALWAYS_ASK, level):
        await policy.choices.set_level(ADA, PLACE, TOOLS, before, actor="person:ada")
        await policy.choices.set_level(ADA, PLACE, TOOLS, level, actor="person:ada")

        choices = await policy.choices.read(ADA, PLACE, TOOLS)
        assert await settings(policy) == said
        assert [one.decision.effect for one in choices] == holds
        assert all(one.at(level) is one.said for one in choices)
    assert {event for event, _, _ in told.events} == {"permissions.set"}


async def test_no_level_takes_back_a_block(policy: Policy) -> None:
    """PERM-01."""
    await policy.choices.say(ADA, PLACE, [(READ, Setting.BLOCK)], actor="person:ada")

    for level in Level:
        await policy.choices.set_level(ADA, PLACE, TOOLS, level, actor="person:ada")
        assert (await settings(policy))["list_notes"] == "block"


async def test_the_level_that_allows_needs_an_organization_that_leaves_it_to_the_person(policy: Policy) -> None:
    await policy.ceilings.set("org_a", Setting.ASK, actor="person:owner", tool="star_note")

    with pytest.raises(Refused) as refused:
        await policy.choices.set_level(ADA, PLACE, TOOLS, Level.ALLOW, actor="person:ada")
    await policy.choices.set_level(ADA, PLACE, TOOLS, Level.BEFORE_IMPORTANT, actor="person:ada")

    assert refused.value.rule == "ceiling_ask"
    assert await settings(policy) == {"list_notes": "allow"}


@pytest.mark.parametrize(
    ("tool", "rule"),
    [(DELETE, "class_h"), (PAY, "class_v"), (ASKS, "each_time"), (FLAGGED, "each_time"), (EDIT, "ceiling_ask")],
)
async def test_what_is_confirmed_each_time_cannot_be_always_allowed(
    policy: Policy, told: Told, tool: Tool, rule: str
) -> None:
    """Class H; class V, whatever an owner permits all or a role (S-27 a); `requiresUserInteraction` (PERM-07); the flag
    of a listing (PERM-12); what a ceiling asks for.
    """
    for role in ("*", "member"):
        await policy.ceilings.set("org_a", Setting.ALLOW, actor="person:owner", tool=tool.name, role=role)
    await policy.ceilings.set("org_a", Setting.ASK, actor="person:owner", tool="star_note")
    told.events.clear()

    with pytest.raises(Refused) as refused:
        await policy.choices.say(ADA, PLACE, [(READ, Setting.ALLOW), (tool, Setting.ALLOW)], actor="person:ada")

    assert refused.value.rule == rule
    assert await settings(policy) == {}
    assert told.events == []


@pytest.mark.parametrize("tool", [ASKS, FLAGGED])
async def test_a_person_is_asked_each_time_where_the_tool_or_its_listing_says_so(policy: Policy, tool: Tool) -> None:
    """Even of a verified connector, even with an *allow* from before, and by nothing that lasts."""
    verified = replace(PLACE, tool=tool)
    await policy.permissions.set("cn_1", [(tool, Setting.ALLOW, ToolClass.READ)])

    decision = await policy.gate.decide(ADA, verified)

    assert (decision.effect, decision.rule) == (Effect.ASK, "each_time")
    assert not decision.may_remember
    assert not decision.may_stand
    assert not decision.for_tool


async def test_ask_and_block_outlive_a_changed_definition_and_an_allow_does_not(policy: Policy) -> None:
    """PERM-08."""
    said = [(READ, Setting.ASK), (EDIT, Setting.ALLOW), (DELETE, Setting.BLOCK)]
    await policy.choices.say(ADA, PLACE, said, actor="person:ada")
    changed = [read_tool(tool.raw.replace(b'."', b' here."')) for tool in TOOLS]

    choices = await policy.choices.read(ADA, PLACE, changed)

    assert [one.said for one in choices] == [Setting.ASK, None, Setting.BLOCK]
    assert [one.has_lapsed for one in choices] == [False, True, False]
    assert [one.decision.effect for one in choices] == ["ask", "deny", "deny"]
    assert "person_ask" in [step.rule for step in choices[0].decision.chain]
    assert [one.decision.rule for one in choices[1:]] == ["changed_since", "person_block"]


async def test_what_is_taken_back_leaves_the_class_to_decide(policy: Policy) -> None:
    await policy.choices.say(ADA, PLACE, [(READ, Setting.BLOCK)], actor="person:ada")

    await policy.choices.say(ADA, PLACE, [], ["list_notes"], actor="person:ada")

    [choice] = await policy.choices.read(ADA, PLACE, [READ])
    assert (choice.said, choice.decision.rule) == (None, "class_r")


async def test_a_trail_event_of_many_tools_with_long_names_fits(policy: Policy, told: Told) -> None:
    name = "\\u5b57" * 255
    many = [(read_tool(f'{{"name":"{name[:-9]}{number:03}"}}'.encode()), Setting.BLOCK) for number in range(300)]

    await policy.choices.say(ADA, PLACE, many, actor="person:ada")

    assert told.events[-1][2]["tools"] == 300
    assert len(told.events[-1][2]["block"]) == 20


# --- properties -------------------------------------------------------------------------------------------------------


def choice(kind: ToolClass, said: Setting | None, ceilings: list[Any], *, verified: bool) -> Choice:
    what = facts(kind, is_verified=verified, limits=Limits(tuple(ceilings)))
    allowed = always_allowed(what)
    never = "" if allowed.effect is Effect.ALLOW else allowed.reason
    assert what.tool is not None
    return Choice(
        what.tool,
        Classified(kind, kind, ""),
        said,
        False,
        decide(what),
        decide(what).effect,
        never,
        allowed.rule if never else "",
    )


@given(
    st.sampled_from([kind for kind in ToolClass if kind is not ToolClass.UNKNOWN]),
    st.none() | st.sampled_from(list(Setting)), st.lists(CEILINGS, max_size=3), st.booleans(),
    st.sampled_from(list(Level)),
)  # fmt: skip
def test_no_level_allows_what_is_asked_for_above_the_person(
    kind: ToolClass, said: Setting | None, ceilings: list[Any], verified: bool, level: Level
) -> None:
    one = choice(kind, said, ceilings, verified=verified)

    if one.at(level) is Setting.ALLOW:
        assert one.never == ""
        assert kind not in (ToolClass.HIGH, ToolClass.VERTICAL)
        assert not any(STRICTER[step.effect] and step.level == "organization" for step in one.decision.chain)
    if said is Setting.BLOCK:
        assert one.at(level) is Setting.BLOCK
    if why_not(level, [one]):
        assert level is Level.ALLOW


def test_no_tools_have_no_level() -> None:
    assert level_of([]) is None


async def test_a_tool_of_a_verified_connector_that_is_not_as_it_was_reviewed_does_not_run_by_itself(
    policy: Policy,
) -> None:
    """What the reviewer vouched for is a definition, not a name (S-27, CUS-11)."""
    other = read_tool(READ.raw.replace(b"Lists notes.", b"Lists notes, and yours."))

    reviewed = await policy.gate.decide(ADA, replace(PLACE, tool=READ))
    changed = await policy.gate.decide(ADA, replace(PLACE, tool=other))

    assert (reviewed.effect, reviewed.rule) == (Effect.ALLOW, "class_r")
    assert (changed.effect, changed.rule) == (Effect.ASK, "first_read")
    assert "not what was reviewed" in changed.reason
    assert policy.gate.classed.differs(connector(), other)
    assert not policy.gate.classed.differs(connector(), READ)
