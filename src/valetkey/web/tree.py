"""A JSON value as a key/value tree for people: every string revealed, every size bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_DEEPEST = 24
_MOST_NODES = 2000
_LONG = 400
_NO_LIMIT = 1 << 30


@dataclass(frozen=True, slots=True)
class Node:
    """One line of the tree. `text` is the value of a leaf (`kind`: text, number, word), or a remark (`kind`: note)."""

    label: str
    kind: str
    text: str = ""
    children: tuple[Node, ...] = ()

    @property
    def is_long(self) -> bool:
        return len(self.text) > _LONG or self.text.count("\n") > 12

    @property
    def grouped(self) -> str:
        """A long number or an IBAN as people read and compare it, beside how it is sent; empty for all else."""
        if self.kind == "number" and (whole := _WHOLE.fullmatch(self.text)):
            return whole[1] + f"{int(whole[2]):,}".replace(",", "\u00a0") + whole[3]
        if self.kind == "text" and _IBAN.fullmatch(self.text):
            return "\u00a0".join(self.text[at : at + 4] for at in range(0, len(self.text), 4))
        return ""


_WHOLE = re.compile(r"(-?)([1-9]\d{4,29})((?:\.\d{1,9})?)")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
"""By its form alone: whether it is one, and whose, nobody here knows."""


class _Pairs(list[tuple[str, object]]):
    """An object with its members in order, twins included: what was sent twice is shown twice."""


def read_tree(body: bytes) -> Node:
    """The tree of a JSON document; text that is not JSON becomes one leaf."""
    text = body.decode("utf-8", "backslashreplace")
    try:
        # parse_int/parse_float keep digits as written: 1e400 and 2**70 are shown as they are, not as we round them.
        value = json.loads(text, object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        return Node("", "text", text)
    return _node("", value, depth=0, budget=iter(range(_MOST_NODES)))


def read_whole(body: bytes) -> Node:
    """As `read_tree`, with nothing left out: for what a person is to agree to. `body` passed the scan of the door,

    which bounds its depth and size.
    """
    value = json.loads(body.decode(), object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number)
    return _node("", value, depth=-_NO_LIMIT, budget=iter(range(_NO_LIMIT)))


def has_long(node: Node) -> bool:
    """Whether anything in the tree is folded until somebody opens it."""
    return (node.kind == "text" and node.is_long) or any(has_long(child) for child in node.children)


class _Number(str):
    pass


def _node(label: str, value: object, *, depth: int, budget: Iterator[int]) -> Node:
    if isinstance(value, _Pairs):
        return _branch(label, "object", value, depth=depth, budget=budget)
    if isinstance(value, list):
        return _branch(label, "list", [(str(n), item) for n, item in enumerate(value, 1)], depth=depth, budget=budget)
    if isinstance(value, _Number):
        return Node(label, "number", value)
    if isinstance(value, str):
        return Node(label, "text", value)
    # JSON's three words; a key of another type falls through to its own text.
    return Node(label, "word", {None: "null", True: "true", False: "false"}.get(value, str(value)))  # type: ignore[call-overload]


def _branch(label: str, kind: str, items: list[tuple[str, object]], *, depth: int, budget: Iterator[int]) -> Node:
    if depth >= _DEEPEST:
        return Node(label, "note", f"{len(items)} more inside, not shown here")
    children = []
    for shown, (name, item) in enumerate(items):
        if next(budget, None) is None:
            children.append(Node("", "note", f"{len(items) - shown} more, not shown here"))
            break
        children.append(_node(name, item, depth=depth + 1, budget=budget))
    return Node(label, kind, f"{len(items)}", tuple(children))
