"""2.F Nothing to obey from outside: results hold no orders, and everybody is shown the same definitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from valetkey.review.model import CannotSay, Crawl, Finding, Rule, SeenTool, Severity, Stage
from valetkey.review.phrases import AGAINST_OTHERS, FROM_OUTSIDE, ORDERS, found
from valetkey.review.texts import named


def _outside(crawl: Crawl) -> Iterator[Finding]:
    for text, match in found(FROM_OUTSIDE, (*crawl.texts, *crawl.results)):
        yield _hold(text.where, "It sends the model elsewhere for orders.", "Put what the model must know here.", match)
    for text, match in found(ORDERS + AGAINST_OTHERS, crawl.results):
        yield _hold(text.where, "A result gives orders to the model.", "Let results be data.", match)
    if crawl.lists is None:
        raise CannotSay("no tools were listed")
    if crawl.lists.again is not None:
        yield from _differ(crawl.lists.tools, crawl.lists.again, "when they are listed a second time")
    if crawl.records.seen is not None:
        yield from _differ(crawl.lists.tools, crawl.records.seen, "in people's own sessions")


def _differ(crawled: Sequence[SeenTool], others: Sequence[SeenTool], when: str) -> Iterator[Finding]:
    """A server that shows reviewers one thing and people another is found by nothing but the comparison."""
    here, there = _prints(crawled), _prints(others)
    for name in sorted(here.keys() | there.keys()):
        if here.get(name) != there.get(name):
            what = "is missing" if name not in there else "appears" if name not in here else "is described otherwise"
            yield _hold(f"tool {named(name)}", f"It {what} {when}.", "Show everybody the same definitions.")


def _prints(tools: Sequence[SeenTool]) -> Mapping[str, str]:
    return {tool.name: tool.fingerprint for tool in tools}


def _hold(where: str, says: str, do: str, quote: str = "") -> Finding:
    return Finding(Severity.HOLD, where, says, do, quote)


RULES = (Rule("L-208", "2.F", "Nothing is obeyed from outside", Stage.LISTS, _outside),)
