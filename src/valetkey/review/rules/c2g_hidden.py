"""2.G Nothing hidden: what a model reads, a person can see (T40)."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from valetkey.review.model import Crawl, Finding, Rule, Severity, Stage
from valetkey.review.phrases import (
    AGAINST_OTHERS,
    AROUND_SAFEGUARDS,
    FROM_OUTSIDE,
    MEMORY_AND_FILES,
    ORDERS,
    around,
)
from valetkey.review.texts import MAX_READ, Text, folded, is_invisible, may_join

_COMMENT: Final = re.compile(r"<!--|/\*[^/]{0,4000}?(?:ignore|instruction|system|secret|must)")
_STYLE: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?![.\d])", re.I
)
_ESCAPE: Final = re.compile("[\x1b\x9b]|\\\\(?:x1b|u001b|033)\\[", re.I)
_OPAQUE: Final = re.compile(r"(?<![\w/+-])(?:[A-Za-z0-9+/]{120,}={0,2}|[0-9a-fA-F]{120,})(?![\w/+-])")
_ROT13: Final = AROUND_SAFEGUARDS + ORDERS + AGAINST_OTHERS + FROM_OUTSIDE + MEMORY_AND_FILES
_WORD: Final = re.compile(r"\w{3,}")


def _hidden(crawl: Crawl) -> Iterator[Finding]:
    for text in crawl.texts:
        for says, quote in hidden_in(text):
            yield Finding(Severity.BLOCK, text.where, says, "Write it in plain letters, or leave it out.", quote)
    for text in crawl.results:
        if match := _ESCAPE.search(text.raw[:MAX_READ]):
            yield Finding(
                Severity.HOLD,
                text.where,
                "It holds escape sequences, which a terminal obeys.",
                "Strip them from results.",
                match[0],
            )


def hidden_in(text: Text) -> Iterator[tuple[str, str]]:
    """What a text hides from people: a sentence, and the place."""
    raw = text.raw[:MAX_READ]
    if not raw.isascii():
        if invisible := _invisible(raw):
            yield f"It holds a character that cannot be seen (U+{ord(raw[invisible[0]]):04X}).", around(raw, *invisible)
        if mixed := _mixed(raw):
            yield "A word mixes alphabets whose letters look alike.", mixed
    elif any((char < " " or char == "\x7f") and char not in "\n\r\t\x1b" for char in raw):
        yield "It holds a control character.", ""
    for pattern, says in (
        (_COMMENT, "It holds a comment, which a page would not show."),
        (_STYLE, "It holds a style that hides text."),
        (_ESCAPE, "It holds an escape sequence, which a terminal obeys."),
    ):
        if match := pattern.search(raw):
            yield says, around(raw, match.start(), match.end())
    if text.coded:
        yield "It holds coded text.", text.coded[0]
    elif match := _OPAQUE.search(raw):
        yield "It holds a long piece of code that nobody can read.", match[0][:60]
    turned = codecs.encode(text.plain, "rot13")
    if len(turned) >= 20 and any(phrase.search(turned) for phrase in _ROT13):
        yield "It holds text turned by thirteen letters (rot13).", turned[:80]


def _invisible(raw: str) -> tuple[int, int] | None:
    """Where the first invisible character stands that no emoji needs."""
    for at, char in enumerate(raw):
        if not is_invisible(char) or (char in "\u00ad" and len(raw) > 1):
            continue
        if char in "\u200d\ufe0f\ufe0e" and at and may_join(raw[at - 1]):
            continue
        return at, at + 1
    return None


def _mixed(raw: str) -> str:
    """The first word with Latin letters beside Cyrillic or Greek ones that look like Latin."""
    for match in _WORD.finditer(raw):
        word = match[0]
        if word.isascii():
            continue
        kinds = {unicodedata.name(char, "").partition(" ")[0] for char in word if char.isalpha()}
        if "LATIN" in kinds and kinds & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"} and folded(word).isascii():
            return word
    return ""


RULES = (Rule("L-209", "2.G", "Nothing is hidden from people", Stage.LISTS, _hidden),)
