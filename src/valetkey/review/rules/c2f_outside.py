"""2.F Nothing to obey from outside: results hold no orders, and everybody is shown the same definitions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from valetkey.review.model import CannotSay, Crawl, Finding, Lists, Rule, SeenTool, Severity, Stage
from valetkey.review.phrases import AGAINST_OTHERS, FROM_OUTSIDE, ORDERS, found
from valetkey.review.texts import named

Faces = Mapping[tuple[str, str], Sequence[object]]
_UNREAD: Final = object()
"""Of a page that was not looked at, for want of time: `L-512` says so."""


def _outside(crawl: Crawl) -> Iterator[Finding]:
    for text, match in found(FROM_OUTSIDE, (*crawl.texts, *crawl.results)):
        yield _hold(text.where, "It sends the model elsewhere for orders.", "Put what the model must know here.", match)
    for text, match in found(ORDERS + AGAINST_OTHERS, crawl.results):
        yield _hold(text.where, "A result gives orders to the model.", "Let results be data.", match)
    if crawl.lists is None:
        raise CannotSay("no tools were listed")
    if crawl.lists.again is None:
        yield _hold("lists", "The next visitor was shown nothing, or too late.", "Show everybody the same definitions.")
    else:
        yield from _differ(_shown(crawl.lists), _shown(crawl.lists.again), "the second time")
    if crawl.records.seen is not None:
        yield from _differ(_tools(crawl.lists.tools), _tools(crawl.records.seen), "in people's own sessions")


def _differ(crawled: Faces, others: Faces, when: str) -> Iterator[Finding]:
    """A server that shows reviewers one thing and people another is found by nothing but the comparison."""
    for what, name in sorted(crawled.keys() | others.keys()):
        here, there = crawled.get((what, name), []), others.get((what, name), [])
        if here != there and _UNREAD not in (*here, *there):
            how = "is missing" if not there else "appears" if not here else "is another"
            where = f"{what} {named(name)}" if name else what
            yield _hold(where, f"It {how} {when}.", "Show everybody the same definitions.")


def _shown(lists: Lists) -> Faces:
    """All that a model or a person is shown of it, by what it is and its name, of which a server may have several.

    Resources are left out: they come and go as files do.
    """
    pages = [(page.uri, _UNREAD if page.left_out else replace(page, problem=page.problem[:1])) for page in lists.apps]
    return {
        ("instructions", ""): [lists.instructions],
        **_by_name("prompt", ((str(prompt.get("name", "")), prompt) for prompt in lists.prompts)),
        **_by_name("page", pages),
        **_tools(lists.tools),
    }


def _tools(tools: Sequence[SeenTool]) -> Faces:
    return _by_name("tool", ((tool.name, tool.fingerprint) for tool in tools))


def _by_name(what: str, things: Iterable[tuple[str, object]]) -> Faces:
    faces: dict[tuple[str, str], list[object]] = {}
    for name, thing in things:
        faces.setdefault((what, name), []).append(thing)
    return faces


def _hold(where: str, says: str, do: str, quote: str = "") -> Finding:
    return Finding(Severity.HOLD, where, says, do, quote)


RULES = (Rule("L-208", "2.F", "Nothing is obeyed from outside", Stage.LISTS, _outside),)
