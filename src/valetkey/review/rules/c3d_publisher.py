"""3.D to 3.H: a test account, example prompts, own endpoints, upkeep, and terms accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from valetkey.review.clauses import VERSION
from valetkey.review.model import CannotSay, Crawl, Finding, Rule, Severity, Stage, UnrunRule
from valetkey.review.texts import folded
from valetkey.review.words import verb_of

_LINK: Final = re.compile(r"https?://([a-z0-9.-]{4,253})")
_EMPTY: Final = frozenset({"", "[]", "{}", "null", "none", "no results", "no results found", "not found"})
_SECOND_LEVEL: Final = frozenset({"ac", "co", "com", "edu", "gov", "net", "org", "ne", "or", "go"})
_DEGRADED: Final = 0.05
_MOST_HOSTS: Final = 20


def _test_account(crawl: Crawl) -> Iterator[Finding]:
    calls = crawl.trials.calls if crawl.trials is not None else ()
    lists = [call for call in calls if call.kind == "valid" and verb_of(call.tool) in ("list", "get", "search", "find")]
    if not lists:
        raise CannotSay("no tool that lists or searches could be tried")
    if not any(call.answered and not call.failed and folded(call.text) not in _EMPTY for call in lists):
        yield Finding(
            Severity.BLOCK,
            "test account",
            "No tool that lists or searches gave anything.",
            "Fill the test account with sample data.",
        )


def _own_endpoints(crawl: Crawl) -> Iterator[Finding]:
    """Two last labels of a name stand for its owner (three below co.uk and the like): near enough to ask a person."""
    if crawl.listing is None or crawl.probe is None:
        raise CannotSay("there is no listing, which would name the hosts")
    own = {owner(crawl.host), *map(owner, crawl.listing.hosts)}
    for where, host in _hosts(crawl):
        if owner(host) not in own and host not in crawl.listing.hosts:
            yield Finding(
                Severity.HOLD,
                where,
                f"{host} is neither on its own domain nor declared.",
                "Name it under `hosts` in the listing, and say whose it is.",
            )
    proof = crawl.probe.pages.get("proof")
    if proof is not None and proof.words.strip() != crawl.listing.proof:
        yield Finding(
            Severity.BLOCK,
            f"https://{crawl.host}/.well-known/valetkey-challenge",
            "The file that proves control of the domain is not there, or says something else.",
            "Put the text that you were given there.",
        )


def _hosts(crawl: Crawl) -> Iterator[tuple[str, str]]:
    assert crawl.listing is not None
    assert crawl.probe is not None
    for field in ("privacy_policy", "docs", "support"):
        if host := urlsplit(getattr(crawl.listing, field)).hostname:
            yield f"listing: {field}", host
    if crawl.probe.sign_in.server is not None:
        yield "authorization server", crawl.probe.sign_in.server.token_endpoint.host
    linked = dict.fromkeys(host for text in crawl.results for host in _LINK.findall(text.plain))
    for host in list(linked)[:_MOST_HOSTS]:
        yield "links in results", host.rstrip(".")


def owner(host: str) -> str:
    labels = host.lower().rstrip(".").split(".")
    if labels[-1].isdigit():
        return host
    return ".".join(labels[-3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else -2 :])


def _upkeep(crawl: Crawl) -> Iterator[Finding]:
    failures = crawl.records.failures
    if failures is None:
        raise CannotSay("it needs a hub's record of calls")
    if failures > _DEGRADED:
        yield Finding(Severity.HOLD, "calls", f"{failures:.0%} of calls fail.", "Find out why; 2 % is healthy.")


def _terms(crawl: Crawl) -> Iterator[Finding]:
    accepted = crawl.records.accepted
    if accepted is None:
        raise CannotSay("it needs the submission, which holds what was accepted")
    if VERSION not in accepted:
        yield Finding(
            Severity.BLOCK,
            "submission",
            f"Version {VERSION} of the policy was not accepted.",
            "Accept the current terms.",
        )


RULES = (
    Rule("L-304", "3.D", "The test account has sample data", Stage.TRIALS, _test_account),
    UnrunRule("L-305", "3.E", "Example prompts work", "it needs a model, and none is asked"),
    Rule("L-306", "3.F", "Endpoints are its own or declared", Stage.PROBE, _own_endpoints),
    Rule("L-307", "3.G", "It is kept in order", Stage.LISTING, _upkeep),
    Rule("L-308", "3.H", "The current terms are accepted", Stage.LISTING, _terms),
)
