"""How the suite's results are read, and that the reference upstream is one: it passes whatever it is used to judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.__main__ import table
from tests.conformance.hub import reference_upstream
from tests.conformance.shim import rewritten
from tests.conformance.suite import INAPPLICABLE, Check, Row, Scenario, excused, judged, run_server


def check(status: str) -> dict[str, Any]:
    return {"id": "one", "status": status, "errorMessage": "because\n  of this"}


def test_a_warning_fails_a_client_and_lets_a_server_pass_with_the_warning_kept() -> None:
    checks = [check("SUCCESS"), check("WARNING")]

    client, server = (judged(role, "ping", checks, scored=True) for role in ("client", "server"))

    assert (client.outcome, server.outcome) == ("failed", "passed")
    assert client.failing == server.warned
    assert server.warned[0].reason == "because of this"


def test_a_scenario_that_checked_nothing_is_neither_passed_nor_failed() -> None:
    assert judged("server", "ping", [check("SKIPPED"), check("INFO")], scored=True).outcome == "not applicable"
    assert judged("server", "ping", [], scored=True).outcome == "not applicable"


def test_a_run_is_good_when_all_that_is_scored_passed_and_something_did() -> None:
    good, bad = Scenario("ping", "passed", True), Scenario("ping", "failed", True)
    unscored = Scenario("tasks", "failed", False)

    assert Row("server", "2026-07-28", "x", True, (good, unscored)).is_good
    assert not Row("server", "2026-07-28", "x", True, (good, bad)).is_good
    assert not Row("server", "2026-07-28", "x", True, (unscored,)).is_good
    assert not Row("server", "2026-07-28", "x", False, (good,)).is_good


def test_what_the_specification_does_not_mean_is_set_apart_only_when_nothing_else_failed() -> None:
    [((revision, behind, name), (reason, why))] = INAPPLICABLE.items()
    meant, other = Check("one", reason), Check("two", "something else")

    def outcome(*failing: Check, behind: str = behind) -> Scenario:
        row = Row("server", revision, behind, True, (Scenario(name, "failed", True, failing),))
        return excused(row).scenarios[0]

    assert (outcome(meant).outcome, outcome(meant).because) == ("not applicable", why)
    assert outcome(meant, other).outcome == outcome(other).outcome == "failed"
    assert outcome(meant, behind="modern upstream").outcome == "failed"


def test_the_table_counts_what_is_scored_apart_from_what_is_not() -> None:
    scenarios = (Scenario("a", "passed", True), Scenario("b", "failed", True), Scenario("c", "failed", False))

    row = table([Row("server", "2026-07-28", "a modern upstream", True, scenarios)]).splitlines()[-1]

    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "server", "2026-07-28", "a modern upstream", "1", "1", "0", "0 / 1",
    ]  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize(
    ("legacy_only", "revision"), [(False, "2025-11-25"), (False, "2026-07-28"), (True, "2025-11-25")]
)
def test_the_reference_upstream_passes_everything_that_is_scored(
    tmp_path: Path, legacy_only: bool, revision: str
) -> None:
    """Else a failure behind the hub could be the upstream's."""
    with reference_upstream(tmp_path / "log", legacy_only=legacy_only) as url:
        row = run_server(url, revision, tmp_path / "results", behind="")

    assert [one for one in row.scenarios if one.scored and one.outcome != "passed"] == []
    assert row.is_good


def test_the_shim_adds_a_token_and_translates_its_own_name_only() -> None:
    asked = b"POST /mcp HTTP/1.1\r\nHost: localhost:1\r\nOrigin: http://evil.example.com\r\nMcp-Name: a  \r\n\r\n"

    head = rewritten(asked, own=b"localhost:1", hub=b"localhost:2", token="vkt_x")

    assert head == (
        b"POST /mcp HTTP/1.1\r\nHost: localhost:2\r\nOrigin: http://evil.example.com\r\nMcp-Name: a  \r\n"
        b"Authorization: Bearer vkt_x\r\nConnection: close\r\n\r\n"
    )
