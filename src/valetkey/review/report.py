"""A report as JSON and as SARIF 2.1.0, for programs. What a server said stands in it bounded, and as text only.

Wherever a report is opened (a terminal, a page, a table, a forge that renders Markdown), a server's words must not act:
control and invisible characters are written out, and no text begins with what a spreadsheet takes for a formula.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from valetkey.review.clauses import CLAUSES, IN_FORCE_FROM
from valetkey.review.model import Finding, Outcome, Report, Severity
from valetkey.review.texts import is_invisible

QUOTED: Final = 240
_LEVELS: Final = {Severity.BLOCK: "error", Severity.HOLD: "warning", Severity.WARN: "note"}
_MARKUP: Final = re.compile(r"([\\\[\]()<>`*_|!#])")
_ESCAPED: Final = r"\\\1"


def shown(text: str, *, limit: int = QUOTED) -> str:
    """A server's words, fit to be shown anywhere: one line, bounded, what cannot be seen written as ⟦U+200B⟧."""
    written = "".join(_visible(char) for char in text[:limit])
    return f"“{written}{'…' if len(text) > limit else ''}”"


def _visible(char: str) -> str:
    if char in "\n\r\t":
        return " "
    return char if char.isprintable() and not is_invisible(char) else f"⟦U+{ord(char):04X}⟧"


def saw_little(report: Report) -> bool:
    """Whether less than a third of the rules were run, as where no tools were listed: nothing found says nothing."""
    return 3 * _run(report) < len(report.outcomes)


def _run(report: Report) -> int:
    return sum(not outcome.not_run for outcome in report.outcomes)


def why_unrun(report: Report) -> Mapping[str, tuple[str, ...]]:
    """Why rules were not run, or not in every part, and which rules for each."""
    found: dict[str, tuple[str, ...]] = {}
    for outcome in report.outcomes:
        if outcome.unrun:
            found[outcome.unrun] = (*found.get(outcome.unrun, ()), outcome.rule)
    return found


def verdict(report: Report) -> str:
    """The answer in two sentences: what was found, and how much was looked at."""
    blocks, holds, warns = (report.count(severity) for severity in Severity)
    run = _run(report)
    looked = f"{run} of {len(report.outcomes)} rules were run."
    advice = f"{_number(warns, 'piece')} of advice"
    if blocks:
        mend = _number(blocks, "finding")
        return f"Not fit to be listed: {mend} must be mended; {holds} held for a reviewer, {advice}. {looked}"
    if saw_little(report):
        return f"Too little was looked at: {_number(holds, 'finding')} held for a reviewer, {advice}. {looked}"
    if holds:
        return f"Nothing blocks; {_number(holds, 'finding')} held for a reviewer, {advice}. {looked}"
    return f"Nothing blocks and nothing is held; {advice}. {looked}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def as_json(report: Report) -> dict[str, Any]:
    """The report as an object; `blocks` is what decides, and is the exit code of the command."""
    return {
        "url": report.url,
        "name": report.name,
        "policy_version": report.policy,
        "policy_in_force_from": IN_FORCE_FROM,
        "seen_at": report.seen_at.isoformat(timespec="seconds"),
        "blocks": report.blocks,
        "verdict": verdict(report),
        "counts": {severity.value: report.count(severity) for severity in Severity},
        "tools": report.tools,
        "classes": {one.name: one.is_a for one in report.reviewed},
        "notes": list(report.notes),
        "rules": [_outcome(outcome) for outcome in report.outcomes],
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "rule": outcome.rule,
        "clause": outcome.clause,
        "clause_name": CLAUSES[outcome.clause],
        "asks": outcome.asks,
        "not_run": outcome.unrun,
        "findings": [_finding(finding) for finding in outcome.findings],
    }


def _finding(finding: Finding) -> dict[str, str]:
    quote = shown(finding.quote) if finding.quote else ""
    severity = finding.severity.value
    return {"severity": severity, "where": finding.where, "says": finding.says, "do": finding.do, "quote": quote}


def as_sarif(report: Report, *, version: str) -> Mapping[str, Any]:
    """The findings for continuous integration (OASIS SARIF 2.1.0). `version` is this program's."""
    rules = [
        {
            "id": outcome.rule,
            "shortDescription": {"text": outcome.asks},
            "fullDescription": {"text": f"{outcome.asks} (clause {outcome.clause}, {CLAUSES[outcome.clause]})."},
            "properties": {"clause": outcome.clause, "policyVersion": report.policy},
        }
        for outcome in report.outcomes
    ]
    results = [
        {
            "ruleId": outcome.rule,
            "ruleIndex": index,
            "level": _LEVELS[finding.severity],
            "message": {"text": _message(finding)},
            "locations": [
                {
                    "physicalLocation": {"artifactLocation": {"uri": report.url}},
                    "logicalLocations": [{"fullyQualifiedName": finding.where}],
                }
            ],
            "properties": {"severity": finding.severity.value},
        }
        for index, outcome in enumerate(report.outcomes)
        for finding in outcome.findings
    ]
    driver = {"name": "valetkey review", "version": version, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results, "invocations": [_invocation(report)]}],
    }


def _invocation(report: Report) -> Mapping[str, Any]:
    """What was allowed and what was not run: an empty list of results alone would read like *all is well*."""
    told: list[Mapping[str, Any]] = [
        {"level": "note", "message": {"text": _MARKUP.sub(_ESCAPED, note)}} for note in report.notes
    ]
    for index, outcome in enumerate(report.outcomes):
        if outcome.unrun:
            text = f"Not run: {_MARKUP.sub(_ESCAPED, outcome.unrun)}"
            rule = {"id": outcome.rule, "index": index}
            told.append({"level": "note", "message": {"text": text}, "associatedRule": rule})
    return {
        "executionSuccessful": True,
        "endTimeUtc": report.seen_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "toolExecutionNotifications": told,
    }


def _message(finding: Finding) -> str:
    # Viewers render links and Markdown in messages: what a server says is escaped.
    where, quote = (_MARKUP.sub(_ESCAPED, text) for text in (finding.where, shown(finding.quote)))
    return f"{where}: {finding.says} {quote} {finding.do}" if finding.quote else f"{where}: {finding.says} {finding.do}"
