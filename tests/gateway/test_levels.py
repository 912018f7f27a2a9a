"""What of a call is kept is the person's choice; that it was made is kept whatever they choose."""

from __future__ import annotations

import pytest

from tests.gateway.conftest import Hub
from tests.gateway.service import Service
from valetkey.audit.model import CallRecord, Outcome
from valetkey.identity.model import Person
from valetkey.privacy.levels import Level


async def one_call(hub: Hub, service: Service, level: Level) -> tuple[Person, CallRecord]:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    await hub.levels.choose(
        ada.organization_id, ada.id, level, connector=hub.connector(service).slug, actor="person:ada"
    )

    got = await (await hub.client(ada, service)).call("echo", {"text": "CANARY"})

    assert got.result.get("isError") is not True
    [record] = await hub.records(ada)
    return ada, record


async def test_full_keeps_what_was_sent_and_came_back(hub: Hub, modern: Service) -> None:
    _ada, record = await one_call(hub, modern, Level.FULL)

    assert b"CANARY" in await hub.payload(record, "request")
    assert await hub.payload(record, "response")
    assert (record.tool, record.tool_class) == ("echo", "R")


async def test_metadata_keeps_the_tool_its_class_and_sizes_and_no_contents(hub: Hub, modern: Service) -> None:
    _ada, record = await one_call(hub, modern, Level.METADATA)

    assert (record.request, record.response) == (None, None)
    assert (record.tool, record.outcome, record.tool_class) == ("echo", Outcome.OK, "R")
    assert record.request_bytes > 0 < record.response_bytes


async def test_none_keeps_that_there_was_a_call_and_where_the_credential_went(hub: Hub, modern: Service) -> None:
    ada, record = await one_call(hub, modern, Level.NONE)

    assert (record.request, record.response, record.request_bytes, record.response_bytes) == (None, None, 0, 0)
    assert (record.tool, record.tool_class, record.detail) == ("", "", "")
    assert (record.person_id, record.outcome, record.client) == (ada.id, Outcome.OK, "test")
    assert record.origin == f"http://127.0.0.1:{modern.port}"


@pytest.mark.parametrize("level", Level)
async def test_at_every_level_a_refusal_has_exactly_one_record(hub: Hub, modern: Service, level: Level) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token", on=())
    await hub.levels.choose(ada.organization_id, ada.id, level, actor="person:ada")

    await (await hub.client(ada, modern)).call("no_such_tool")

    [record] = await hub.records(ada)
    assert record.outcome is Outcome.REFUSED
