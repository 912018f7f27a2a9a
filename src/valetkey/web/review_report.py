"""A review report as a page that is a file of its own: no script, no request, everything a server said escaped."""

from __future__ import annotations

from pathlib import Path

from valetkey.kernel.clock import SystemClock
from valetkey.review.clauses import CLAUSES, IN_FORCE_FROM
from valetkey.review.model import Report
from valetkey.review.report import QUOTED, saw_little, verdict, why_unrun
from valetkey.web.pages import Pages

_STATIC = Path(__file__).parent / "static"


def report_page(report: Report) -> str:
    """The page."""
    return Pages(clock=SystemClock()).alone(
        "review_report.html",
        report=report,
        found=[outcome for outcome in report.outcomes if outcome.findings],
        unrun=why_unrun(report),
        little=saw_little(report),
        fine=[outcome for outcome in report.outcomes if not outcome.findings and not outcome.not_run],
        clauses=CLAUSES,
        in_force_from=IN_FORCE_FROM,
        quoted=QUOTED,
        verdict=verdict(report),
        tokens=(_STATIC / "tokens.css").read_text(),
        style=(_STATIC / "review_report.css").read_text(),
    )
