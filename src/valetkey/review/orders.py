"""Whether a text of a service reads like orders to a model, or hides something: for a hub that watches, not a review.

The phrases are those of the review (L-201 … L-209). What is found is named in words of ours and never quoted: it may be
somebody's data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from valetkey.review.phrases import AGAINST_OTHERS, AROUND_SAFEGUARDS, FROM_OUTSIDE, ORDERS, found
from valetkey.review.rules.c2g_hidden import hidden_in
from valetkey.review.texts import Text, walk

_KINDS: Final = (
    (AROUND_SAFEGUARDS, "it tells a model to go around its safeguards, or not to tell its person"),
    (AGAINST_OTHERS, "it speaks against other tools"),
    (FROM_OUTSIDE, "it sends a model to get its orders elsewhere"),
    (ORDERS, "it tells a model which tool to use"),
)
_MOST_TEXTS: Final = 2_000

_ANCHORS: Final = (
    b"ignore", b"disregard", b"forget", b"override", b" mode", b"anything now", b"jailbreak", b"bypass", b"circumvent",
    b"safeguard", b"guardrail", b"safety", b" user", b" human", b" person", b"<important", b"</important", b"<system",
    b"</system", b"[system", b"[inst", b"[important",
)  # fmt: skip
"""What every phrase of `AROUND_SAFEGUARDS` has one of; a result without any is not read further."""
_ESCAPED_BREAK: Final = re.compile(r"\\[nrt]|\s+")
_UNSEEN: Final = re.compile(
    rb"\\u(?:001b|009b|200b|2060|202[a-e]|206[6-9]|db40)|\xc2\x9b|\xe2\x80[\x8b\xaa-\xae]|\xe2\x81[\xa0\xa6-\xa9]"
    rb"|\xf3\xa0[\x80\x81]",
    re.IGNORECASE,
)
"""In JSON: the escape of terminals, spaces without width, turns of direction, tag characters."""


def orders_in(definition: Mapping[str, Any]) -> str:
    """What is wrong with the texts of a tool, or of what a server says of itself; empty when nothing was found."""
    texts = _texts(definition)
    for text in texts:
        for says, _ in hidden_in(text):
            return f"{says[0].lower()}{says[1:].rstrip('.')}"
    for phrases, says in _KINDS:
        if next(found(phrases, texts), None) is not None:
            return says
    return ""


def orders_in_result(raw: bytes) -> str:
    """The same of a result, as the JSON it came as. Quick where there is nothing: it is asked at each call."""
    if (not raw.isascii() or b"\\u" in raw) and _UNSEEN.search(raw):
        return "it holds characters that cannot be seen, or that a terminal obeys"
    lowered = raw.lower()
    if not any(anchor in lowered for anchor in _ANCHORS):
        return ""
    text = _ESCAPED_BREAK.sub(" ", lowered.decode(errors="replace"))
    if any(phrase.search(text) for phrase in AROUND_SAFEGUARDS):
        return "it tells a model to go around its safeguards, or not to tell its person"
    return ""


def _texts(definition: Mapping[str, Any]) -> list[Text]:
    texts: Iterator[Text] = walk("", definition, "")
    return [text for text, _ in zip(texts, range(_MOST_TEXTS), strict=False)]
