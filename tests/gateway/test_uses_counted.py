"""VLT-12: uses of a credential are counted, and an unusual number or hour of them is told to its person (S-08)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import FakeClock
from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Service
from valetkey.audit.alerts import AlertKind, Noticed
from valetkey.audit.model import CallIntent, Outcome
from valetkey.gateway.unusual import KNOWN_DAYS, MANY_USES, PERIOD, Unusual

INTENT = CallIntent(
    id="call_1", started_at=datetime(2026, 11, 28, tzinfo=UTC), organization_id="org", person_id="ada", client="Claude",
    connector="notes", connection_id="cn_1", label="default", method="tools/call", tool="notes_read", day="2026-11-28",
    own_tool="read",
)  # fmt: skip


@pytest.fixture
def front() -> Front:
    return "fast"


class Heard(list[Noticed]):
    def notice(self, noticed: Noticed) -> None:
        self.append(noticed)


def used(unusual: Unusual, times: int, outcome: Outcome = Outcome.OK) -> None:
    for _ in range(times):
        unusual.ended(INTENT, outcome, b"", 10, echoed=False)


async def test_a_loop_that_takes_what_it_can_is_told_once_to_the_person_whose_credential_it_is(
    hub: Hub, modern: Service
) -> None:
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, "adas-token")
    stolen = await hub.client(ada, modern)

    for number in range(MANY_USES + 5):
        await stolen.call("echo", {"text": str(number)})

    await hub.alerts.settle()
    [alert] = await hub.alerts.list(ada.id)
    assert (alert.kind, alert.connection_id) == (AlertKind.USES, connection.id)
    assert f"used {MANY_USES} times within ten minutes" in alert.words


def test_what_is_usual_is_not_told(clock: FakeClock) -> None:
    unusual = Unusual(heard := Heard(), clock=clock)
    for _ in range(10):
        used(unusual, MANY_USES - 1)
        clock.advance(PERIOD)

    used(unusual, 2 * MANY_USES)

    assert heard == []


def test_many_times_what_was_usual_is(clock: FakeClock) -> None:
    unusual = Unusual(heard := Heard(), clock=clock)
    for _ in range(10):
        used(unusual, 5)
        clock.advance(PERIOD)

    used(unusual, MANY_USES, Outcome.TOOL_ERROR)

    assert [(one.kind, one.connection_id) for one in heard] == [(AlertKind.USES, "cn_1")]
    assert "5 were usual" in heard[0].words


def test_what_was_refused_used_nothing(clock: FakeClock) -> None:
    unusual = Unusual(heard := Heard(), clock=clock)

    used(unusual, 2 * MANY_USES, Outcome.REFUSED)

    assert heard == []


def test_an_hour_at_which_it_never_was_used_is_told_when_there_are_usual_ones(clock: FakeClock) -> None:
    unusual = Unusual(heard := Heard(), clock=clock)  # it is noon
    for _ in range(KNOWN_DAYS):
        used(unusual, 1)
        clock.advance(timedelta(days=1).total_seconds())
    clock.advance(3600)
    used(unusual, 1)
    assert heard == []

    clock.advance(14 * 3600)
    used(unusual, 1)

    assert [(one.kind, one.subject) for one in heard] == [(AlertKind.HOUR, "3:00")]
