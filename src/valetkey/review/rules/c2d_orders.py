"""2.D No orders to other software, and 2.E no word against other tools: texts leave the choice to the model."""

from __future__ import annotations

from collections.abc import Iterator

from valetkey.review.model import Crawl, Finding, Rule, Severity, Stage
from valetkey.review.phrases import AGAINST_OTHERS, ORDERS, found


def _orders(crawl: Crawl) -> Iterator[Finding]:
    for text, match in found(ORDERS, crawl.texts):
        yield Finding(
            Severity.BLOCK,
            text.where,
            "It orders the model to call this or other software.",
            "Describe the tool; when it is called is for the model and the person to say.",
            match,
        )


def _against_others(crawl: Crawl) -> Iterator[Finding]:
    for text, match in found(AGAINST_OTHERS, crawl.texts):
        yield Finding(
            Severity.BLOCK,
            text.where,
            "It keeps the model from using other tools.",
            "Say what this tool is good for, and nothing about others.",
            match,
        )


RULES = (
    Rule("L-206", "2.D", "No text gives orders to other software", Stage.LISTS, _orders),
    Rule("L-207", "2.E", "No text speaks against other tools", Stage.LISTS, _against_others),
)
