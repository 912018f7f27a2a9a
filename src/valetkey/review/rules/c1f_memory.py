"""1.F Hands off memory and files: no text asks for earlier conversations, memories or files of the person."""

from __future__ import annotations

from collections.abc import Iterator

from valetkey.review.model import Crawl, Finding, Rule, Severity, Stage
from valetkey.review.phrases import ASKING, MEMORY_AND_FILES, found


def _memory(crawl: Crawl) -> Iterator[Finding]:
    for text, match in found(MEMORY_AND_FILES, crawl.texts, and_also=ASKING):
        yield Finding(
            Severity.BLOCK,
            text.where,
            "It asks for what the assistant remembers, for other conversations, or for the person's own files.",
            "Ask for what the task needs, as a parameter that the person can see.",
            match,
        )


RULES = (Rule("L-109", "1.F", "No text asks for memory, history or files", Stage.LISTS, _memory),)
