"""What only a hub knows of a connector, and is handed to whoever judges it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from valetkey.review.model import SeenTool


@dataclass(frozen=True, slots=True)
class OtherListing:
    """Somebody else's place in the directory."""

    name: str
    host: str
    tools: tuple[str, ...] = ()
    about: str = ""
    definitions: frozenset[str] = frozenset()
    """The fingerprints of its tools as they were reviewed."""
    icon: int = 0
    """How its icon looks (`submissions.likeness`); 0 for none, or for one that has no features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What only a hub knows. `None` is *not known here*, and the rules that need it are not run."""

    others: tuple[OtherListing, ...] | None = None
    seen: tuple[SeenTool, ...] | None = None
    """The tools as people's own sessions see them."""
    icon: int = 0
    """How its own icon looks."""
    failures: float | None = None
    """The share of calls that fail (DIR-12)."""
    accepted: frozenset[str] | None = None
    """Versions of this policy that the publisher accepted."""


NOTHING_RECORDED = Records()
