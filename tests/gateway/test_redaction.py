"""What looks like a secret goes where the person sends it, and into no record (DATA-09, S-09)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.gateway.conftest import Hub
from tests.gateway.service import Answer, Seen, Service
from valetkey.audit.model import Everyone, Outcome

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


ADDRESS = "ghp_" + "CANARY1b2C3d4E5f6A7b8C9d0" * 2


def failing(how: str) -> Callable[[Seen, Any], Awaitable[Answer]]:
    """A service that says a secret when it fails."""
    said = f"no: Authorization: Bearer {CANARY} password={CANARY}"

    async def on_call(seen: Seen, _params: Any) -> Answer:
        error = {"jsonrpc": "2.0", "id": seen.message["id"], "error": {"code": -32000, "message": said}}
        return {
            "500": Answer(said.encode(), 500, content_type="text/plain"),
            "error": Answer(json.dumps(error).encode()),
            "moved": Answer(b"", 302, [("location", f"https://elsewhere.example/?access_token={CANARY}")]),
            "no JSON": Answer(said.encode()),
            "challenge": Answer(b"", 403, [("www-authenticate", f'Bearer error="{CANARY}", scope="{CANARY}"')]),
        }[how]

    return on_call


@pytest.mark.parametrize("how", ["500", "error", "moved", "no JSON", "challenge"])
async def test_no_secret_in_what_a_failing_service_says_or_in_its_address_is_in_record_trail_or_logs(
    hub: Hub, modern: Service, capfd: pytest.CaptureFixture[str], how: str
) -> None:
    """DATA-09: in exceptions, and in the URL of a 500."""
    modern.on_call = failing(how)
    ada = await hub.person("ada")
    address = f"http://127.0.0.1:{modern.port}/{ADDRESS}/mcp"
    hub._added[modern.url] = await hub.connectors.add_custom(ada, name="Fake", url=address)
    await hub.connect(ada, modern, "adas-token-0001")
    client = await hub.client(ada, modern, version=MODERN)

    got = await client.call("echo", {"text": "who?"})

    [record] = await hub.records(ada)
    written = repr(record).encode() + await hub.payload(record, "request")
    written += await hub.payload(record, "response") if record.response is not None else b""
    written += repr(await hub.trail.list(Everyone(), limit=100)).encode() + "".join(capfd.readouterr()).encode()
    assert record.outcome is not Outcome.OK
    assert [one for one in (CANARY, ADDRESS) if one.encode() in written] == []
    assert ADDRESS not in got.raw.decode()
