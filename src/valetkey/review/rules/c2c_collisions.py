"""2.C Not to be confused with others: its name and tools collide with no other listing, its texts name none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from valetkey.review.model import CannotSay, Crawl, Finding, Rule, Severity, Stage
from valetkey.review.texts import folded

_MOST_SHARED: Final = 0.5
_FEWEST: Final = 2


def _collisions(crawl: Crawl) -> Iterator[Finding]:
    if crawl.records.others is None:
        raise CannotSay("there is no directory here to compare with")
    others = [other for other in crawl.records.others if other.host != crawl.host]
    name = folded(crawl.listing.name) if crawl.listing is not None else ""
    tools = {folded(tool.name) for tool in crawl.tools}
    for other in others:
        shared = tools & set(map(folded, other.tools))
        if name and name == folded(other.name):
            yield _hold("listing: name", f"{other.name} is in the directory already.", "Take another name.")
        if len(shared) >= _FEWEST and len(shared) >= _MOST_SHARED * len(tools):
            yield _hold(
                "names of tools",
                f"{len(shared)} of its {len(tools)} tools are called like those of {other.name}.",
                "Give them names of your own.",
            )
        for text in crawl.texts:
            if len(other.name) >= 4 and f" {folded(other.name)} " in f" {text.plain} ":
                yield _hold(text.where, f"It names another connector, {other.name}.", "Speak of your own service only.")


def _hold(where: str, says: str, do: str) -> Finding:
    return Finding(Severity.HOLD, where, says, do)


RULES = (Rule("L-205", "2.C", "It collides with no other listing", Stage.LISTS, _collisions),)
