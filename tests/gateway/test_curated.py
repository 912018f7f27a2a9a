"""What an organization curated to five is five at the assistant's door, too (S-30)."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Service


@pytest.fixture
def front() -> Front:
    return "fast"


async def test_an_assistant_sees_exactly_the_five_that_are_on_and_reaches_no_sixth(hub: Hub) -> None:
    """Ada was connected to a sixth before her organization switched it off."""
    ada = await hub.person("ada")
    async with AsyncExitStack() as running:
        services = [Service("modern") for _ in range(6)]
        for number, service in enumerate(services):
            await service.start()
            running.push_async_callback(service.stop)
            await hub.connect(ada, service, f"adas-token-{number}", on=("echo",))
        sixth = hub.connector(services[-1])
        await hub.connectors.set_state(sixth.id, "blocked")
        asked = len(services[-1].seen)

        client = await hub.client(ada)
        names = await client.names()
        by_name = await client.call(f"{sixth.slug}_echo", {"text": "hi"})
        one = await hub.client(ada, services[-1])
        behind_its_own_door = await one.names()

    on = {hub.connector(service).slug for service in services[:-1]}
    assert {name.rpartition("_")[0] for name in names if name.endswith("_echo")} == on
    assert not any(name.startswith(sixth.slug) for name in names)
    assert by_name.result["isError"] is True
    assert behind_its_own_door == []
    assert len(services[-1].seen) == asked
