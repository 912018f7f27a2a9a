"""The rules, each against servers that break it and one that does not."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from tests.review.bad import BAD
from tests.review.corpus import GOOD, Change, interactive, listing, says
from valetkey.cli.review_report import lines
from valetkey.review.clauses import CLAUSES, IN_FORCE_FROM, VERSION
from valetkey.review.judge import judge
from valetkey.review.model import Rule, Severity, UnrunRule
from valetkey.review.report import as_json
from valetkey.review.rules import RULES, c2g_hidden

POLICY = (Path(__file__).resolve().parents[2] / "docs/policy.md").read_text()
CASES = [(rule, number, change) for rule, changes in BAD.items() for number, change in enumerate(changes)]


def test_the_good_one_passes_every_rule() -> None:
    report = judge(GOOD)

    assert [(outcome.rule, outcome.findings) for outcome in report.outcomes if outcome.findings] == []
    unrun = {outcome.rule: outcome.not_run for outcome in report.outcomes if outcome.not_run}
    by_nobody = {rule.id for rule in RULES if isinstance(rule, UnrunRule)}
    assert unrun.keys() == by_nobody | {"L-512", "L-513", "L-514"}
    assert unrun["L-514"] == "it does not apply, as no tool shows an interactive page"
    with_pages = judge(interactive()(GOOD))
    assert {outcome.rule for outcome in with_pages.outcomes if outcome.not_run} == by_nobody


@pytest.mark.parametrize(("rule", "number", "change"), CASES, ids=[f"{rule}-{number}" for rule, number, _ in CASES])
def test_a_bad_one_breaks_its_rule_and_blocks_by_no_other(rule: str, number: int, change: Change) -> None:
    crawl = change(GOOD)

    report = judge(crawl)

    found = {outcome.rule: outcome for outcome in report.outcomes if outcome.findings}
    assert rule in found, sorted(found)
    blocking = {
        name for name, outcome in found.items() if any(one.severity is Severity.BLOCK for one in outcome.findings)
    }
    assert blocking <= {rule}
    assert judge(change(GOOD)) == report


def test_every_rule_that_a_program_can_follow_has_three_bad_ones() -> None:
    run = {rule.id for rule in RULES if isinstance(rule, Rule)}

    assert BAD.keys() == run
    assert {rule: len(changes) for rule, changes in BAD.items() if len(changes) < 3} == {}


def test_every_rule_stands_at_a_clause_of_the_policy_in_force_and_every_clause_says_who_judges_it() -> None:
    """S-25: a rule without a clause, or a clause that nobody looks at, fails the build."""
    stated = dict(re.findall(r"^### (\d\.[A-Z]) (.+)$", POLICY, re.MULTILINE))
    bodies = {part[:3]: part for part in POLICY.partition("\n## The rules")[0].split("\n### ")[1:]}
    cited = {clause: set(re.findall(r"L-\d{3}", body)) for clause, body in bodies.items()}

    assert f"Version {VERSION}, in force from {IN_FORCE_FROM}." in POLICY
    assert stated == CLAUSES
    for rule in RULES:
        assert rule.id in cited[rule.clause], rule.id
    for clause, rules in cited.items():
        assert rules == {rule.id for rule in RULES if rule.clause == clause}
        assert rules or "a person judges" in bodies[clause], clause


def test_the_policys_table_of_rules_is_what_the_rules_are_and_say() -> None:
    """What a rule can come to is told from the corpus, and what it leaves to others from the rule."""
    says = {
        rule.id: {finding.severity for change in BAD[rule.id] for finding in rule.check(change(GOOD))}
        for rule in RULES
        if isinstance(rule, Rule)
    }
    rows = [
        f"| {rule.id} | {rule.clause} | {rule.asks} | "
        f"{', '.join(one.value for one in Severity if one in says.get(rule.id, ())) or '–'} | {_left(rule)} |"
        for rule in RULES
    ]

    assert [line for line in POLICY.splitlines() if line.startswith("| L-")] == rows
    assert len({rule.clause for rule in RULES if rule.clause[0] != "6"}) == 31 + 1  # … and that of interactive pages


def _left(rule: Rule | UnrunRule) -> str:
    if isinstance(rule, UnrunRule):
        return f"*not run:* {rule.why}"
    return f"*not run:* {rule.but}" if rule.but else ""


def test_what_a_rule_leaves_to_others_is_said_whatever_it_finds() -> None:
    for change in (listing(), listing(support="", example_prompts=())):
        report = judge(change(interactive()(GOOD)))

        unrun = {one["rule"]: one["not_run"] for one in as_json(report)["rules"] if one["not_run"]}
        assert "a mail that somebody answers" in unrun["L-302"]
        assert "a model" in unrun["L-305"]
        assert unrun.keys() == {rule.id for rule in RULES if isinstance(rule, UnrunRule) or rule.but}
        assert "in part: whether each comes to a tool needs a model" in "\n".join(lines(report))


def test_advice_only_warns() -> None:
    for change in [change for rule, changes in BAD.items() if rule.startswith("L-6") for change in changes]:
        outcomes = [one for one in judge(change(GOOD)).outcomes if one.rule.startswith("L-6")]
        assert {finding.severity for outcome in outcomes for finding in outcome.findings} == {Severity.WARN}


def _blocks_as_hidden(description: str) -> bool:
    (rule,) = c2g_hidden.RULES
    return any(rule.check(says(description)(GOOD)))


def test_every_invisible_character_in_a_description_is_found() -> None:
    """T40: whatever a model reads and a person does not see, by each way of not being seen."""
    format_characters = [
        chr(code)
        for code in (*range(0x10000), *range(0x11000, 0x20000), *range(0xE0000, 0xE0200))
        if unicodedata.category(chr(code)) == "Cf"
    ]
    fillers = list("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe01\U000e0101\x07\x1b\x7f")
    invisible = [char for char in (*format_characters, *fillers) if char != "\u00ad"]

    missed = [f"U+{ord(char):04X}" for char in invisible if not _blocks_as_hidden(f"no{char}te")]

    assert len(invisible) > 150
    assert missed == []


@pytest.mark.parametrize(
    "text", ["👩\u200d🔬 notes", "❤\ufe0f", "क\u094d\u200dष", "Größe, naïve, Ελληνικά, по-русски", "co\u00adop"]
)
def test_what_languages_and_pictures_need_is_not_taken_for_hidden(text: str) -> None:
    assert not _blocks_as_hidden(text)
