"""3.D to 3.H: a test account, example prompts, own endpoints, upkeep, and terms accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from valetkey.review.app_pages import Thing, ui_of
from valetkey.review.clauses import VERSION
from valetkey.review.model import CannotSay, Crawl, Finding, Rule, Severity, Stage
from valetkey.review.texts import folded, named, word_set
from valetkey.review.words import verb_of

_LINK: Final = re.compile(r"https?://([a-z0-9.-]{4,253})")
_EMPTY: Final = frozenset({"", "[]", "{}", "null", "none", "no results", "no results found", "not found"})
_SECOND_LEVEL: Final = frozenset({"ac", "co", "com", "edu", "gov", "net", "org", "ne", "or", "go"})
_ANYBODYS: Final = word_set(
    "amazonaws.com azurewebsites.net cloudfront.net firebaseapp.com fly.dev github.io gitlab.io herokuapp.com "
    "netlify.app ngrok.app onrender.com pages.dev r2.dev run.app vercel.app web.app workers.dev"
)
"""Below these anybody has a name of their own. Few and well known: the reviewer knows more."""
_DEGRADED: Final = 0.05
_MOST_HOSTS: Final = 20
_FEWEST_PROMPTS: Final = 3


def _test_account(crawl: Crawl) -> Iterator[Finding]:
    if crawl.account_refused:
        yield Finding(
            Severity.BLOCK,
            "test account",
            "The connector does not take it.",
            "Give one that signs in without a person.",
        )
        return
    if crawl.trials is None:
        raise CannotSay(crawl.missing.get(Stage.TRIALS, "no tool was called"))
    calls = crawl.trials.calls
    lists = [call for call in calls if call.kind == "valid" and verb_of(call.tool) in ("list", "get", "search", "find")]
    if not lists:
        raise CannotSay("no tool that lists or searches could be tried")
    if all(call.forbidden for call in lists):
        yield Finding(
            Severity.BLOCK,
            "test account",
            "It may call no tool that lists or searches (HTTP 403).",
            "Give it the scopes that its tools need.",
        )
    elif not any(call.answered and not call.failed and folded(call.text) not in _EMPTY for call in lists):
        yield Finding(
            Severity.BLOCK,
            "test account",
            "No tool that lists or searches gave anything.",
            "Fill the test account with sample data.",
        )


def _example_prompts(crawl: Crawl) -> Iterator[Finding]:
    if crawl.listing is None:
        raise CannotSay("there is no listing, which would have them")
    given = {said for prompt in crawl.listing.example_prompts if (said := folded(prompt))}
    if len(given) < _FEWEST_PROMPTS:
        yield Finding(
            Severity.HOLD,
            "listing: example_prompts",
            f"It has {len(given)} that differ.",
            f"Give at least {_FEWEST_PROMPTS} that work.",
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
        server = crawl.probe.sign_in.server
        for host in dict.fromkeys((server.authorization_endpoint.host, server.token_endpoint.host)):
            yield "authorization server", host
    if crawl.lists is not None:
        pictures = (*_pictures("server", crawl.lists.server.get("serverInfo")),)
        declared = {str(one.get("uri", "")): ui_of(one) for one in crawl.lists.resources}
        declared |= {page.uri: page.ui for page in crawl.lists.apps}
        pages = (found for uri, ui in declared.items() for found in _loaded(uri, ui))
        shown = (found for tool in crawl.tools for found in _pictures(f"tool {named(tool.name)}", tool.definition))
        yield from list(dict.fromkeys((*pictures, *pages, *shown)))[:_MOST_HOSTS]
    linked = dict.fromkeys(host for text in crawl.results for host in _LINK.findall(text.plain))
    for host in list(linked)[:_MOST_HOSTS]:
        yield "links in results", host.rstrip(".")


def _pictures(whose: str, thing: object) -> Iterator[tuple[str, str]]:
    icons = thing.get("icons") if isinstance(thing, dict) else None
    for icon in icons if isinstance(icons, list) else ():
        yield from _host_of(f"{whose}: icons", icon.get("src") if isinstance(icon, dict) else None)


def _loaded(uri: str, ui: Thing) -> Iterator[tuple[str, str]]:
    """The hosts that an interactive page of the connector says it loads from and speaks to (`_meta.ui.csp`)."""
    csp = ui.get("csp")
    for origins in csp.values() if isinstance(csp, dict) else ():
        for origin in origins if isinstance(origins, list) else ():
            yield from _host_of(f"resource {named(uri)}: _meta.ui.csp", origin)


def _host_of(where: str, url: object) -> Iterator[tuple[str, str]]:
    try:
        host = urlsplit(url).hostname if isinstance(url, str) and url.startswith(("https://", "wss://")) else None
    except ValueError:
        host = None  # what is no URL is fetched from nowhere
    if host:
        yield where, host.removeprefix("*.")


def owner(host: str) -> str:
    labels = host.lower().rstrip(".").split(".")
    if labels[-1].isdigit():
        return host
    return ".".join(labels[-3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else -2 :])


def is_everybodys(domain: str) -> bool:
    """Whether strangers have names right below it, so that a wildcard there would mean them, too."""
    labels = domain.lower().rstrip(".").split(".")
    second = len(labels) == 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return len(labels) < 2 or second or any(".".join(labels[at:]) in _ANYBODYS for at in range(len(labels)))


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
    Rule("L-304", "3.D", "The test account signs in and has sample data", Stage.LISTING, _test_account),
    Rule(
        "L-305", "3.E", "There are example prompts", Stage.LISTING, _example_prompts,
        but="whether each comes to a tool needs a model, and none is asked",
    ),
    Rule("L-306", "3.F", "Endpoints are its own or declared", Stage.PROBE, _own_endpoints),
    Rule(
        "L-307", "3.G", "It is kept in order", Stage.LISTING, _upkeep,
        but="how long questions to its support wait is seen by no hub",
    ),
    Rule("L-308", "3.H", "The current terms are accepted", Stage.LISTING, _terms),
)  # fmt: skip
