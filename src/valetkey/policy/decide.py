"""May this call be made? Pure: what is known goes in, one decision with its rule and its chain comes out.

Every level says what it permits, in this order, and the strictest wins: *deny* over *ask* over *allow*, a passkey over
a click. So a further rule can only narrow (ORG-04). The names of the rules are stable and stand in the call's record.

    platform      connector_blocked, unknown_tool, changed_since (it is not what its person saw)
    organization  ceiling_block, ceiling_ask                    every ceiling for everybody
    role          role_block, role_ask                          the loosest of the person's roles
    tool          each_time                                     it, or its listing, wants a person every time
                  as_organization                               it writes with a key that is everybody's (CUS-04)
    class         vertical_not_enabled, class_v, class_h, class_x, class_m, class_w, first_read, class_r
    person        person_block, person_ask, person_allow        *allow* answers what W, M, X and a first read ask for
    taint         taint                                         untrusted content was read: one class up
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal

from valetkey.directory.model import ConnectorState, Tool
from valetkey.policy.model import (
    ANY,
    NO_LIMITS,
    STRICTER,
    Ceiling,
    Decision,
    Effect,
    How,
    Limits,
    Permission,
    Setting,
    Step,
)
from valetkey.policy.tool_class import RANK, Classified, ToolClass

CONNECTOR_BLOCKED = "connector_blocked"
UNKNOWN_TOOL = "unknown_tool"
EACH_TIME = "each_time"
AS_ORGANIZATION = "as_organization"
NEVER: Final = datetime.min.replace(tzinfo=UTC)
_EFFECTS = {Setting.ALLOW: Effect.ALLOW, Setting.ASK: Effect.ASK, Setting.BLOCK: Effect.DENY}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a call before it is decided.

    `tool` is missing when the connection's last listing has none of that name. `held` says why the tool must not be
    called yet (it is new, or another than was accepted), and is empty otherwise. `each_time` says why a person has to
    be asked at every call (PERM-07, PERM-12), and is empty otherwise. `differs` says that the connector is verified,
    and this tool is not as its reviewer saw it. `acts_as_organization` says that the service knows everybody as the
    organization, by a key that an owner entered (CUS-04). `tainted` is its class while content that nobody vouches for
    is about, where that is a higher one; `tainted_by` says whose content that was.
    """

    tool: Tool | None
    classified: Classified | None
    connector: str
    connector_state: ConnectorState | Literal["for_others"] = "enabled"
    is_verified: bool = False
    differs: bool = False
    permission: Permission | None = None
    limits: Limits = NO_LIMITS
    roles: Set[str] = frozenset()
    held: str = ""
    each_time: str = ""
    acts_as_organization: bool = False
    tainted: Classified | None = None
    tainted_by: str = ""
    page: str = "the connection's page"


def decide(facts: Facts) -> Decision:
    """The decision on one call of a tool."""
    if (stopped := _platform(facts)) is not None:
        return _decision(facts, [stopped], ToolClass.UNKNOWN)
    assert facts.tool is not None and facts.classified is not None  # noqa: PT018  what `_platform` has seen to
    raised = _raised(facts)
    assert raised is not None
    chain = [
        *_organization(facts, facts.classified),
        *_roles(facts, facts.classified),
        *_each_time(facts),
        *_as_organization(facts, facts.classified),
        *_class(facts, facts.classified),
        *_person(facts, facts.classified),
    ]
    if raised is not facts.classified:  # what is said about the class it is raised to holds as well
        above = (*_organization(facts, raised), *_roles(facts, raised))
        chain += [step for step in above if step.effect is not Effect.ALLOW and step not in chain]
        chain.append(_taint(facts))
    return _decision(facts, chain, raised.counts_as)


def is_hidden(facts: Facts) -> bool:
    """Whether the tool is not even listed: the person, or the organization for all or for their role, blocks it.

    What else stops a call is shown, with the way on: a hidden tool is for who never wants to see it.
    """
    assert facts.classified is not None
    chain = (
        *_organization(facts, facts.classified), *_roles(facts, facts.classified), *_person(facts, facts.classified)
    )  # fmt: skip
    return any(step.effect is Effect.DENY for step in chain)


def always_allowed(facts: Facts) -> Decision:
    """What would hold if the person always allowed the tool as it is: where that is no *allow*, it cannot be had."""
    if facts.tool is None or facts.classified is None:
        return decide(facts)
    given = Permission("", facts.tool.name, facts.tool.fingerprint, NEVER, Setting.ALLOW)
    return decide(replace(facts, permission=given, held="", tainted=None))


def decide_reading(facts: Facts) -> Decision:
    """The decision on what is no tool call: prompts, resources, completion. The person's connection is their yes.

    Ceilings hold as for a tool of class R. A ceiling that wants a person asked each time refuses: what is no tool call
    cannot be asked for.
    """
    if facts.connector_state != "enabled":
        return _decision(facts, [_blocked(facts)], ToolClass.READ)
    read = Classified(ToolClass.READ, ToolClass.READ, "It reads.")
    chain = [*_organization(facts, read), *_roles(facts, read)]
    if any(step.effect is Effect.ASK for step in chain):
        words = "Your organization wants to be asked about each use, which only a tool call can be."
        chain = [Step(step.level, step.rule, Effect.DENY, words) for step in chain if step.effect is not Effect.ALLOW]
    return _decision(facts, [*chain, Step("person", "connected", Effect.ALLOW, "You connected it.")], ToolClass.READ)


_SHUT: Final = {
    "blocked": "Your organization has blocked this connector; an owner or admin can unblock it.",
    "quarantined": "This connector is in quarantine: no call goes to it until an owner or admin lifts that.",
    "delisted": "This connector was taken off the directory; no call goes to it any more.",
    "outside": "Your organization does not let connectors reach this one's host; an owner can put it on the list.",
    "ruled_out": "The rules of your organization leave no room for this connector; an owner can change them.",
    "for_others": "Your organization has this connector for groups that you are in none of; an owner can change that.",
}

# --- the levels -------------------------------------------------------------------------------------------------------


def _blocked(facts: Facts) -> Step:
    return Step("platform", CONNECTOR_BLOCKED, Effect.DENY, _SHUT[facts.connector_state])


def _platform(facts: Facts) -> Step | None:
    if facts.connector_state != "enabled":
        return _blocked(facts)
    if facts.tool is None or facts.classified is None:
        return Step(
            "platform", UNKNOWN_TOOL, Effect.DENY,
            f"This connection has no such tool. What it has, and what may be used, is shown on {facts.page}.",
        )  # fmt: skip
    if facts.held:
        return Step(
            "platform", "changed_since", Effect.DENY, f"{facts.held} The person can look at it on {facts.page}."
        )
    return None


def _organization(facts: Facts, classified: Classified) -> list[Step]:
    found = [one for one in facts.limits.ceilings if one.role == ANY and _holds(one, facts, classified)]
    return [_ceiling("organization", "ceiling", _strictest(found), "Your organization")] if found else []


def _roles(facts: Facts, classified: Classified) -> list[Step]:
    """Several roles union among themselves (ORG-04): a role without a ceiling here permits everything."""
    of_roles = []
    for role in sorted(facts.roles):
        found = [one for one in facts.limits.ceilings if one.role == role and _holds(one, facts, classified)]
        of_roles.append(_strictest(found) if found else Setting.ALLOW)
    if not of_roles:
        return []
    loosest = min(of_roles, key=lambda one: STRICTER[_EFFECTS[one]])
    return [_ceiling("role", "role", loosest, "Your role")] if loosest is not Setting.ALLOW else []


def _holds(ceiling: Ceiling, facts: Facts, classified: Classified) -> bool:
    name = facts.tool.name if facts.tool is not None else ""
    return (
        ceiling.connector in (ANY, facts.connector)
        and ceiling.tool in (ANY, name)
        and ceiling.tool_class in (ANY, classified.tool_class, classified.counts_as)
    )


def _strictest(ceilings: Iterable[Ceiling]) -> Setting:
    return max((one.setting for one in ceilings), key=lambda one: STRICTER[_EFFECTS[one]])


def _ceiling(level: str, name: str, setting: Setting, who: str) -> Step:
    words = {
        Setting.ALLOW: f"{who} permits it.",
        Setting.ASK: f"{who} wants a person asked each time.",
        Setting.BLOCK: f"{who} does not permit it.",
    }
    return Step(level, f"{name}_{setting}", _EFFECTS[setting], words[setting])


def _each_time(facts: Facts) -> list[Step]:
    return [Step("tool", EACH_TIME, Effect.ASK, facts.each_time)] if facts.each_time else []


def _as_organization(facts: Facts, classified: Classified) -> list[Step]:
    """CUS-04: what everybody's key does is nobody's *always*; a person can still say yes to some calls beforehand."""
    if not facts.acts_as_organization or classified.counts_as is ToolClass.READ:
        return []
    words = "It acts as the organization, not you: a person confirms each change."
    return [Step("tool", AS_ORGANIZATION, Effect.ASK, words)]


_CLASS_WORDS = {
    ToolClass.VERTICAL: "It acts in finance, law, medicine or insurance: a passkey, each time.",
    ToolClass.HIGH: "It has consequences that are hard to take back: a passkey, each time.",
    ToolClass.MEDIUM: "It changes something others may see.",
    ToolClass.LOW_WRITE: "It changes something.",
}


def _class(facts: Facts, classified: Classified) -> list[Step]:
    kind = classified.counts_as
    if kind is ToolClass.VERTICAL and not facts.is_verified and facts.connector not in facts.limits.enabled:
        return [
            Step(
                "class", "vertical_not_enabled", Effect.DENY,
                "It acts in finance, law, medicine or insurance, and nobody has verified this connector. "
                "An owner can enable it.",
            )
        ]  # fmt: skip
    if kind is ToolClass.READ:
        if facts.is_verified and not facts.differs:
            return [Step("class", "class_r", Effect.ALLOW, "It reads, and the connector is verified.")]
        if allow_holds(facts, classified):
            return []
        words = "It is not what was reviewed for its listing" if facts.differs else "It reads"
        return [Step("class", "first_read", Effect.ASK, f"{words}, and you have not said yes to it yet.")]
    if kind in (ToolClass.HIGH, ToolClass.VERTICAL) and not _answers(facts, classified):
        rule = "class_x" if classified.tool_class is ToolClass.UNKNOWN else f"class_{kind.lower()}"
        words = "What it does is not known." if rule == "class_x" else _CLASS_WORDS[kind]
        return [Step("class", rule, Effect.ASK, words)]
    if allow_holds(facts, classified):
        return []
    rule = f"class_{classified.tool_class.lower()}"
    return [Step("class", rule, Effect.ASK, _CLASS_WORDS.get(classified.tool_class, "What it does is not known."))]


def _answers(facts: Facts, classified: Classified) -> bool:
    """Whether the person's *allow* answers a class that is otherwise confirmed each time: only where nothing is known
    of the tool but what they saw of it themself.
    """
    return classified.tool_class is ToolClass.UNKNOWN and allow_holds(facts, classified)


def allow_holds(facts: Facts, classified: Classified) -> bool:
    """Whether the person's *allow* is for this definition, and for no lower class than it has."""
    given = facts.permission
    assert facts.tool is not None
    return (
        given is not None
        and given.setting is Setting.ALLOW
        and given.tool == facts.tool.name
        and given.fingerprint == facts.tool.fingerprint
        and (not given.tool_class or RANK[given.tool_class] >= RANK[classified.counts_as])
    )


def _person(facts: Facts, classified: Classified) -> list[Step]:
    given = facts.permission
    if given is None or facts.tool is None or given.tool != facts.tool.name:
        return []
    if given.setting is Setting.BLOCK:  # whatever became of it since
        return [Step("person", "person_block", Effect.DENY, f"You blocked it, on {facts.page}.")]
    if given.setting is Setting.ASK:
        return [Step("person", "person_ask", Effect.ASK, "You want to be asked each time.")]
    if allow_holds(facts, classified):
        return [Step("person", "person_allow", Effect.ALLOW, "You allowed it.")]
    words = "You allowed it in another definition." if given.fingerprint != facts.tool.fingerprint else (
        "You allowed it when it could do less."
    )  # fmt: skip
    return [Step("person", "person_lapsed", Effect.ASK, words)]


def _raised(facts: Facts) -> Classified | None:
    """The class with what was read before: it only raises, whatever is handed in."""
    plain, tainted = facts.classified, facts.tainted
    if plain is None or tainted is None or RANK[tainted.counts_as] <= RANK[plain.counts_as]:
        return plain
    return tainted


def _taint(facts: Facts) -> Step:
    words = f"Content that nobody vouches for was read from {facts.tainted_by or 'another connection'} a while ago."
    return Step("taint", "taint", Effect.ASK, words)


# --- the outcome ------------------------------------------------------------------------------------------------------


def _decision(facts: Facts, chain: list[Step], kind: ToolClass) -> Decision:
    deciding = max(chain, key=lambda step: STRICTER[step.effect])  # the first of the strictest
    by_passkey = kind in (ToolClass.HIGH, ToolClass.VERTICAL) and not _only_by_choice(facts, chain)
    from_above = any(step.level in ("organization", "role") and step.effect is Effect.ASK for step in chain)
    asks = deciding.effect is Effect.ASK
    rules = {step.rule for step in chain if step.effect is Effect.ASK}
    lasting = asks and not from_above and not rules & {"person_ask", "taint", EACH_TIME, AS_ORGANIZATION}
    is_x = facts.classified is not None and facts.classified.tool_class is ToolClass.UNKNOWN
    return Decision(
        effect=deciding.effect,
        rule=deciding.rule,
        reason=deciding.words,
        how=How.PASSKEY if asks and by_passkey else How.CLICK,
        classified=_raised(facts),
        may_remember=lasting and (not by_passkey or is_x),
        may_stand=asks and not from_above and kind is not ToolClass.VERTICAL and not rules & {"taint", EACH_TIME},
        for_tool=asks and rules == {"first_read"},
        chain=tuple(chain),
    )


def _only_by_choice(facts: Facts, chain: list[Step]) -> bool:
    """Whether an unknown tool that the person allowed is asked for by a ceiling alone: then a click is enough."""
    return (
        facts.classified is not None
        and facts.classified.tool_class is ToolClass.UNKNOWN
        and facts.tool is not None
        and allow_holds(facts, facts.classified)
        and not any(step.level in ("class", "taint") for step in chain)
    )
