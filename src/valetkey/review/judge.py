"""Holding what was seen against every rule. A pure function: the same crawl gives the same report."""

from __future__ import annotations

from itertools import islice
from typing import Final

from valetkey.review.clauses import VERSION
from valetkey.review.model import CannotSay, Crawl, Finding, Outcome, Report, Rule, Severity, Stage, UnrunRule
from valetkey.review.rules import RULES

MAX_FINDINGS: Final = 25
"""Of one rule; that there are more is said. Whoever has so many wants to see the first."""
_ORDER: Final = {Severity.BLOCK: 0, Severity.HOLD: 1, Severity.WARN: 2}


def judge(crawl: Crawl) -> Report:
    """The report on a crawl: for each rule what it found, or why it was not run."""
    unreached = [f"{stage.title.capitalize()} not looked at: {why}." for stage, why in sorted(crawl.missing.items())]
    listing = crawl.listing
    return Report(
        url=crawl.url,
        name=listing.name if listing is not None else "",
        policy=VERSION,
        seen_at=crawl.seen_at,
        outcomes=tuple(_outcome(rule, crawl) for rule in RULES),
        notes=(*crawl.allowances, *unreached),
        tools=len(crawl.tools),
    )


def _outcome(rule: Rule | UnrunRule, crawl: Crawl) -> Outcome:
    if isinstance(rule, UnrunRule):
        return Outcome(rule.id, rule.clause, rule.asks, not_run=rule.why)
    if rule.needs is not Stage.LISTING and not crawl.has(rule.needs):
        return Outcome(rule.id, rule.clause, rule.asks, not_run=crawl.missing.get(rule.needs, "it was not looked at"))
    findings: list[Finding] = []
    but = rule.but
    try:
        findings.extend(islice(rule.check(crawl), MAX_FINDINGS + 1))
    except CannotSay as why:
        if not findings:
            return Outcome(rule.id, rule.clause, rule.asks, not_run=str(why))
        but = str(why)  # what was found before it could not say more
    if len(findings) > MAX_FINDINGS:
        worst = min((finding.severity for finding in findings), key=_ORDER.__getitem__)
        findings[-1] = Finding(worst, "and more", f"Only the first {MAX_FINDINGS} are shown.", "Mend these first.")
    findings.sort(key=lambda one: _ORDER[one.severity])
    return Outcome(rule.id, rule.clause, rule.asks, tuple(findings), but=but)
