"""The values of policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Effect(StrEnum):
    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer with its reason. `rule` is stable and goes into the record; `reason` is a sentence for people."""

    effect: Effect
    rule: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Permission:
    """A tool that a person switched on for one connection, in the definition (`fingerprint`) they saw."""

    connection_id: str
    tool: str
    fingerprint: str
    set_at: datetime
