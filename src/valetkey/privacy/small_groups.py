"""What may be said of many without saying it of a few: nothing counts that fewer than five stand behind (ORG-15).

Leaving small numbers out is not enough, since what is left out is the whole less what is shown. So what is too small is
said together with as much as makes it large enough; and of groups that share people none is shown that differs by a few
from one that holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

SMALLEST: Final = 5
REST: Final = ""
"""The name of what is said together."""


@dataclass(slots=True)
class Cell:
    """How many calls, how many of them reached a service, and by whom."""

    calls: int = 0
    carried: int = 0
    people: set[str] = field(default_factory=set)

    def add(self, other: Cell) -> None:
        self.calls += other.calls
        self.carried += other.carried
        self.people |= other.people


def together(cells: Iterable[Cell]) -> Cell:
    """The sum."""
    whole = Cell()
    for cell in cells:
        whole.add(cell)
    return whole


def apart(cells: Mapping[str, Cell]) -> Mapping[str, Cell]:
    """Cells of which each call is in exactly one, as they may be shown; nothing when all of them are too few."""
    rest, shown = Cell(), sorted(cells.items(), key=lambda one: len(one[1].people))
    while shown and (len(shown[0][1].people) < SMALLEST or 0 < len(rest.people) < SMALLEST):
        rest.add(shown.pop(0)[1])
    if len(rest.people) >= SMALLEST:
        shown.append((REST, rest))
    return dict(shown)


def overlapping(cells: Mapping[str, Cell], everybody: Cell) -> Mapping[str, Cell]:
    """Cells that may share people, as they may be shown beside the whole."""
    held = [everybody.people] if len(everybody.people) >= SMALLEST else []
    shown: dict[str, Cell] = {}
    for name, cell in sorted(cells.items(), key=lambda one: (-len(one[1].people), one[0])):
        differs = [len(other - cell.people) for other in held if cell.people <= other]
        if held and len(cell.people) >= SMALLEST and not any(0 < few < SMALLEST for few in differs):
            shown[name] = cell
            held.append(cell.people)
    return shown
