"""5.H Interactive pages: what a page of the connector is, what it may reach, and how the listing shows it (DIR-14).

The frame that holds a page, and the Content-Security-Policy on it, are the client's to make out of what is declared
here (SEP-1865); so a declaration that lets anybody in, or breaks out of the header, is as bad as none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import unescape
from typing import Final

from valetkey.review.app_pages import MIME, MOST, AppPage, ui_of
from valetkey.review.model import CannotSay, Crawl, Finding, Rule, Severity, Stage
from valetkey.review.rules.c3d_publisher import is_everybodys
from valetkey.review.texts import named

_LISTS: Final = ("connectDomains", "resourceDomains", "frameDomains", "baseUriDomains")
_ORIGIN: Final = re.compile(
    r"(https|wss)://(\*\.)?((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z][a-z0-9-]{0,61}[a-z0-9])(:\d{1,5})?/?"
)
_IN_A_TAG: Final = 2_000  # characters
_TAG: Final = re.compile(
    r"<(script|img|image|use|input|body|link|iframe|frame|object|embed|video|audio|source|track|form|button|base|meta)\b"
    rf"[^>]{{0,{_IN_A_TAG}}}"
)
_FRAMES: Final = frozenset({"iframe", "frame", "object", "embed"})
_URL: Final = r"((?:https?:|wss?:)?//[^\s\"'`<>)]{1,300})"
_LOADED: Final = re.compile(
    rf"\b(?:src|srcset|href|data|action|formaction|poster|background) ?= ?[\"']? ?{_URL}|\burl ?= ?[\"']?{_URL}"
)
_ASKED: Final = re.compile(
    r"\b(?:fetch|websocket|eventsource|sendbeacon|importscripts|import|worker|sharedworker|url) ?\( ?[\"'`]?"
    rf"{_URL}|(?:\bfrom|\bimport|\.open ?\( ?[\"'`][a-z]{{1,9}}[\"'`] ?,) ?[\"'`]{_URL}"
)
_OUTSIDE: Final = re.compile(
    r"\b(?:window\.)?(?:top|parent)\.(?:location|document|frames|localstorage|opener)\b|\bdocument\.(?:cookie|domain)\b"
    r"|\bwindow\.opener\b|\ballow-(?:same-origin|top-navigation)\b"
)
_FEWEST, _MOST = 3, 5  # screenshots
_MOST_ORIGINS: Final = 50
_WHOM: Final = frozenset({"model", "app"})


def _pages(crawl: Crawl) -> Sequence[AppPage]:
    """Raises `CannotSay` where there are none, so that nobody takes that for a page that is as it should be."""
    if crawl.lists is None or not crawl.lists.apps:
        raise CannotSay("it does not apply, as no tool shows an interactive page")
    return crawl.lists.apps


def _as_described(crawl: Crawl) -> Iterator[Finding]:
    yield from _whom(crawl)
    for page in _pages(crawl):
        where = _where(page)
        if page.left_out:
            why = f"It was not looked at: there are more than {MOST}, or they come too slowly."
            yield _hold(where, why, "Make fewer, and answer soon.")
        elif page.is_cut:
            yield _hold(where, "It is so long that its end was not looked at.", "Make it shorter.")
        elif page.problem:
            yield _block(where, f"It cannot be read: {page.problem}", "Answer resources/read for it.")
        elif page.mime.replace(" ", "").lower() != MIME:
            yield _block(where, f"It is not {MIME}.", "Say this type, and be it.", page.mime)
        elif "<html" not in (start := page.html[:20_000].lower()) and "<!doctype html" not in start:
            yield _block(where, "It is no whole HTML document.", "Give a document that stands by itself.")


def _whom(crawl: Crawl) -> Iterator[Finding]:
    for tool in crawl.tools:
        said = ui_of(tool.definition).get("visibility")
        whole = isinstance(said, list) and bool(said) and all(one in _WHOM for one in said)
        if said is not None and not whole:
            yield _hold(
                f"tool {named(tool.name)}: _meta.ui.visibility",
                "It does not say whom the tool is for.",
                "List “model”, “app”, or both.",
            )


def _declared(crawl: Crawl) -> Iterator[Finding]:
    for page in _pages(crawl):
        where, csp = f"{_where(page)}: _meta.ui.csp", page.ui.get("csp", {})
        if not isinstance(csp, dict):
            yield _block(where, "It is not an object.", f"Give {', '.join(_LISTS)}.")
            continue
        let_in = []
        for name, origins in csp.items():
            if name not in _LISTS:
                yield _hold(where, "It has a member that no client knows.", f"Known are {', '.join(_LISTS)}.", name)
                continue
            if isinstance(origins, list) and len(origins) > _MOST_ORIGINS:
                yield _hold(f"{where}.{name}", f"It names more than {_MOST_ORIGINS} origins.", "Name those it needs.")
            for origin in origins[:_MOST_ORIGINS] if isinstance(origins, list) else [origins]:
                if (found := _origin(origin)) is None:
                    yield _block(
                        f"{where}.{name}",
                        "It lets in what is no origin of one owner.",
                        "Name https origins, if need be with *. before a domain of your own.",
                        str(origin),
                    )
                else:
                    let_in.append(found)
            if name in ("frameDomains", "baseUriDomains") and origins:
                yield _hold(
                    f"{where}.{name}",
                    "It frames others' pages." if name == "frameDomains" else "Its links begin elsewhere.",
                    "Do without, or say in the listing what for.",
                    ", ".join(map(str, origins)) if isinstance(origins, list) else str(origins),
                )
        if asked := page.ui.get("permissions"):
            yield _hold(
                f"{_where(page)}: _meta.ui.permissions",
                "It asks for what the browser guards.",
                "Do without, or say in the listing what for.",
                ", ".join(map(str, asked)) if isinstance(asked, dict | list) else str(asked),
            )
        yield from _found_in(page, let_in)


def _found_in(page: AppPage, let_in: list[tuple[str, bool, str]]) -> Iterator[Finding]:
    """What the document itself reaches for, whatever was declared of it."""
    # Each white space is one: patterns need not say it, and no amount of it hides what comes after, or takes time.
    html, where = " ".join(unescape(page.html).lower().split()), _where(page)
    tags = list(_TAG.finditer(html))
    matches = [*(match for tag in tags for match in _LOADED.finditer(tag[0])), *_ASKED.finditer(html)]
    by_host = {_host_of(url): url for match in reversed(matches) for url in [match[1] or match[2]]}
    for host, url in reversed(by_host.items()):
        if not _is_let_in(host, let_in):
            yield _hold(where, "It loads from or speaks to what it does not declare.", "Declare it, or leave it.", url)
    if any(len(tag[0]) > _IN_A_TAG for tag in tags):
        yield _hold(where, f"It has a tag of more than {_IN_A_TAG} characters, which was not read.", "Make it shorter.")
    if any(tag[1] in _FRAMES for tag in tags) and not page.ui.get("csp", {}).get("frameDomains"):
        yield _hold(where, "It frames something, and declares nothing of it.", "Do without frames.")
    if match := _OUTSIDE.search(html):
        yield _hold(where, "It reaches out of its frame.", "Ask the client, by messages.", match[0])


def _origin(value: object) -> tuple[str, bool, str] | None:
    """Scheme, whether names below are meant, and host; `None` for what would let in anybody, or is no origin."""
    match = _ORIGIN.fullmatch(value) if isinstance(value, str) and len(value) < 300 else None
    if match is None:
        return None
    scheme, below, host, port = match.groups()
    if below and is_everybodys(host):
        return None
    return scheme, bool(below), host + (port or "")


def _host_of(url: str) -> str:
    return re.split(r"[/?#]", url.partition("//")[2], maxsplit=1)[0]


def _is_let_in(host: str, let_in: list[tuple[str, bool, str]]) -> bool:
    return any(host == name or (below and host.endswith(f".{name}")) for _, below, name in let_in)


def _in_pictures(crawl: Crawl) -> Iterator[Finding]:
    _pages(crawl)
    if crawl.listing is None:
        raise CannotSay("there is no listing, which would have pictures")
    if not _FEWEST <= (count := len(crawl.listing.screenshots)) <= _MOST:
        yield _block(
            "listing: screenshots",
            f"It has {count}, and there are interactive pages.",
            f"Show them in {_FEWEST} to {_MOST} screenshots.",
        )


def _where(page: AppPage) -> str:
    return f"page {named(page.uri)}"


def _block(where: str, says: str, do: str, quote: str = "") -> Finding:
    return Finding(Severity.BLOCK, where, says, do, quote)


def _hold(where: str, says: str, do: str, quote: str = "") -> Finding:
    return Finding(Severity.HOLD, where, says, do, quote)


RULES = (
    Rule("L-512", "5.H", "Interactive pages are as MCP Apps describes them", Stage.LISTS, _as_described),
    Rule("L-513", "5.H", "Interactive pages reach only what they declare", Stage.LISTS, _declared),
    Rule(
        "L-514", "5.H", "Interactive pages are shown in pictures", Stage.LISTS, _in_pictures,
        but="at most two main actions on a page are counted by a person",
    ),
)  # fmt: skip
