"""1.E Other people's names and works: a name that is, or looks like, a well-known one belongs to its domain.

An icon that looks like another listing's is looked at by a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from valetkey.review.model import Crawl, Finding, Rule, Severity, Stage
from valetkey.review.texts import folded
from valetkey.review.words import words_of

_WORD: Final = re.compile(r"\w+")
_FEATURES: Final = 16
"""Bits that a picture must have to be compared."""
_SHARED: Final = 0.75

BRANDS: Final[Mapping[str, tuple[str, ...]]] = {
    # A name people trust → the domains of those it belongs to. Few and well known: the reviewer knows more.
    "airtable": ("airtable.com",),
    "amazon": ("amazon.com", "amazonaws.com", "aws.dev"),
    "anthropic": ("anthropic.com", "claude.com"),
    "asana": ("asana.com",),
    "atlassian": ("atlassian.com", "atlassian.net"),
    "canva": ("canva.com",),
    "cloudflare": ("cloudflare.com",),
    "dropbox": ("dropbox.com", "dropboxapi.com"),
    "figma": ("figma.com",),
    "github": ("github.com", "githubcopilot.com", "githubusercontent.com"),
    "gitlab": ("gitlab.com",),
    "gmail": ("google.com", "googleapis.com"),
    "google": ("google.com", "googleapis.com"),
    "hubspot": ("hubspot.com", "hubapi.com"),
    "intercom": ("intercom.com", "intercom.io"),
    "jira": ("atlassian.com", "atlassian.net"),
    "linear": ("linear.app",),
    "linkedin": ("linkedin.com",),
    "microsoft": ("microsoft.com", "microsoftonline.com", "azure.com", "office.com"),
    "notion": ("notion.com", "notion.so"),
    "openai": ("openai.com", "chatgpt.com"),
    "paypal": ("paypal.com",),
    "salesforce": ("salesforce.com", "force.com"),
    "sentry": ("sentry.io", "sentry.dev"),
    "slack": ("slack.com",),
    "stripe": ("stripe.com",),
    "zapier": ("zapier.com",),
    "zendesk": ("zendesk.com",),
}


def _imitations(crawl: Crawl) -> Iterator[Finding]:
    yield from _names(crawl)
    yield from _icons(crawl)


def _names(crawl: Crawl) -> Iterator[Finding]:
    for where, name in _own_names(crawl):
        brand = looks_like_brand(name)
        if brand and not belongs(crawl.host, BRANDS[brand]):
            yield Finding(
                Severity.HOLD,
                where,
                f"The name is taken for {brand.capitalize()}'s, and {crawl.host} is not one of its domains.",
                "Use a name of your own, such as “… for " + brand.capitalize() + "”; a reviewer will look at it.",
                name,
            )


def _icons(crawl: Crawl) -> Iterator[Finding]:
    for other in crawl.records.others or ():
        if other.host != crawl.host and look_alike(crawl.records.icon, other.icon):
            yield Finding(
                Severity.HOLD,
                "listing: icon",
                f"It looks like that of {other.name}.",
                "Draw one of your own; a reviewer will compare them.",
            )


def look_alike(one: int, other: int) -> bool:
    """Whether two pictures share most of what they have: of plain ones nobody can say."""
    both = (one & other).bit_count()
    return min(one.bit_count(), other.bit_count()) >= _FEATURES and both >= _SHARED * (one | other).bit_count()


def _own_names(crawl: Crawl) -> Iterator[tuple[str, str]]:
    if crawl.listing is not None:
        yield "listing: name", crawl.listing.name
    info = crawl.lists.server.get("serverInfo") if crawl.lists is not None else None
    for member in ("name", "title"):
        value = info.get(member) if isinstance(info, dict) else None
        if isinstance(value, str):
            yield f"server: serverInfo.{member}", value


def looks_like_brand(name: str) -> str:
    """The brand that a word of `name`, or its first two words together, is or is mistaken for; else empty."""
    words = (*words_of(folded(name)), *_WORD.findall(folded(name)))
    for word in (*words, "".join(words[:2])):
        for brand in BRANDS:
            if word == brand or (len(brand) >= 5 and _is_one_apart(_digits_as_letters(word), brand)):
                return brand
    return ""


def belongs(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _digits_as_letters(word: str) -> str:
    return word.translate(str.maketrans("0135", "oles"))


def _is_one_apart(one: str, other: str) -> bool:
    """At most one letter added, left out, changed, or two neighbors changed places."""
    if one == other:
        return True
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, others = one[start:], other[start:]
    swapped = rest[:2] == others[:2][::-1] and rest[2:] == others[2:]
    return rest[1:] == others or rest == others[1:] or rest[1:] == others[1:] or swapped


RULES = (
    Rule(
        "L-108", "1.E", "No name or icon imitates another", Stage.LISTS, _imitations,
        but="pictures of who is not listed here are compared by a person",
    ),
)  # fmt: skip
