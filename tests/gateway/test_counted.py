"""ORG-15 beside the wire: what is counted of a service's use is what the service itself was asked for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Answer, Seen, Service
from valetkey.identity.provisioning.directory import ProvisionedDirectory
from valetkey.privacy.usage import By, Counting, WantedUsage


@pytest.fixture
def front() -> Front:
    return "fast"


async def test_ORG_15_the_numbers_are_those_of_the_wire(hub: Hub, modern: Service) -> None:
    """Calls that work, that the tool or the service fails, that ask first, and of somebody who is not connected."""
    counting = Counting(
        hub.database, connectors=hub.connectors, people=hub.people, clock=hub.clock,
        groups=ProvisionedDirectory(
            hub.database, hub.notifications, people=hub.people, clock=hub.clock, trail=hub.trail
        ),
    )  # fmt: skip
    people = [await hub.person(login) for login in ("ada", "grace", "alan")]
    for person in people[:2]:
        await hub.connect(person, modern, f"{person.login}s-token")
    ada, grace, alan = [await hub.client(person, modern) for person in people]

    async def fails(_seen: Seen, _params: Any) -> Answer | bytes:
        return Answer(b"", 500)

    for client, times in ((ada, 3), (grace, 2), (alan, 1)):
        for _ in range(times):
            await client.call("echo", {"text": "a"})
    await ada.call("delete_all")
    modern.on_call = fails
    await grace.call("echo")
    await hub.records(people[0])
    hub.clock.advance(86400)

    found = {by: await counting.usage(hub.organization_id, WantedUsage(by=by), sees_calls=True) for by in By}

    [whole] = found[By.CONNECTOR].rows
    on_the_wire = Counter(seen.token for seen in modern.calls)
    assert (whole.calls, whole.carried, whole.people) == (8, sum(on_the_wire.values()), 3)
    by_person = {row.name: row.carried for row in found[By.PERSON].rows}
    assert by_person == {"Ada": on_the_wire["adas-token"], "Grace": on_the_wire["graces-token"], "Alan": 0}
    for divided in found.values():
        assert sum(row.carried or 0 for row in divided.rows) == whole.carried
