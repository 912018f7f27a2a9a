"""What looks like a secret goes where the person sends it, and into no record (DATA-09, S-09)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.conftest import Hub
from tests.gateway.service import Seen, Service

CANARY = "CANARY" + "a1B2c3D4e5F6" * 3
MODERN = "2026-07-28"


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "hello", "password": CANARY},
        {"text": "hello", "nested": [{"client_secret": CANARY}]},
        {"text": f"hello Authorization: Bearer {CANARY}"},
        {"text": f"hello https://h.example/x?access_token={CANARY}&page=2"},
        {"text": "hello " + json.dumps({"api_key": CANARY})},
    ],
)
async def test_a_secret_among_arguments_reaches_the_service_and_stays_out_of_the_record(
    hub: Hub, modern: Service, arguments: dict[str, Any]
) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token-0001")
    client = await hub.client(ada, modern, version=MODERN)

    await client.call("echo", arguments)

    assert CANARY.encode() in modern.calls[0].body
    [record] = await hub.records(ada)
    request = await hub.payload(record, "request")
    assert b"hello" in request
    assert CANARY.encode() not in request
    json.loads(request)


async def test_a_secret_in_a_result_reaches_the_assistant_and_stays_out_of_the_record(
    hub: Hub, modern: Service
) -> None:
    async def on_call(_seen: Seen, _params: Any) -> bytes:
        said = json.dumps({"login": "ada", "refresh_token": CANARY})
        return json.dumps({"resultType": "complete", "content": [{"type": "text", "text": said}]}).encode()

    modern.on_call = on_call
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token-0001")
    client = await hub.client(ada, modern, version=MODERN)

    got = await client.call("echo", {"text": "who?"})

    assert CANARY in got.text
    [record] = await hub.records(ada)
    response = await hub.payload(record, "response")
    assert b"login" in response
    assert CANARY.encode() not in response
    json.loads(response)
