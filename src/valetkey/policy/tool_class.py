"""The classes of tools (security.md 6.6): how much a tool can do, and why we think so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal


class ToolClass(StrEnum):
    """How much a tool can do. The letters stand in ceilings, records and on the command line; `word` is for people."""

    READ = "R"
    LOW_WRITE = "W"
    MEDIUM = "M"
    HIGH = "H"
    VERTICAL = "V"
    UNKNOWN = "X"

    @property
    def word(self) -> str:
        """Its name in the glossary."""
        return self.name.lower().replace("_", " ")


RANK: Final[dict[str, int]] = {"": -1, "R": 0, "W": 1, "M": 2, "H": 3, "V": 4}
"""How the classes compare. `X` has no rank of its own: it counts as `M` or `H`."""

Source = Literal[
    "listing", "organization", "name", "title", "description", "schema field", "annotation", "taint", "connector"
]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a tool has at least this class: where that was seen, in a sentence a person understands."""

    source: Source
    tool_class: ToolClass
    words: str


@dataclass(frozen=True, slots=True)
class Classified:
    """A tool's class, the class whose rules it falls under, our reason in one line, and all reasons, weightiest first.

    The two differ for `UNKNOWN` alone.
    """

    tool_class: ToolClass
    counts_as: ToolClass
    because: str
    reasons: tuple[Reason, ...] = ()

    @property
    def to_keep(self) -> ToolClass | None:
        """What is written down with an *allow*. A tool of which nothing is known is allowed for what it is, not for
        what it counts as: `None`.
        """
        return None if self.tool_class is ToolClass.UNKNOWN else self.counts_as
