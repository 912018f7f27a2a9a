"""One decision out of many levels: the strictest wins, whatever the order, and a further rule never widens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valetkey.directory.fingerprint import read_tool
from valetkey.directory.model import Tool
from valetkey.policy.decide import Facts, decide, decide_reading, is_hidden
from valetkey.policy.model import STRICTER, Ceiling, Decision, Effect, How, Limits, Permission, Setting
from valetkey.policy.tool_class import Classified, ToolClass

AT = datetime(2026, 11, 22, tzinfo=UTC)
TOOL = read_tool(b'{"name":"list","annotations":{"readOnlyHint":true}}')
CHANGED = read_tool(b'{"name":"list","annotations":{"readOnlyHint":true},"description":"and mail it to me"}')
R, W, M, H, V, X = ToolClass.READ, ToolClass.LOW_WRITE, ToolClass.MEDIUM, ToolClass.HIGH, ToolClass.VERTICAL, (
    ToolClass.UNKNOWN
)  # fmt: skip


def of_class(kind: ToolClass, counts_as: ToolClass | None = None) -> Classified:
    return Classified(kind, counts_as or kind, "because")


def said(setting: Setting, tool: Tool = TOOL, tool_class: str = "") -> Permission:
    return Permission("cn_1", tool.name, tool.fingerprint, AT, setting, tool_class)


def ceiling(setting: Setting, connector: str = "*", tool: str = "*", tool_class: str = "*", role: str = "*") -> Ceiling:
    return Ceiling("c", "org_1", connector, tool, tool_class, role, setting, "person:p", AT)


def facts(kind: ToolClass = R, **more: Any) -> Facts:
    counts_as = more.pop("counts_as", H if kind is X else kind)
    return Facts(
        tool=TOOL, classified=of_class(kind, counts_as), connector="notes", roles=frozenset({"member"}), **more
    )


@pytest.mark.parametrize(
    ("what", "effect", "rule", "how"),
    [
        (facts(R), Effect.ASK, "first_read", How.CLICK),
        (facts(R, is_verified=True), Effect.ALLOW, "class_r", How.CLICK),
        (facts(W), Effect.ASK, "class_w", How.CLICK),
        (facts(M, is_verified=True), Effect.ASK, "class_m", How.CLICK),
        (facts(H, is_verified=True), Effect.ASK, "class_h", How.PASSKEY),
        (facts(V), Effect.DENY, "vertical_not_enabled", How.CLICK),
        (facts(V, is_verified=True), Effect.ASK, "class_v", How.PASSKEY),
        (facts(V, limits=Limits(enabled=frozenset({"notes"}))), Effect.ASK, "class_v", How.PASSKEY),
        (facts(V, limits=Limits(enabled=frozenset({"other"}))), Effect.DENY, "vertical_not_enabled", How.CLICK),
        (facts(X), Effect.ASK, "class_x", How.PASSKEY),
        (facts(X, counts_as=M), Effect.ASK, "class_x", How.CLICK),
        # Verified is what was reviewed, and not what stands in its place since (CUS-11).
        (facts(R, is_verified=True, differs=True), Effect.ASK, "first_read", How.CLICK),
        (facts(M, is_verified=True, differs=True), Effect.ASK, "class_m", How.CLICK),
        # CUS-04: what everybody's key changes is asked for each time; what it reads is as any other.
        (facts(R, acts_as_organization=True, permission=said(Setting.ALLOW)), Effect.ALLOW, "person_allow", How.CLICK),
        *(
            (facts(one, acts_as_organization=True, permission=said(Setting.ALLOW)), Effect.ASK, "as_organization", how)
            for one, how in ((W, How.CLICK), (M, How.CLICK), (H, How.PASSKEY))
        ),
        *((facts(one, permission=said(Setting.ALLOW)), Effect.ALLOW, "person_allow", How.CLICK) for one in (R, W, M)),
        (facts(X, permission=said(Setting.ALLOW)), Effect.ALLOW, "person_allow", How.CLICK),
        (facts(H, permission=said(Setting.ALLOW)), Effect.ASK, "class_h", How.PASSKEY),
        (facts(V, is_verified=True, permission=said(Setting.ALLOW)), Effect.ASK, "class_v", How.PASSKEY),
        (facts(R, is_verified=True, permission=said(Setting.ASK)), Effect.ASK, "person_ask", How.CLICK),
        (facts(R, is_verified=True, permission=said(Setting.BLOCK)), Effect.DENY, "person_block", How.CLICK),
        (facts(R, permission=said(Setting.BLOCK, CHANGED)), Effect.DENY, "person_block", How.CLICK),
        (facts(M, permission=said(Setting.ALLOW, tool_class="W")), Effect.ASK, "class_m", How.CLICK),
        (facts(W, connector_state="blocked"), Effect.DENY, "connector_blocked", How.CLICK),
        (facts(W, held="It changed."), Effect.DENY, "changed_since", How.CLICK),
        (
            facts(W, permission=said(Setting.ALLOW), tainted=of_class(M), tainted_by="Mail"),
            Effect.ASK, "taint", How.CLICK,
        ),
        (
            facts(M, permission=said(Setting.ALLOW), tainted=of_class(H), tainted_by="Mail"),
            Effect.ASK, "taint", How.PASSKEY,
        ),
    ],
)  # fmt: skip
def test_each_rule_decides_what_it_is_for(what: Facts, effect: Effect, rule: str, how: How) -> None:
    """PERM-02, S-26, S-27: the table of docs/permissions.md."""
    decision = decide(what)

    assert (decision.effect, decision.rule, decision.how) == (effect, rule, how)
    assert decision.chain
    assert decision.reason


def test_a_tool_that_is_not_there_is_unknown() -> None:
    assert decide(replace(facts(), tool=None, classified=None)).rule == "unknown_tool"


@pytest.mark.parametrize("kind", list(ToolClass))
def test_what_the_organization_asks_for_is_never_remembered(kind: ToolClass) -> None:
    """ORG-03, PERM-08."""
    asked = decide(facts(kind, is_verified=True, limits=Limits((ceiling(Setting.ASK),))))

    assert asked.effect is Effect.ASK
    assert not asked.may_remember
    assert not asked.may_stand


@pytest.mark.parametrize(("kind", "may_remember", "may_stand"), [(W, True, True), (H, False, True), (V, False, False)])
def test_vertical_tools_are_never_always_allowed_and_high_ones_only_by_a_standing_approval(
    kind: ToolClass, may_remember: bool, may_stand: bool
) -> None:
    asked = decide(facts(kind, is_verified=True))

    assert (asked.may_remember, asked.may_stand) == (may_remember, may_stand)


def test_a_ceiling_holds_only_where_it_says() -> None:
    for where in ({"connector": "mail"}, {"tool": "List"}, {"tool_class": "W"}, {"role": "admin"}):
        limits = Limits((ceiling(Setting.BLOCK, **where),))
        assert decide(facts(R, is_verified=True, limits=limits)).effect is Effect.ALLOW, where
    for where in ({"connector": "notes"}, {"tool": "list"}, {"tool_class": "R"}, {"role": "member"}):
        limits = Limits((ceiling(Setting.BLOCK, **where),))
        assert decide(facts(R, is_verified=True, limits=limits)).effect is Effect.DENY, where


@pytest.mark.parametrize("where", [{"tool_class": "H"}, {"tool_class": "H", "role": "member"}])
def test_a_ceiling_of_a_class_holds_for_what_is_raised_to_it(where: dict[str, str]) -> None:
    limits = Limits((ceiling(Setting.BLOCK, **where),))
    tainted = facts(M, permission=said(Setting.ALLOW), limits=limits, tainted=of_class(H), tainted_by="Mail")

    assert decide(tainted).effect is Effect.DENY
    assert decide(replace(tainted, tainted=None)).effect is Effect.ALLOW


def test_what_is_raised_is_never_lowered_by_that() -> None:
    tainted = decide(facts(H, is_verified=True, tainted=of_class(W), tainted_by="Mail"))

    assert (tainted.rule, tainted.how, tainted.may_remember) == ("class_h", How.PASSKEY, False)


def test_several_roles_are_joined_and_then_meet_the_organization() -> None:
    """ORG-04."""
    of_roles = (ceiling(Setting.BLOCK, role="member"), ceiling(Setting.ASK, role="admin"))
    both = replace(facts(R, is_verified=True), roles=frozenset({"member", "admin"}))

    assert decide(replace(both, limits=Limits(of_roles))).rule == "role_ask"
    assert decide(replace(both, limits=Limits((*of_roles, ceiling(Setting.BLOCK))))).rule == "ceiling_block"


@pytest.mark.parametrize("setting", [Setting.ASK, Setting.BLOCK])
def test_what_is_no_tool_call_is_refused_where_it_would_have_to_be_asked_for(setting: Setting) -> None:
    reading = replace(facts(), tool=None, classified=None)

    assert decide_reading(reading).effect is Effect.ALLOW
    assert decide_reading(replace(reading, limits=Limits((ceiling(setting),)))).effect is Effect.DENY
    assert decide_reading(replace(reading, connector_state="blocked")).rule == "connector_blocked"


# --- properties -------------------------------------------------------------------------------------------------------

SETTINGS = st.sampled_from(list(Setting))
CEILINGS = st.builds(
    ceiling, SETTINGS, st.sampled_from(["*", "notes", "mail"]), st.sampled_from(["*", "list", "other"]),
    st.sampled_from(["*", *"RWMHVX"]), st.sampled_from(["*", "member", "admin"]),
)  # fmt: skip
PERMISSIONS = st.none() | st.builds(said, SETTINGS, st.just(TOOL), st.sampled_from(["", *"RWM"]))
FACTS = st.builds(
    lambda kind, verified, permission, ceilings, enabled, roles: facts(
        kind, is_verified=verified, permission=permission,
        limits=Limits(tuple(ceilings), frozenset({"notes"} if enabled else ())),
    ) if not roles else replace(facts(kind, is_verified=verified, permission=permission,
        limits=Limits(tuple(ceilings), frozenset({"notes"} if enabled else ()))), roles=frozenset(roles)),
    st.sampled_from(list(ToolClass)), st.booleans(), PERMISSIONS, st.lists(CEILINGS, max_size=4), st.booleans(),
    st.sets(st.sampled_from(["member", "admin"])),
)  # fmt: skip


def strictness(decision: Decision) -> tuple[int, int, int]:
    asks = decision.effect is Effect.ASK
    return STRICTER[decision.effect], int(asks and decision.how is How.PASSKEY), int(not decision.may_remember)


@given(FACTS)
def test_a_custom_connector_is_held_to_at_least_what_a_verified_one_is(what: Facts) -> None:
    """CUS-15: whatever a person or an organization said, it is never decided more loosely."""
    custom, verified = (decide(replace(what, is_verified=one)) for one in (False, True))

    assert STRICTER[custom.effect] >= STRICTER[verified.effect]
    if custom.effect is verified.effect:
        assert (custom.how is How.PASSKEY) >= (verified.how is How.PASSKEY)


@given(FACTS, CEILINGS)
def test_a_further_ceiling_never_widens(what: Facts, further: Ceiling) -> None:
    """ORG-04."""
    with_it = replace(what, limits=replace(what.limits, ceilings=(*what.limits.ceilings, further)))

    assert STRICTER[decide(with_it).effect] >= STRICTER[decide(what).effect]
    if decide(with_it).effect is decide(what).effect is Effect.ASK:
        assert strictness(decide(with_it)) >= strictness(decide(what))


@given(FACTS, st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(what: Facts, random: Any) -> None:
    shuffled = list(what.limits.ceilings)
    random.shuffle(shuffled)

    other = decide(replace(what, limits=replace(what.limits, ceilings=tuple(shuffled))))
    assert (other.effect, other.rule, other.how) == (decide(what).effect, decide(what).rule, decide(what).how)


def widens(with_it: Decision, without: Decision) -> bool:
    """Whether a decision lets more happen than another: at once, with less proof, or for longer."""
    if STRICTER[with_it.effect] != STRICTER[without.effect]:
        return STRICTER[with_it.effect] < STRICTER[without.effect]
    if with_it.effect is not Effect.ASK:
        return False
    return (
        (with_it.how is How.CLICK and without.how is How.PASSKEY)
        or (with_it.may_remember and not without.may_remember)
        or (with_it.may_stand and not without.may_stand)
        or (with_it.for_tool and not without.for_tool)
    )


def stricter(what: Facts, setting: Setting) -> Facts:
    """The person says so too, where they have not said more."""
    said_more = what.permission is not None and what.permission.setting is Setting.BLOCK
    return what if said_more else replace(what, permission=said(setting))


FURTHER = st.one_of(
    CEILINGS.map(lambda one: lambda what: replace(what, limits=replace(
        what.limits, ceilings=(*what.limits.ceilings, one)))),
    st.sampled_from([Setting.ASK, Setting.BLOCK]).map(lambda one: lambda what: stricter(what, one)),
    st.just(lambda what: replace(what, each_time="The service says that this takes a person each time.")),
    st.just(lambda what: replace(what, acts_as_organization=True)),
    st.just(lambda what: replace(what, differs=True)),
    st.just(lambda what: replace(what, limits=replace(what.limits, enabled=frozenset()))),
    st.just(lambda what: replace(what, held="It changed.")),
    st.just(lambda what: replace(what, connector_state="blocked")),
    st.sampled_from([W, M, H, V]).map(lambda one: lambda what: replace(what, tainted=of_class(one))),
)  # fmt: skip


@settings(max_examples=150)
@given(FACTS, FURTHER)
def test_no_further_rule_of_any_level_widens(what: Facts, further: Any) -> None:
    """ORG-04: a ceiling for all or a role, the person's own ask or block, the tool, an owner who no longer answers for
    the connector, a change, a blocked connector, what was read before.
    """
    assert not widens(decide(further(what)), decide(what))


@settings(max_examples=100)
@given(FACTS, CEILINGS, CEILINGS)
def test_several_further_rules_do_not_widen_either(what: Facts, one: Ceiling, other: Ceiling) -> None:
    both = replace(what, limits=replace(what.limits, ceilings=(*what.limits.ceilings, one, other)))

    for alone in (one, other):
        with_it = replace(what, limits=replace(what.limits, ceilings=(*what.limits.ceilings, alone)))
        assert not widens(decide(both), decide(with_it))


@given(FACTS)
def test_no_allow_of_a_person_goes_beyond_what_holds_above_them(what: Facts) -> None:
    """Whatever they said, what the organization and their role say is at least as strict in the outcome."""
    decision = decide(replace(what, permission=said(Setting.ALLOW)))

    above = [step.effect for step in decision.chain if step.level in ("organization", "role", "tool")]
    assert all(STRICTER[decision.effect] >= STRICTER[effect] for effect in above)


@given(FACTS)
def test_what_is_hidden_would_be_refused_too(what: Facts) -> None:
    """Hiding is no gate of its own, and nothing that could be called is hidden."""
    if is_hidden(what):
        assert decide(what).effect is Effect.DENY
        assert {step.rule for step in decide(what).chain} & {"person_block", "ceiling_block", "role_block"}


@given(FACTS, st.sampled_from([W, M, H, V]))
def test_untrusted_content_never_widens(what: Facts, raised: ToolClass) -> None:
    tainted = decide(replace(what, tainted=of_class(raised), tainted_by="Mail"))

    assert STRICTER[tainted.effect] >= STRICTER[decide(what).effect]


@given(FACTS)
def test_no_setting_lets_a_vertical_tool_run_by_itself(what: Facts) -> None:
    """S-27 (a)."""
    vertical = replace(what, classified=of_class(V), permission=said(Setting.ALLOW))

    assert decide(vertical).effect is not Effect.ALLOW
    assert not decide(vertical).may_remember


@given(st.dictionaries(st.text(max_size=12), st.booleans() | st.text(max_size=5), max_size=4))
def test_nothing_a_server_says_about_its_tool_runs_it(claims: dict[str, Any]) -> None:
    """S-26 (b): a custom server may claim whatever it likes."""
    boast = replace(facts(), tool=replace(TOOL, says_read_only=True, description=str(claims)))

    assert decide(boast).effect is Effect.ASK
