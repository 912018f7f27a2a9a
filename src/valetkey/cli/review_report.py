"""A review report for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from valetkey.review.clauses import CLAUSES, IN_FORCE_FROM
from valetkey.review.model import Finding, Outcome, Report
from valetkey.review.report import shown, verdict, why_unrun

_SIGNS: Final = {"block": "✗", "hold": "?", "warn": "–"}
_WIDTH: Final = 100


def lines(report: Report) -> Iterator[str]:
    """What was found, then what was not looked at, then what is fine, and the answer last: there the eye is."""
    yield f"{report.name or 'Connector'} at {report.url}"
    yield f"Directory policy, version {report.policy} (in force from {IN_FORCE_FROM}); {report.tools} tools"
    for note in report.notes:
        yield from _wrapped(note, "  · ")
    for outcome in report.outcomes:
        if outcome.findings:
            yield ""
            yield _title(outcome)
            for finding in outcome.findings:
                yield from _finding(finding)
    yield ""
    yield "Not run:"
    for why, rules in why_unrun(report).items():
        yield from _wrapped(f"{' '.join(rules)}: {why}", "  ")
    fine = [outcome.rule for outcome in report.outcomes if not outcome.findings and not outcome.not_run]
    yield ""
    yield "Nothing found:"
    yield from _wrapped(" ".join(fine) or "–", "  ")
    yield ""
    yield verdict(report)


def _title(outcome: Outcome) -> str:
    return f"{outcome.rule} · {outcome.clause} {CLAUSES[outcome.clause]} · {outcome.asks}"


def _finding(finding: Finding) -> Iterator[str]:
    yield from _wrapped(f"{finding.where}: {finding.says}", f"  {_SIGNS[finding.severity]} {finding.severity:<5}  ")
    if finding.quote:
        yield from _wrapped(shown(finding.quote), " " * 11)
    yield from _wrapped(f"→ {finding.do}", " " * 11)


def _wrapped(text: str, first: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=" " * len(first)) or [first.rstrip()]
