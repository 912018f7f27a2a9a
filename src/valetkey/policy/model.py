"""The values of policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from valetkey.policy.tool_class import Classified


class Effect(StrEnum):
    """What is decided. The stricter one wins: `deny` over `ask` over `allow`."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


STRICTER: dict[Effect, int] = {Effect.ALLOW: 0, Effect.ASK: 1, Effect.DENY: 2}


class How(StrEnum):
    """How a person confirms: by a click in their signed-in browser, or by a passkey over exactly this call."""

    CLICK = "click"
    PASSKEY = "passkey"


class Setting(StrEnum):
    """What a person, or an organization as a ceiling, says about a tool."""

    ALLOW = "allow"
    ASK = "ask"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Step:
    """One link of the chain that led to a decision. `level` is who says it: platform, organization, role, class,
    person or taint.
    """

    level: str
    rule: str
    effect: Effect
    words: str


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer with its reason. `rule` is stable and goes into the record; `reason` is a sentence for people.

    `may_remember` says that the person may turn the answer into *always allow*, `may_stand` that they may confirm it
    for a while and a number of calls. `for_tool` says that a yes is for the tool, and not for one call.
    """

    effect: Effect
    rule: str
    reason: str = ""
    how: How = How.CLICK
    classified: Classified | None = None
    may_remember: bool = False
    may_stand: bool = False
    for_tool: bool = False
    chain: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Permission:
    """What a person said about a tool of one connection, in the definition (`fingerprint`) they saw.

    `tool_class` is the class it had then: what rises above it is asked for again. Empty: given before there were any.
    """

    connection_id: str
    tool: str
    fingerprint: str
    set_at: datetime
    setting: Setting = Setting.ALLOW
    tool_class: str = ""


@dataclass(frozen=True, slots=True)
class Taint:
    """Content of `connection_id` was read; `because` says in a word whose it was."""

    connection_id: str
    client_id: str
    because: str
    until: datetime


ANY = "*"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What an organization permits at most. Each of the four says where it holds; `*` is everywhere.

    `connector` is a slug, `tool` a tool's own name, `tool_class` one of R W M H V X, `role` a role's name.
    """

    id: str
    organization_id: str
    connector: str
    tool: str
    tool_class: str
    role: str
    setting: Setting
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """What an organization says: its ceilings, and the unverified connectors whose class V an owner enabled.

    `version` changes with every change of either: an approval is for the version under which it was asked.
    """

    ceilings: tuple[Ceiling, ...] = ()
    enabled: frozenset[str] = field(default_factory=frozenset)
    version: str = ""


NO_LIMITS = Limits()
