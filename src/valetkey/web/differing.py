"""In what two calls of one tool differ, argument by argument: what a person looks at who said yes to such a one before.

A hint where to look, and no more: what is agreed to stands whole above it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from valetkey.web.tree import Node

_MOST = 100
_SHORT = 120
_LEAD = 40


@dataclass(frozen=True, slots=True)
class Differing:
    """One place, as the names that lead to it; a side is `None` where nothing is."""

    path: tuple[str, ...]
    before: Node | None
    now: Node | None

    @property
    def where(self) -> str:
        return " › ".join(self.path)

    @property
    def begins(self) -> int:
        """From which character on two long texts are worth showing: a little before they part."""
        one, other = (node.text if node is not None else "" for node in (self.before, self.now))
        if min(len(one), len(other)) <= _SHORT:
            return 0
        parted = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), _SHORT)
        return max(0, parted - _LEAD)


def differing(before: Node, now: Node) -> list[Differing]:
    """The places in which the arguments differ, those of `now` first and in its order."""
    was, here = dict(_leaves(before)), dict(_leaves(now))
    found = [Differing(path, was.get(path), leaf) for path, leaf in here.items() if not _same(was.get(path), leaf)]
    return (found + [Differing(path, leaf, None) for path, leaf in was.items() if path not in here])[:_MOST]


def _same(one: Node | None, other: Node) -> bool:
    return one is not None and (one.kind, one.text) == (other.kind, other.text)


def _leaves(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    if not node.children:
        if path:
            yield path, node
        return
    twins: Counter[str] = Counter()
    names: Mapping[str, int] = Counter(child.label for child in node.children)
    for child in node.children:
        twins[child.label] += 1
        label = child.label if names[child.label] == 1 else f"{child.label} ({twins[child.label]})"
        yield from _leaves(child, (*path, label))
