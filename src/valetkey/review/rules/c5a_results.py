"""5.A Errors that help, and 5.B Frugal: what tools answer, and how long it all is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from valetkey.review.arguments import are_its_own
from valetkey.review.model import CannotSay, Crawl, Finding, Rule, Severity, Stage, Trial
from valetkey.review.texts import MAX_READ, MAX_RESULTS, MAX_TEXTS, folded, named, word_set
from valetkey.review.words import parameters, verb_of

_TRACE: Final = re.compile(
    r"traceback \(most recent call last\)|\bat [\w$.<>]+ \([^)]{1,200}:\d+:\d+\)|^[ \t]*at [\w.$]+\([\w.]+\.java:\d+\)|"
    r'\bfile "[^"]{1,200}", line \d+|\bgoroutine \d+ \[|\bpanic: ',
    re.MULTILINE,
)
_SAYS_NOTHING: Final = re.compile(
    r"(?:error:? ?)?(?:something went wrong|an? (?:unknown|unexpected|internal) error(?: occurred)?|"
    r"internal(?: server)? error|oops|error|failed|bad request|invalid (?:request|input))[.!]?"
)
_A_TOOL, _ALL, _FAR_TOO_MUCH = 5_000, 16_000, 32_000  # tokens
_RESULT_TOKENS, _RESULT_CHARS = 25_000, 150_000
_PER_TOKEN: Final = 4
_VOLATILE: Final = re.compile(r"\b(?:trace|request|session|correlation|span)[_-]?id\"?\s*[:=]\s*\"?[\w-]{16,}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{2000,}")
_PAGING: Final = word_set("cursor page offset limit per_page page_size pagesize max_results maxresults count")
_LONG_LIST: Final = 100


def _errors(crawl: Crawl) -> Iterator[Finding]:
    own = {tool.name for tool in crawl.tools if are_its_own(tool)}
    for call in crawl.trials.calls if crawl.trials is not None else ():
        where = f"tool {named(call.tool)}, called with {_kind(call)}"
        if call.forbidden:
            yield Finding(
                Severity.HOLD,
                where,
                "The account may not call it (HTTP 403), so nothing is known of what it answers.",
                "Give the account what its tools need.",
            )
        elif not call.answered:
            # A task may take its time; a wrong parameter is seen at once.
            yield Finding(
                Severity.HOLD if call.kind == "valid" else Severity.BLOCK,
                where,
                f"No answer came: {call.problem}",
                "Answer every call within ten seconds, if need be with an error.",
            )
        elif match := _TRACE.search(call.text[:MAX_READ].casefold()):
            yield Finding(
                Severity.BLOCK, where, "It answers with a stack trace.", "Say what was wrong with the call.", match[0]
            )
        elif call.kind in ("missing", "wrong type") and not call.failed:
            yield Finding(
                Severity.WARN, where, "It answers as if nothing were wrong.", "Say which parameter cannot be used."
            )
        elif call.failed and call.kind != "valid" and _SAYS_NOTHING.fullmatch(folded(call.text)):
            yield Finding(
                Severity.WARN, where, "The error does not say what is wrong.", "Name the parameter.", call.text[:200]
            )
        elif call.failed and call.kind == "valid" and call.tool in own:
            yield Finding(
                Severity.HOLD,
                where,
                "It fails with what its own schema says is right.",
                "See that every tool succeeds as its schema and examples say.",
                call.text[:200],
            )
        elif call.failed and call.kind == "valid":
            yield Finding(
                Severity.WARN,
                where,
                "It fails. The arguments were made from its schema, and may be to blame.",
                "Give parameters `examples` or defaults that work.",
                call.text[:200],
            )


def _kind(call: Trial) -> str:
    return {
        "valid": "generated arguments",
        "missing": "a parameter missing",
        "wrong type": "a parameter of the wrong type",
        "unknown id": "an id that does not exist",
        "oversize": "a parameter that is too long",
        "empty": "an empty parameter",
    }[call.kind]


def _definitions(crawl: Crawl) -> Iterator[Finding]:
    sizes = [(tool.name, tokens(tool.definition)) for tool in crawl.tools]
    total = sum(size for _name, size in sizes) + len(crawl.lists.instructions if crawl.lists else "") // _PER_TOKEN
    for name, size in sizes:
        if size > _A_TOOL:
            # Beyond what `texts` reads nothing was looked for, so somebody must.
            severity = Severity.HOLD if size * _PER_TOKEN > MAX_READ else Severity.WARN
            yield Finding(
                severity, f"tool {named(name)}", f"Its definition takes about {size} tokens.", f"Stay below {_A_TOOL}."
            )
    if total > _ALL:
        severity = Severity.HOLD if total > _FAR_TOO_MUCH else Severity.WARN
        yield Finding(
            severity,
            "definitions together",
            f"They take about {total} tokens.",
            f"Stay below {_ALL}: fewer, shorter tools.",
        )
    for text in crawl.texts:
        if not text.tool and len(text.raw) > MAX_READ:
            yield Finding(Severity.HOLD, text.where, f"It has more than {MAX_READ} characters.", "Say it shorter.")
    for kind in crawl.lists.left_out if crawl.lists is not None else ():
        yield Finding(
            Severity.HOLD,
            f"list of {kind}",
            "It is so long that its end was not looked at.",
            "Make fewer, shorter ones.",
        )
    if len(crawl.texts) >= MAX_TEXTS:
        yield Finding(
            Severity.HOLD,
            "definitions together",
            f"They have more than {MAX_TEXTS} texts.",
            "Make fewer, shorter tools.",
        )


def tokens(value: object) -> int:
    """About how many: four characters each, which errs upwards for English."""
    return len(json.dumps(value, ensure_ascii=False, default=str)) // _PER_TOKEN


def _results(crawl: Crawl) -> Iterator[Finding]:
    tried = crawl.trials.calls if crawl.trials is not None else ()
    calls = [call for call in tried if call.kind == "valid" and call.answered and not call.failed]
    if any(call.is_cut for call in tried) or sum(len(call.text) + len(call.beside) for call in tried) > MAX_RESULTS:
        yield Finding(
            Severity.HOLD, "results", "They are so long that their end was not looked at.", "Give less, in pages."
        )
    if not calls:
        raise CannotSay("no tool could be called")
    for call in calls:
        where = f"result of tool {named(call.tool)}"
        if call.size > _RESULT_CHARS or call.size // _PER_TOKEN > _RESULT_TOKENS:
            yield _warn(where, f"It has {call.size} characters.", "Give less, in pages.")
        if match := _VOLATILE.search(call.text[:MAX_READ]):
            yield _warn(where, "It holds ids that mean nothing to a model.", "Leave them out.", match[0])
        if _BASE64.search(call.text):
            yield _warn(where, "It holds data in base64.", "Give a link instead.")
        if _is_long_list(call) and not _pages(crawl, call.tool):
            yield _warn(where, f"It is a list of more than {_LONG_LIST}, and cannot be had in pages.", "Add a cursor.")


def _is_long_list(call: Trial) -> bool:
    values = call.structured.values() if isinstance(call.structured, dict) else [call.structured]
    return verb_of(call.tool) in ("list", "search", "find") and any(
        isinstance(value, list) and len(value) > _LONG_LIST for value in values
    )


def _pages(crawl: Crawl, name: str) -> bool:
    tool = next((tool for tool in crawl.tools if tool.name == name), None)
    return tool is not None and any(parameter.name.lower() in _PAGING for parameter in parameters(tool))


def _warn(where: str, says: str, do: str, quote: str = "") -> Finding:
    return Finding(Severity.WARN, where, says, do, quote)


RULES = (
    Rule("L-501", "5.A", "Errors are specific and come soon", Stage.TRIALS, _errors),
    Rule("L-502", "5.B", "Definitions are short", Stage.LISTS, _definitions),
    Rule("L-503", "5.B", "Results are short", Stage.TRIALS, _results),
)
