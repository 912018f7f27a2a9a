"""2.B Does what it says: names, descriptions and hints agree, and reading changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from valetkey.review.model import CannotSay, Crawl, Finding, Rule, Severity, Stage
from valetkey.review.texts import folded, named
from valetkey.review.words import DESTROYS, PAYS, READS, WRITES, verb_of, words_of

_WRITING: Final = WRITES | PAYS
_RUNS: Final = frozenset({"run", "execute", "start", "check"})  # a query is run, too


def _changes_nothing(crawl: Crawl) -> Iterator[Finding]:
    witnesses = crawl.trials.witnesses if crawl.trials is not None else ()
    steady = [witness for witness in witnesses if witness.before == witness.again]
    if not steady:
        raise CannotSay("no read-only tool answers the same twice, so no change could be seen")
    for witness in steady:
        if witness.after != witness.again:
            yield Finding(
                Severity.HOLD,
                f"tool {named(witness.tool)}",
                "After read-only tools were called, it answers otherwise than before: one of them changed something.",
                "Find out which tool writes, and take its readOnlyHint away.",
            )


def _hints_agree(crawl: Crawl) -> Iterator[Finding]:
    for tool in crawl.tools:
        says, hints = _says(tool.name, tool.description), tool.annotations
        if says & (_WRITING | DESTROYS) and hints.get("readOnlyHint") is True:
            yield _contradiction(tool.name, says, "readOnlyHint is true")
        elif says & DESTROYS and hints.get("destructiveHint") is False:
            yield _contradiction(tool.name, says, "destructiveHint is false")


def _says(name: str, description: str) -> frozenset[str]:
    """The writing verbs that a tool is called or described by: the verb of its name, and one after *and*."""
    words = words_of(folded(name) if not name.isascii() else name)
    said = {verb_of(name)}
    said |= {word for before, word in pairwise(words) if before in ("and", "or")}
    begins = words_of(folded(description)[:40])[:1]
    said |= {stem for word in begins for stem in (word, word.removesuffix("s"), word.removesuffix("es"))}
    if said & READS and verb_of(name) in READS:
        said &= DESTROYS | _WRITING
    return frozenset(said & (_WRITING | DESTROYS)) - _RUNS


def _contradiction(name: str, says: frozenset[str], hint: str) -> Finding:
    return Finding(
        Severity.BLOCK,
        f"tool {named(name)}: annotations",
        f"Its name or description says {', '.join(sorted(says))}, and {hint}.",
        "Set the hints to what the tool does.",
    )


RULES = (
    Rule("L-203", "2.B", "Reading changes nothing", Stage.TRIALS, _changes_nothing),
    Rule("L-204", "2.B", "Names, descriptions and hints agree", Stage.LISTS, _hints_agree),
)
