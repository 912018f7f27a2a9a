"""4.A to 4.C: what the directory does not take: moving money, generated media, advertising."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from valetkey.review.model import Crawl, Finding, Rule, SeenTool, Severity, Stage
from valetkey.review.phrases import SELLING, found
from valetkey.review.texts import MAX_READ, folded, named, word_set
from valetkey.review.words import PAYS, parameters, words_of

_LINK: Final = re.compile(r"https?://|\bwww\.")
_UNRELATED: Final = 3
_MOST_LINES: Final = 2000
_MONEY: Final = word_set(
    "amount currency iban wallet payee payer beneficiary price quantity ticker recipient account sum"
)
_ORDERS: Final = frozenset({"order", "send", "submit", "place", "execute", "create", "make", "book"})
_MOVED: Final = word_set("payment payments funds money crypto order trade stock stocks bitcoin invoice transfer")
_MAKES: Final = word_set("generate create make draw render synthesize imagine paint compose")
_MADE: Final = word_set("image images picture pictures photo video videos audio music song speech voice")
_WITH_AI: Final = re.compile(
    r"\b(?:ai|diffusion|text-to-(?:image|video|speech|audio)|generative|from a (?:text )?prompt)\b"
)


def _money(crawl: Crawl) -> Iterator[Finding]:
    verified = crawl.listing is not None and crawl.listing.wants_verified
    for tool in crawl.tools:
        if not tool.reads_only and _moves_money(tool):
            yield Finding(
                Severity.BLOCK if verified else Severity.HOLD,
                f"tool {named(tool.name)}",
                "It seems to move money or to trade.",
                "Such tools are not listed as verified; a reviewer decides about others.",
            )


def _moves_money(tool: SeenTool) -> bool:
    words = set(words_of(tool.name))
    takes = {word for parameter in parameters(tool) for word in words_of(parameter.name)}
    return bool(words & PAYS and takes & _MONEY) or bool(words & _ORDERS and words & _MOVED and takes & _MONEY)


def _media(crawl: Crawl) -> Iterator[Finding]:
    for tool in crawl.tools:
        words = set(words_of(tool.name))
        says = words & _MAKES and words & _MADE
        if says or (words & _MAKES and _WITH_AI.search(folded(tool.description)) and _speaks_of_media(tool)):
            yield _makes_media(tool.name)
    for call in crawl.trials.calls if crawl.trials is not None else ():
        if call.media and set(words_of(call.tool)) & _MAKES:
            yield _makes_media(call.tool)


def _speaks_of_media(tool: SeenTool) -> bool:
    return bool(set(words_of(folded(tool.description))) & _MADE)


def _makes_media(tool: str) -> Finding:
    return Finding(
        Severity.HOLD,
        f"tool {named(tool)}",
        "It seems to make images, video or sound.",
        "Only aids for design are listed; say so if it is one.",
    )


def _advertising(crawl: Crawl) -> Iterator[Finding]:
    for text, match in found(SELLING, (*crawl.texts, *crawl.results)):
        yield Finding(Severity.HOLD, text.where, "It reads like advertising.", "Leave it out.", match)
    yield from _below_every_answer(crawl)


def _below_every_answer(crawl: Crawl) -> Iterator[Finding]:
    """One line with a link that has nothing to do with the question, for it stands in answers to different ones."""
    of: dict[str, set[str]] = {}
    for text in crawl.results:
        for line in text.raw[:MAX_READ].splitlines()[:_MOST_LINES]:
            if _LINK.search(line):
                of.setdefault(folded(line), set()).add(text.tool)
    for line, tools in sorted(of.items()):
        if len(tools) >= _UNRELATED:
            yield Finding(
                Severity.HOLD,
                f"results of {len(tools)} tools",
                "The same line with a link stands in answers of different tools.",
                "Answer what was asked, and nothing besides.",
                line,
            )


RULES = (
    Rule("L-401", "4.A", "It moves no money", Stage.LISTS, _money),
    Rule("L-402", "4.B", "It generates no media", Stage.LISTS, _media),
    Rule("L-403", "4.C", "It does not advertise", Stage.LISTS, _advertising),
)
