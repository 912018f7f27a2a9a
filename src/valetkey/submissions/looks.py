"""The hub's own look at a listing: as somebody unknown, with no credential of anybody's (S-22, DIR-10).

What it finds to block holds the listing until a later look does not find it. Who is connected stays connected: what
they accepted of its tools is pinned, and what changed waits for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from valetkey.directory.listings import Listing, Listings
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import printable
from valetkey.net.model import Url
from valetkey.net.outbound import Outbound
from valetkey.review.crawl import Asked, crawl
from valetkey.review.judge import judge
from valetkey.review.model import Crawl, Report, Rule, Severity, Stage
from valetkey.review.model import Listing as Claims
from valetkey.review.records import Records
from valetkey.review.rules import RULES
from valetkey.review.visit import Visit
from valetkey.submissions.health import Healths
from valetkey.submissions.model import Look
from valetkey.submissions.reviews import others, read_address

_OF_ITS_WORDS: Final = frozenset(rule.id for rule in RULES if isinstance(rule, Rule) and rule.needs is Stage.LISTING)
"""What a publisher says was looked at when it was approved; a later look is at what the service does."""
_OF_A_SUBMISSION: Final = frozenset({"L-104", "L-301", "L-303", "L-306", "L-514"})
"""What is held only against who submitted: of what comes with the hub, these pages were often never read, and it has no
pictures."""
_POLICY: Final = "L-301"
_MOST_SAID: Final = 3
_MOST_TOOLS: Final = 1000


class Looks:
    """Looks at one listing. No vault is handed in: there is nothing that could be carried."""

    def __init__(
        self, *, out: Outbound, listings: Listings, healths: Healths, parse: Callable[[str], Url], clock: Clock
    ) -> None:
        self._out = out
        self._listings = listings
        self._healths = healths
        self._parse = parse
        self._clock = clock

    async def at(self, listing: Listing, before: Look, *, submitted: bool, say: Callable[[str], None]) -> Look:
        """What it is found to be now. Raises `BadInput` for an address that may not be visited here."""
        url = read_address(self._parse, listing.url)
        health = await self._healths.of(listing.slug, is_live=True)
        asked = Asked(
            listing=_claims(listing),
            on_private_network=url.scheme == "http",
            records=Records(others=others(self._listings, listing.slug), failures=health.failures),
        )
        visit = Visit(
            url=url, out=self._out, certificates=self._out.certificates, clock=self._clock, parse=self._parse, say=say,
            account=None,
        )  # fmt: skip
        seen = await crawl(visit, asked)
        now = replace(before, looked_at=self._clock.now())
        if seen.probe is None or seen.probe.opening.problem:
            why = seen.probe.opening.problem if seen.probe is not None else "it kept silent"
            return replace(now, says=printable(f"It could not be reached: {why}", limit=400))
        report = await asyncio.to_thread(judge, seen)  # calls do not wait for it
        held = _blocking(report, () if submitted else _OF_A_SUBMISSION)
        # What is held is compared with what passed last, until something else passes.
        passed = {} if held else {one.name: one.fingerprint for one in seen.tools[:_MOST_TOOLS]}
        tools = passed or dict(before.tools)
        says = held or (_flagged(report) if submitted else "") or _changes(before.tools, tools) or _unseen(seen)
        return replace(now, held=held, tools=tools, says=says)


def _claims(listing: Listing) -> Claims:
    """What is said in the directory, as far as rules hold a service to it."""
    return Claims(
        name=listing.name,
        url=listing.url,
        one_liner=listing.about,
        about=listing.about,
        publisher=listing.publisher,
        categories=listing.categories,
        verticals=(listing.vertical,) if listing.vertical else (),
        privacy_policy=listing.privacy_policy,
        docs=listing.docs,
        support=listing.support,
        screenshots=listing.screenshots,
    )


def _blocking(report: Report, leave_out: frozenset[str] | tuple[()]) -> str:
    found = [
        f"{outcome.rule}: {finding.where}: {finding.says}"
        for outcome in report.outcomes
        if outcome.rule not in _OF_ITS_WORDS and outcome.rule not in leave_out
        for finding in outcome.findings
        if finding.severity is Severity.BLOCK
    ]
    more = f" And {len(found) - _MOST_SAID} more." if len(found) > _MOST_SAID else ""
    return printable(" ".join(found[:_MOST_SAID]) + more, limit=900) if found else ""


def _flagged(report: Report) -> str:
    """What is odd about its privacy policy, and may be no more than a page that wants scripts (S-23)."""
    found = [finding.says for outcome in report.outcomes if outcome.rule == _POLICY for finding in outcome.findings]
    return printable(f"{_POLICY}: its privacy policy: {' '.join(found)}", limit=400) if found else ""


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """In a sentence; empty for none, and for the first look."""
    if not before:
        return ""
    told = {
        "new": sorted(now.keys() - before.keys()),
        "gone": sorted(before.keys() - now.keys()),
        "changed": sorted(name for name in now.keys() & before.keys() if now[name] != before[name]),
    }
    said = [f"{how}: {', '.join(names[:10])}" for how, names in told.items() if names]
    return printable(f"Its tools are not what they were. {'; '.join(said)}.", limit=600) if said else ""


def _unseen(seen: Crawl) -> str:
    why = seen.missing.get(Stage.LISTS, "") if seen.lists is None else ""
    return printable(f"Its tools were not seen: {why}.", limit=300) if why else ""
