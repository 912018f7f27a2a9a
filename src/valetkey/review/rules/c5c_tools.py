"""5.C Tool names and 5.E Hints: what a client needs to list a tool and to tell reading from writing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from valetkey.review.model import Crawl, Finding, Rule, SeenTool, Severity, Stage
from valetkey.review.texts import named
from valetkey.review.words import DESTROYS, PAYS, READS, WRITES, parameters

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WITH_DOTS: Final = re.compile(r"[A-Za-z0-9_./-]{1,64}")
_PREFIXED: Final = 50
_CHOOSES: Final = frozenset({"method", "action", "operation", "op", "command", "verb", "http_method", "mode"})
_REQUESTED_BY: Final = frozenset({"method", "verb", "http_method", "httpmethod", "request_method"})
_REQUESTED_AT: Final = frozenset({"path", "url", "uri", "endpoint", "route", "resource_path"})
_WORD: Final = re.compile(r"[a-z]+")
_READING: Final = READS | {"head", "options"}
_WRITING: Final = WRITES | DESTROYS | PAYS


def _names(crawl: Crawl) -> Iterator[Finding]:
    for tool in crawl.tools:
        where = f"tool {named(tool.name)}"
        if not _NAME.fullmatch(tool.name):
            dotted = _WITH_DOTS.fullmatch(tool.name) is not None
            yield Finding(
                Severity.WARN if dotted else Severity.BLOCK,
                where,
                "Its name has a dot or slash, which many clients do not take."
                if dotted
                else "Its name is not made of 1 to 64 letters, digits, “_” and “-”.",
                "Call it otherwise.",
            )
        elif len(tool.name) > _PREFIXED:
            yield Finding(
                Severity.WARN,
                where,
                "Clients put their own words before it, and it becomes too long.",
                f"Stay below {_PREFIXED}.",
            )
    for name, count in sorted(Counter(tool.name.lower() for tool in crawl.tools).items()):
        if count > 1:
            yield Finding(Severity.BLOCK, f"tool {named(name)}", f"{count} tools have this name.", "Name each once.")


def _hints(crawl: Crawl) -> Iterator[Finding]:
    for tool in crawl.tools:
        where, hints = f"tool {named(tool.name)}: annotations", tool.annotations
        reads, destroys = hints.get("readOnlyHint"), hints.get("destructiveHint")
        if not tool.title.strip():
            yield Finding(Severity.BLOCK, f"tool {named(tool.name)}", "It has no title.", "Give it one for people.")
        if not isinstance(reads, bool) and not isinstance(destroys, bool):
            yield Finding(
                Severity.BLOCK,
                where,
                "It does not say whether it reads or destroys.",
                "Set readOnlyHint or destructiveHint.",
            )
        if reads is True and destroys is True:
            yield Finding(Severity.BLOCK, where, "It says that it only reads and that it destroys.", "Decide.")
        unsaid = [hint for hint in _further(tool) if not isinstance(hints.get(hint), bool)]
        if unsaid:
            yield Finding(Severity.WARN, where, f"It does not say {' and '.join(unsaid)}.", "Set them.")


def _further(tool: SeenTool) -> tuple[str, ...]:
    return ("openWorldHint",) if tool.reads_only else ("openWorldHint", "idempotentHint")


def _one_thing(crawl: Crawl) -> Iterator[Finding]:
    for tool in crawl.tools:
        where = f"tool {named(tool.name)}"
        for (path, is_listed), words in _choices(tool).items():
            verbs = {re.split(r"[^a-z]", word)[0] for word in words}
            if verbs & _READING and verbs & _WRITING:
                yield Finding(
                    Severity.BLOCK if is_listed else Severity.HOLD,  # what a sentence means, a person reads
                    f"{where}, parameter {named(path)}",
                    "It chooses between reading and writing, so nobody can allow the one without the other.",
                    "Make them tools of their own.",
                    ", ".join(sorted(words)[:8]),
                )
        free = {one.name.lower() for one in parameters(tool) if one.is_text}
        if free & _REQUESTED_BY and free & _REQUESTED_AT:
            yield Finding(
                Severity.BLOCK,
                where,
                "It makes whatever request there is, so nobody can tell reading from writing.",
                "Give each thing that it can do a tool of its own.",
                ", ".join(sorted(free & (_REQUESTED_BY | _REQUESTED_AT))),
            )


def _choices(tool: SeenTool) -> Mapping[tuple[str, bool], set[str]]:
    """Parameters that say what is to be done, and the words that may stand there: as the schema lists them, or, where

    any text may, as its description names them.
    """
    found: dict[tuple[str, bool], set[str]] = {}
    for parameter in parameters(tool):
        if parameter.name.lower() not in _CHOOSES:
            continue
        choices = parameter.schema.get("enum")
        listed = [*(choices if isinstance(choices, list) else ()), parameter.schema.get("const", "")]
        found.setdefault((parameter.path, True), set()).update(str(word).lower() for word in listed)
        if parameter.is_text:
            found.setdefault((parameter.path, False), set()).update(_WORD.findall(parameter.description.lower()))
    return found


RULES = (
    Rule("L-504", "5.C", "Tool names fit everywhere", Stage.LISTS, _names),
    Rule("L-508", "5.E", "Tools have titles and hints", Stage.LISTS, _hints),
    Rule("L-509", "5.E", "No tool both reads and writes", Stage.LISTS, _one_thing),
)
