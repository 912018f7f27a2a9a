"""2.A Narrow, plain descriptions: long enough to tell, short enough to use, and each tool unlike the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from valetkey.review.model import Crawl, Finding, Rule, Severity, Stage, UnrunRule
from valetkey.review.texts import folded, named

_SHORTEST, _LONGEST = 20, 1024
_ALIKE: Final = 0.9
_COMPARED: Final = 200  # pairs grow with the square; whoever has more tools is held by L-502 anyway
_CATCH_ALL: Final = re.compile(
    r"\b(?:use (?:this )?(?:for|with) (?:any|every|all|anything|everything)|for any (?:question|task|request|purpose)|"
    r"(?:any|every) (?:question|task|request)s?\b|always use this|does (?:anything|everything)|whenever possible)\b"
)
_WORDS: Final = re.compile(r"\w+")


def _descriptions(crawl: Crawl) -> Iterator[Finding]:
    for tool in crawl.tools:
        where, text = f"tool {named(tool.name)}: description", folded(tool.description)
        if len(text) < _SHORTEST or text == folded(tool.name):
            yield _warn(
                where, "It says too little to choose the tool by.", "Say what it does, and when to use it.", text
            )
        elif len(tool.description) > _LONGEST:
            yield _warn(
                where, f"It has more than {_LONGEST} characters.", "Say it shorter; move details to parameters."
            )
        if match := _CATCH_ALL.search(text):
            yield _warn(where, "It claims the tool for everything.", "Name the one thing it is for.", match[0])
    words = [(tool, frozenset(_WORDS.findall(folded(tool.description)))) for tool in crawl.tools[:_COMPARED]]
    for (one, its), (other, theirs) in combinations(words, 2):
        if len(its) >= 4 and len(its & theirs) >= _ALIKE * len(its | theirs):
            yield _warn(
                f"tools {named(one.name)} and {named(other.name)}",
                "Their descriptions say the same.",
                "Say how they differ, or make them one.",
            )


def _warn(where: str, says: str, do: str, quote: str = "") -> Finding:
    return Finding(Severity.WARN, where, says, do, quote)


RULES = (
    Rule("L-201", "2.A", "Descriptions are narrow and plain", Stage.LISTS, _descriptions),
    UnrunRule("L-202", "2.A", "A model picks the right tool", "it needs a model, and none is asked"),
)
