"""1.B No way around safeguards: no text talks a model out of its rules or hides something from the person."""

from __future__ import annotations

from collections.abc import Iterator

from valetkey.review.model import Crawl, Finding, Rule, Severity, Stage
from valetkey.review.phrases import AROUND_SAFEGUARDS, found


def _safeguards(crawl: Crawl) -> Iterator[Finding]:
    for text, match in found(AROUND_SAFEGUARDS, (*crawl.texts, *crawl.results)):
        yield Finding(
            Severity.HOLD,
            text.where,
            "It reads like an attempt to get around a model's safeguards, or to hide something from the person.",
            "Say what the tool does, and nothing about what the model may or may not tell.",
            match,
        )


RULES = (Rule("L-103", "1.B", "No text gets around safeguards", Stage.LISTS, _safeguards),)
