"""What a person says about the tools of a connection: allow, ask or block, one by one, or all at once by a level.

A level is not kept: it is turned into a setting for each tool as it is defined now, which the person sees and can
change. So a tool that comes later has none, and is asked for (PERM-10, PERM-13).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

from valetkey.directory.model import Snapshot, Tool
from valetkey.identity.model import Principal
from valetkey.kernel.errors import Refused, printable
from valetkey.policy.decide import allow_holds, always_allowed, decide
from valetkey.policy.gate import Gate, Subject
from valetkey.policy.held import HELD, held_words
from valetkey.policy.model import Decision, Effect, Permission, Setting, Step
from valetkey.policy.permissions import Permissions
from valetkey.policy.tool_class import RANK, Classified, ToolClass

_NAMES_IN_TRAIL: Final = 20

Said = tuple[Tool, Setting]
"""A tool as it was looked at, and what is said about it."""


class Level(StrEnum):
    """How much a person wants to be asked about one connection (PERM-13)."""

    ALWAYS_ASK = "always_ask"
    BEFORE_CHANGES = "before_changes"
    BEFORE_IMPORTANT = "before_important"
    ALLOW = "allow"


_ALLOWED: Final[Mapping[Level, frozenset[ToolClass]]] = {
    Level.ALWAYS_ASK: frozenset(),
    Level.BEFORE_CHANGES: frozenset({ToolClass.READ}),
    Level.BEFORE_IMPORTANT: frozenset({ToolClass.READ, ToolClass.LOW_WRITE}),
    Level.ALLOW: frozenset({ToolClass.READ, ToolClass.LOW_WRITE, ToolClass.MEDIUM, ToolClass.UNKNOWN}),
}


class TrailWriter(Protocol):
    async def write(
        self, event: str, *, actor: str, organization_id: str = "", person_id: str = "", object: str = "",
        detail: dict[str, object] = ...,
    ) -> None: ...  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """A tool with what its person said about it, and what comes of that.

    `said` is none when nothing was said, or an *allow* does not hold any more (`has_lapsed`). `unsaid` is what holds
    where nothing is said. `never` says why the tool cannot be always allowed, `never_rule` by which rule; both are
    empty where it can.
    """

    tool: Tool
    classified: Classified
    said: Setting | None
    has_lapsed: bool
    decision: Decision
    unsaid: Effect
    never: str
    never_rule: str

    def at(self, level: Level) -> Setting | None:
        """What the level says about this tool. A block is the person's own word: no level takes it back (PERM-01)."""
        if self.said is Setting.BLOCK:
            return Setting.BLOCK
        if level is Level.ALWAYS_ASK:
            return Setting.ASK
        # In one go nobody has looked at each tool: what nothing is known of, and may be anything, is left to its class.
        known = RANK[self.classified.counts_as] <= RANK["M"]
        allows = known and self.classified.tool_class in _ALLOWED[level] and not self.never
        return Setting.ALLOW if allows else None


def level_of(choices: Sequence[Choice]) -> Level | None:
    """The level that says of each tool what its person said; none when they chose otherwise, or there are no tools."""
    return next((each for each in Level if choices and all(one.at(each) is one.said for one in choices)), None)


def why_not(level: Level, choices: Sequence[Choice]) -> str:
    """Why a level cannot be had; empty where it can. *Allow* needs an organization that leaves it to the person."""
    if level is not Level.ALLOW:
        return ""
    asks = (
        step.words
        for one in choices
        for step in one.decision.chain
        if step.level in ("organization", "role") and step.effect is Effect.ASK
    )
    return next(asks, "")


class Choices:
    """Reads and writes what a person says. Whose connection it is, the caller has made sure of."""

    def __init__(self, gate: Gate, permissions: Permissions, trail: TrailWriter) -> None:
        self._gate = gate
        self._permissions = permissions
        self._trail = trail

    async def read(self, who: Principal, place: Subject, tools: Sequence[Tool]) -> Sequence[Choice]:
        """Each of these tools of the connection that `place` names."""
        return [await self._choice(who, replace(place, tool=tool)) for tool in tools]

    async def say(
        self, who: Principal, place: Subject, said: Sequence[Said], taken_back: Sequence[str] = (), *, actor: str,
        level: str = "",
    ) -> None:  # fmt: skip
        """Writes down what was said, all of it or nothing, and before that the trail. Of the tools in `taken_back`, by
        name, nothing is said any more: their classes decide.

        Raises `Refused` for an *allow* that cannot be had, `NotFound` when the connection is gone.
        """
        wanted = [tool for tool, setting in said if setting is Setting.ALLOW]
        for one in await self.read(who, place, wanted):
            if one.never:
                name = printable(one.tool.name, limit=60)
                raise Refused(f"“{name}” cannot be always allowed. {one.never}", rule=one.never_rule, path=place.page)
        before = await self._permissions.given(place.connection_id)
        await self._trail.write(
            "permissions.set",
            actor=actor,
            organization_id=who.organization_id,
            person_id=who.person_id,
            object=place.connection_id,
            detail=_told(said, taken_back, before) | ({"level": level} if level else {}),
        )
        given = [(tool, setting, (await self._gate.classified(place, tool)).to_keep) for tool, setting in said]
        await self._permissions.set(place.connection_id, given, taken_back)

    async def set_level(
        self, who: Principal, place: Subject, tools: Sequence[Tool], level: Level, *, actor: str
    ) -> None:
        """Says of each of these tools what the level says. Raises `Refused` where it cannot be had."""
        choices = await self.read(who, place, tools)
        if reason := why_not(level, choices):
            raise Refused(f"This level cannot be had here. {reason}", rule="ceiling_ask", path=place.page)
        said, taken_back = [], []
        for one in choices:
            setting = one.at(level)
            if setting is not None and (setting is not one.said or one.has_lapsed):
                said.append((one.tool, setting))
            elif setting is None and (one.said is not None or one.has_lapsed):
                taken_back.append(one.tool.name)
        await self.say(who, place, said, taken_back, actor=actor, level=level.value)

    async def explain(self, who: Principal, place: Subject, snapshot: Snapshot | None, name: str) -> Decision:
        """What would be decided about a call of this tool now, held back or not."""
        tool = snapshot.tool(name) if snapshot is not None else None
        held = snapshot.held_tool(name) if snapshot is not None and tool is None else None
        if held is not None and place.connector.state == "enabled":
            words = held_words(held.kind, place.public_url + place.page)
            step = Step("platform", HELD[held.kind], Effect.DENY, words)
            return Decision(Effect.DENY, step.rule, words, chain=(step,))
        return await self._gate.decide(who, replace(place, tool=tool))

    async def _choice(self, who: Principal, subject: Subject) -> Choice:
        facts = await self._gate.facts(who, subject)
        assert facts.tool is not None and facts.classified is not None  # noqa: PT018  the tool was handed in
        given = facts.permission
        was_allowed = given is not None and given.setting is Setting.ALLOW
        has_lapsed = was_allowed and not allow_holds(facts, facts.classified)
        allowed = always_allowed(facts)
        return Choice(
            tool=facts.tool,
            classified=facts.classified,
            said=given.setting if given is not None and not has_lapsed else None,
            has_lapsed=has_lapsed,
            decision=decide(facts),
            unsaid=decide(replace(facts, permission=None, held="")).effect,
            never="" if allowed.effect is Effect.ALLOW else allowed.reason,
            never_rule="" if allowed.effect is Effect.ALLOW else allowed.rule,
        )


def _told(said: Sequence[Said], taken_back: Sequence[str], before: Mapping[str, Permission]) -> dict[str, object]:
    """For the trail, whose events are small: how many, the first of them by name, and of these what was said before."""
    names: dict[str, list[str]] = {}
    was: dict[str, list[str]] = {}
    whole = [*((tool.name, setting.value) for tool, setting in said), *((name, "as_its_class") for name in taken_back)]
    for name, setting in whole[:_NAMES_IN_TRAIL]:
        plain = name.encode("ascii", "backslashreplace").decode()
        names.setdefault(setting, []).append(printable(plain, limit=60))
        if name in before:
            was.setdefault(before[name].setting.value, []).append(printable(plain, limit=60))
    return {"tools": len(whole), **names, **({"before": was} if was else {})}
