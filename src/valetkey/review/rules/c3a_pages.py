"""3.A Privacy policy, 3.B Support and 3.C Documentation: the pages a publisher must have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from valetkey.review.model import CannotSay, Crawl, Finding, Page, Rule, Severity, Stage
from valetkey.review.texts import folded

_SHORTEST: Final = 1000
_TOPICS: Final = {
    "what is collected": re.compile(r"\bcollect|\bgather|information we (?:get|receive)|data we (?:get|hold|process)"),
    "what it is used for": re.compile(r"\buse(?:s|d)?\b|\bpurposes?\b|\bstor(?:e|ed|age)\b"),
    "who gets it": re.compile(r"\bshar(?:e|es|ed|ing)\b|\bthird part|\bdisclos|\brecipients?\b|\bprocessors?\b"),
    "how long it is kept": re.compile(r"\bretention\b|\bretain|\bkeep\b|\bkept\b|\bdelet(?:e|ed|ion)\b"),
    "whom to ask": re.compile(r"\bcontact\b|\bmailto:|@\w|\be-?mail\b|\bwrite to\b"),
}
_PARKED: Final = re.compile(
    r"\b(?:domain (?:is|may be) for sale|buy this domain|parked (?:free|domain)|domain parking)\b"
)
_SIGN_IN: Final = re.compile(r"\b(?:sign|log) ?in to (?:continue|view|see|read|access)\b|\byou must (?:sign|log) in\b")
_TROUBLE: Final = re.compile(
    r"\b(?:troubleshoot(?:ing)?|problems?|errors?|faq|known issues|if it (?:fails|does not work)|support)\b"
)


def _privacy_policy(crawl: Crawl) -> Iterator[Finding]:
    if crawl.listing is None or crawl.probe is None:
        raise CannotSay("there is no listing, which would link it")
    where = "listing: privacy_policy"
    if not crawl.listing.privacy_policy:
        yield Finding(Severity.BLOCK, where, "There is no privacy policy.", "Link one.")
        return
    page = crawl.probe.pages.get("privacy_policy", Page(""))
    words = folded(page.words)
    if not page.url.startswith("https://") and not crawl.on_private_network:
        yield Finding(Severity.BLOCK, where, "It is not served over https.", "Serve it over https.")
    if problem := _unreachable(page):
        yield Finding(Severity.BLOCK, where, problem, "Publish it where everybody can read it.")
    elif _PARKED.search(words):
        yield Finding(Severity.BLOCK, where, "The page is a parked domain.", "Link the policy itself.")
    elif _SIGN_IN.search(words) and len(words) < 2 * _SHORTEST:
        yield Finding(Severity.BLOCK, where, "The page wants a sign-in.", "Publish it where everybody can read it.")
    else:
        yield from _topics(words, where)


def _topics(words: str, where: str) -> Iterator[Finding]:
    if len(words) <= _SHORTEST:
        yield Finding(
            Severity.HOLD, where, f"The page has {len(words)} characters of text.", "Say what clause 3.A asks for."
        )
    missing = [topic for topic, pattern in _TOPICS.items() if not pattern.search(words)]
    if missing:
        yield Finding(
            Severity.HOLD, where, f"It does not seem to say {', '.join(missing)}.", "Say it, in English or beside it."
        )


def _support(crawl: Crawl) -> Iterator[Finding]:
    if crawl.listing is None or crawl.probe is None:
        raise CannotSay("there is no listing, which would name it")
    where = "listing: support"
    if not crawl.listing.support:
        yield Finding(Severity.HOLD, where, "There is no support.", "Name a public page, or mailto: and an address.")
        return
    is_page = not crawl.listing.support.startswith("mailto:")
    if is_page and (problem := _unreachable(crawl.probe.pages.get("support", Page("")))):
        yield Finding(Severity.HOLD, where, problem, "Publish it where everybody can read it.")


def _documentation(crawl: Crawl) -> Iterator[Finding]:
    if crawl.listing is None or crawl.probe is None:
        raise CannotSay("there is no listing, which would link it")
    where = "listing: docs"
    if not crawl.listing.docs:
        yield Finding(Severity.HOLD, where, "There is no documentation.", "Link a public page.")
        return
    page = crawl.probe.pages.get("docs", Page(""))
    words = folded(page.words)
    if problem := _unreachable(page):
        yield Finding(Severity.HOLD, where, problem, "Publish it where everybody can read it.")
        return
    unmentioned = [tool.name for tool in crawl.tools if folded(tool.name) not in words]
    if unmentioned and folded(crawl.listing.name) not in words:
        yield Finding(
            Severity.WARN, where, "It names neither the connector nor its tools.", "Link the page about this connector."
        )
    if not _TROUBLE.search(words):
        yield Finding(Severity.WARN, where, "It does not say what to do when it fails.", "Add a part about that.")


def _unreachable(page: Page) -> str:
    if page.problem:
        return f"The page could not be read: {page.problem}"
    return "" if page.status == 200 else f"The page answers with HTTP {page.status}."


RULES = (
    Rule("L-301", "3.A", "There is a clear privacy policy", Stage.PROBE, _privacy_policy),
    Rule(
        "L-302", "3.B", "Support can be reached", Stage.PROBE, _support,
        but="whether the contact answers needs a mail that somebody answers",
    ),
    Rule("L-303", "3.C", "There is documentation", Stage.PROBE, _documentation),
)  # fmt: skip
