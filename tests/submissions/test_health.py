"""How a listing does (DIR-12): thresholds, what counts, and that nobody alone can make it look broken."""

from __future__ import annotations

import pytest

from valetkey.audit.model import Outcome
from valetkey.audit.tally_repository import Tally
from valetkey.submissions.health import Condition, health_of

TEN = [f"p{number}" for number in range(10)]


def traffic(fails: int, *, of: int = 100, people: list[str] = TEN) -> list[Tally]:
    """Everybody makes `of` calls, `fails` of which the service did not answer."""
    return [
        Tally(person, "list_notes", outcome, True, calls)
        for person in people
        for outcome, calls in ((Outcome.OK, of - fails), (Outcome.HTTP_ERROR, fails))
        if calls
    ]


@pytest.mark.parametrize(
    ("fails", "condition"),
    [
        (0, Condition.HEALTHY), (2, Condition.HEALTHY), (3, Condition.WATCH), (5, Condition.WATCH),
        (6, Condition.DEGRADED), (100, Condition.DEGRADED),
    ],
)  # fmt: skip
def test_dir_12_two_percent_is_healthy_and_more_than_five_is_degraded(fails: int, condition: Condition) -> None:
    found = health_of(traffic(fails), [1000] * 100, is_live=True)

    assert found.condition is condition
    assert found.failures == pytest.approx(fails / 100)


def test_dir_12_one_who_spams_failing_calls_degrades_nothing() -> None:
    spam = [Tally("eve", "list_notes", outcome, True, 1_000_000) for outcome in (Outcome.HTTP_ERROR, Outcome.TIMEOUT)]

    assert health_of(traffic(0) + spam, [], is_live=True).condition is Condition.HEALTHY
    assert health_of(traffic(0, people=TEN[:4]) + spam, [], is_live=True).condition is Condition.HEALTHY


def test_dir_12_what_a_tool_says_is_no_failure_and_not_being_let_in_is_one() -> None:
    said = [Tally(person, "t", Outcome.TOOL_ERROR, True, 10) for person in TEN]
    ours = [Tally(person, "t", Outcome.REFUSED, False, 1000) for person in TEN]
    never = [Tally(person, "t", Outcome.NOT_CONNECTED, False, 1000) for person in TEN]
    shut_out = [Tally(person, "t", Outcome.NOT_CONNECTED, True, 10) for person in TEN]

    assert health_of(said + ours + never, [], is_live=True).failures == 0
    assert health_of(said + shut_out, [], is_live=True).failures == pytest.approx(0.5)


def test_dir_12_few_people_are_few_data_and_small_numbers_are_not_shown() -> None:
    few = health_of(traffic(50, people=TEN[:4]), [1000] * 4, is_live=True)
    rare = health_of([*traffic(0), Tally("p1", "rare", Outcome.OK, True, 4)], [1000] * 4, is_live=True)
    some = health_of([*traffic(0), Tally("p1", "list_notes", Outcome.TIMEOUT, True, 3)], [], is_live=True)

    assert (few.condition, few.failures) == (Condition.FEW, None)
    assert [tool.name for tool in rare.tools] == ["list_notes"]
    assert (rare.p50, some.tools[0].failed) == (None, None)
    assert health_of(traffic(0), [], is_live=False).condition is Condition.NOT_LIVE


def test_dir_12_fifteen_tools_at_most_and_the_times_of_half_95_and_99_percent() -> None:
    many = [Tally(person, f"tool_{n:02}", Outcome.OK, True, n + 5) for person in TEN for n in range(20)]

    found = health_of(many, [1000 * n for n in range(1, 101)], is_live=True)

    assert [tool.name for tool in found.tools] == [f"tool_{n:02}" for n in range(19, 4, -1)]
    assert (found.p50, found.p95, found.p99) == (50, 95, 99)
