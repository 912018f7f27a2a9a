"""1.C Privacy: the policy is about this service, and results hold no more about people than was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from valetkey.review.model import CannotSay, Crawl, Finding, Rule, Severity, Stage
from valetkey.review.texts import folded, named

PERSONAL: Final = {
    "e-mail addresses": re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}\.[a-z]{2,24}\b"),
    "telephone numbers": re.compile(r"(?<![\w.])\+\d{1,3}[ -]?\(?\d{2,4}\)?(?:[ -]?\d{2,4}){2,3}(?![\w.])"),
    "social security numbers": re.compile(r"\b\d{3}-\d{2}-\d{4}\b"),
}
_MANY: Final = 3


def _on_topic(crawl: Crawl) -> Iterator[Finding]:
    if crawl.listing is None or crawl.probe is None:
        raise CannotSay("there is no listing")
    page = crawl.probe.pages.get("privacy_policy")
    if page is None or page.status != 200:
        raise CannotSay("there is no privacy policy that could be read (see L-301)")
    words = folded(page.words)
    about = {folded(crawl.listing.name), folded(crawl.listing.publisher), _domain(crawl.host)} - {""}
    if not any(name in words for name in about):
        yield Finding(
            Severity.HOLD,
            "privacy policy",
            "It names neither the connector nor its publisher nor its domain.",
            "Link the policy of this very service.",
        )


def _more_than_asked(crawl: Crawl) -> Iterator[Finding]:
    for text in crawl.results:
        for kind, pattern in PERSONAL.items():
            seen = set(pattern.findall(text.plain))
            if len(seen) >= _MANY:
                yield Finding(
                    Severity.WARN,
                    text.where,
                    f"It holds {len(seen)} {kind}, and none was asked for.",
                    f"Leave out of {named(text.tool)} what the task does not need.",
                )


def _domain(host: str) -> str:
    return ".".join(host.split(".")[-2:]) if "." in host and not host[-1].isdigit() else ""


RULES = (
    Rule("L-104", "1.C", "The privacy policy is about this service", Stage.PROBE, _on_topic),
    Rule("L-105", "1.C", "Results hold no more personal data than asked for", Stage.TRIALS, _more_than_asked),
)
