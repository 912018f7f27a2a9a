"""The class that the desk gives each tool of what it approves (S-26, S-27): what was read off it, or another, with why.

Raising needs no reason but the decision's; what is put below what its own words give away needs one of its own. A class
is for the very definition that was looked at: a tool that changes afterwards has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, get_args

import msgspec

from valetkey.directory.listings import Class, ReviewedTool
from valetkey.kernel.errors import BadInput, printable

ORDER: Final[tuple[Class, ...]] = get_args(Class)
"""The gravest last."""
_LONGEST_WHY: Final = 300


@dataclass(frozen=True, slots=True)
class Grade:
    """What a reviewer says of one tool."""

    is_a: str
    why: str = ""


def graded(seen: Sequence[ReviewedTool], given: Mapping[str, Grade]) -> tuple[ReviewedTool, ...]:
    """The tools as they are approved. Raises `BadInput` that names the tool."""
    if unknown := given.keys() - {tool.name for tool in seen}:
        raise BadInput(f"The review saw no tool {printable(sorted(unknown)[0], limit=80)}.", field="classes")
    return tuple(_graded(tool, given[tool.name]) if tool.name in given else tool for tool in seen)


def said(seen: Sequence[ReviewedTool], approved: Sequence[ReviewedTool], given: Mapping[str, Grade]) -> list[str]:
    """What the desk changed, a sentence for each tool: the trail has all of them, and the publisher reads them."""
    return [
        f"{printable(now.name, limit=80)}: {before.is_a} → {now.is_a}. {given[now.name].why.strip()}".strip()
        for before, now in zip(seen, approved, strict=True)
        if before.is_a != now.is_a
    ]


def _graded(tool: ReviewedTool, grade: Grade) -> ReviewedTool:
    name, why = printable(tool.name, limit=80), grade.why.strip()
    is_a = next((one for one in ORDER if one == grade.is_a), None)
    if is_a is None:
        raise BadInput(f"{name} cannot be {printable(grade.is_a, limit=40)}.", field="classes", hint=", ".join(ORDER))
    if len(why) > _LONGEST_WHY:
        raise BadInput(f"Why {name} is {is_a} is said in at most {_LONGEST_WHY} characters.", field="classes")
    if ORDER.index(is_a) < ORDER.index(tool.is_a) and not why:
        raise BadInput(
            f"{name} is {tool.is_a} by what can be seen of it.", field="classes",
            hint=f"Say why it is {is_a}, or leave it.",
        )  # fmt: skip
    return msgspec.structs.replace(tool, is_a=is_a)
