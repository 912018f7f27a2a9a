"""A call, from an assistant of either era to a service of either era."""

from __future__ import annotations

import pytest

from tests.gateway.conftest import Hub
from tests.gateway.service import Service
from valetkey.audit.model import Outcome

VERSIONS = ("2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_call_reaches_the_service_with_the_persons_own_token(hub: Hub, service: Service, version: str) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token-0001")
    client = await hub.client(ada, service, version=version)

    got = await client.call("echo", {"text": "hello"})

    assert got.status == 200
    assert got.text == "hello"
    assert service.tokens == ["adas-token-0001"]
    [record] = await hub.records(ada)
    assert record.outcome is Outcome.OK
    assert record.tool == "echo"
    assert record.origin == hub.connector(service).origin
    assert b"hello" in await hub.payload(record, "request")
    assert b"hello" in await hub.payload(record, "response")
