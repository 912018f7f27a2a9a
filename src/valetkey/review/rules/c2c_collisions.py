"""2.C Not to be confused with others: its name, tools and texts are no other listing's, and name none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from valetkey.review.model import CannotSay, Crawl, Finding, Rule, Severity, Stage
from valetkey.review.records import OtherListing
from valetkey.review.texts import folded, named

_MOST_SHARED: Final = 0.5
_FEWEST: Final = 2
_ALIKE: Final = 0.9
_WORDS: Final = re.compile(r"\w+")


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
        yield from _same_words(crawl, other)
        for where in _naming(crawl, other.name):
            yield _hold(where, f"It names another connector, {other.name}.", "Speak of your own service only.")


def _same_words(crawl: Crawl, other: OtherListing) -> Iterator[Finding]:
    """What somebody else wrote of theirs, said of this one."""
    for tool in crawl.tools:
        if tool.fingerprint in other.definitions:
            yield _hold(
                f"tool {named(tool.name)}",
                f"It is defined word for word like one of {other.name}.",
                "Describe your own.",
            )
    listing = crawl.listing
    for where, about in (("one-liner", listing.one_liner), ("about", listing.about)) if listing is not None else ():
        its, theirs = set(_WORDS.findall(folded(about))), set(_WORDS.findall(folded(other.about)))
        if len(its) >= 4 and len(its & theirs) >= _ALIKE * len(its | theirs):
            yield _hold(
                f"listing: {where}", f"It says of itself what {other.name} says.", "Say what it does, yourself."
            )


def _naming(crawl: Crawl, name: str) -> Iterator[str]:
    """Where a text has the name as words of its own, whatever stands around it."""
    if len(name) < 4:
        return
    plain = folded(name)
    mention = re.compile(rf"(?<!\w){re.escape(plain)}(?!\w)")
    for text in crawl.texts:
        # The plain search first: there are as many patterns as listings, and texts by the thousand.
        if plain in text.plain and mention.search(text.plain):
            yield text.where


def _hold(where: str, says: str, do: str) -> Finding:
    return Finding(Severity.HOLD, where, says, do)


RULES = (Rule("L-205", "2.C", "It collides with no other listing", Stage.LISTS, _collisions),)
