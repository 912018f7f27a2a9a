"""A call, from an assistant of either era to a service of either era."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.conftest import Hub
from tests.gateway.service import Answer, Seen, Service
from valetkey.audit.model import Outcome

MODERN = "2026-07-28"
VERSIONS = (MODERN, "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")


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


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_unknown_fields_survive_the_way_there_and_back(hub: Hub, service: Service, version: str) -> None:
    strange = (
        b'"content":[{"type":"hologram","v/x":{"$defs":1.0}}],"_meta":{"vendor/a":[-0,12345678901234567890123]},'
        b'"structuredContent":{"1":1.10},"x-new":null'
    )

    async def on_call(_seen: Seen, _params: Any) -> bytes:
        return b"{%b%b}" % (b'"resultType":"complete",' if service.era == "modern" else b"", strange)

    service.on_call = on_call
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token-0001")
    client = await hub.client(ada, service, version=version)
    arguments = b'{"n":12345678901234567890123,"z":-0,"f":1.10,"new":{"deep":[]}}'
    message = client.request("tools/call", {"name": "echo", "arguments": {}, "vendor": {"kept": True}})
    message["params"]["_meta"] = {**message["params"].get("_meta", {}), "vendor/b": "c", "traceparent": "00-a-b-01"}
    body = json.dumps(message).encode().replace(b'"arguments": {}', b'"arguments": ' + arguments)

    got = await client.send("POST", body, client.headers(message))

    assert strange in got.raw
    [seen] = service.calls
    assert b'"arguments":' + arguments in seen.body
    assert seen.message["params"]["vendor"] == {"kept": True}
    assert seen.message["params"]["_meta"]["vendor/b"] == "c"
    assert seen.message["params"]["_meta"]["traceparent"] == "00-a-b-01"
    assert got.result.get("resultType") == ("complete" if version == MODERN else None)


@pytest.mark.parametrize("version", [MODERN, "2025-06-18"])
async def test_an_answer_out_of_a_stream_without_notifications_comes_as_json(
    hub: Hub, service: Service, version: str
) -> None:
    service.as_stream = True
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token-0001")
    client = await hub.client(ada, service, version=version)

    got = await client.call("echo", {"text": "hello"})

    assert got.text == "hello"
    assert not got.is_stream


def stream(service: Service, seen: Seen, *before: dict[str, Any], result: bytes = b'{"content":[]}') -> Answer:
    """The answer to a call as an event stream with other messages before it."""
    messages = [json.dumps({"jsonrpc": "2.0", **message}).encode() for message in before]
    messages.append(b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (seen.message["id"], result))
    pieces = [b"event: message\ndata: %b\n\n" % message for message in messages]
    return Answer(pieces=pieces, content_type="text/event-stream; charset=utf-8")


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_progress_is_relayed_under_the_clients_own_token(hub: Hub, service: Service, version: str) -> None:
    async def on_call(seen: Seen, params: dict[str, Any]) -> Answer:
        token = params["_meta"]["progressToken"]
        progress = {"progressToken": token, "progress": 0.5, "vendor": "kept"}
        someone_elses = {"progressToken": "other", "progress": 1}
        return stream(
            service, seen,
            {"method": "notifications/progress", "params": progress},
            {"method": "notifications/progress", "params": someone_elses},
            {"method": "notifications/tools/list_changed"},
            {"id": 999999, "result": {"content": [{"type": "text", "text": "not yours"}]}},
        )  # fmt: skip

    service.on_call = on_call
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token-0001")
    client = await hub.client(ada, service, version=version)

    got = await client.call("echo", _meta={"progressToken": "mine"})

    assert got.is_stream
    assert [message.get("method", "response") for message in got.messages] == ["notifications/progress", "response"]
    assert got.messages[0]["params"] == {"progressToken": "mine", "progress": 0.5, "vendor": "kept"}
    assert got.result["content"] == []
    assert got.headers["x-accel-buffering"] == "no"
    assert service.calls[0].message["params"]["_meta"]["progressToken"] != "mine"


async def test_a_client_that_takes_no_stream_gets_json(hub: Hub, modern: Service) -> None:
    async def on_call(seen: Seen, params: dict[str, Any]) -> Answer:
        progress = {"progressToken": params["_meta"]["progressToken"], "progress": 1}
        return stream(modern, seen, {"method": "notifications/progress", "params": progress})

    modern.on_call = on_call
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token-0001")
    client = await hub.client(ada, modern)
    message = client.request("tools/call", {"name": "echo", "arguments": {}, "_meta": {"progressToken": 1}})
    headers = [(name, "application/json" if name == "Accept" else value) for name, value in client.headers(message)]

    got = await client.send("POST", json.dumps(message).encode(), headers)

    assert not got.is_stream
    assert got.result["content"] == []


@pytest.mark.parametrize(("wants", "messages"), [(True, 2), (False, 1)])
async def test_log_messages_reach_a_modern_client_only_if_it_asked(
    hub: Hub, modern: Service, wants: bool, messages: int
) -> None:
    async def on_call(seen: Seen, params: dict[str, Any]) -> Answer:
        assert ("io.modelcontextprotocol/logLevel" in params["_meta"]) is wants
        return stream(modern, seen, {"method": "notifications/message", "params": {"level": "info", "data": "x"}})

    modern.on_call = on_call
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token-0001")
    client = await hub.client(ada, modern)

    got = await client.call("echo", _meta={"io.modelcontextprotocol/logLevel": "info"} if wants else {})

    assert len(got.messages) == messages


async def test_a_legacy_service_that_asks_back_is_declined_and_goes_on(hub: Hub, legacy: Service) -> None:
    """We declare no capability, so it should not ask; what it gets is an error, not silence."""

    async def on_call(seen: Seen, _params: Any) -> Answer:
        asks = {"id": 1, "method": "sampling/createMessage", "params": {}}
        return stream(legacy, seen, asks, {"id": 2, "method": "ping"}, result=b'{"content":[],"went":"on"}')

    legacy.on_call = on_call
    ada = await hub.person("ada")
    await hub.connect(ada, legacy, "adas-token-0001")
    client = await hub.client(ada, legacy)

    got = await client.call("echo")

    assert got.result["went"] == "on"
    answers = [seen.message for seen in legacy.seen if "method" not in seen.message]
    assert answers[0]["error"]["code"] == -32601
    assert answers[1] == {"jsonrpc": "2.0", "id": 2, "result": {}}
    assert {seen.token for seen in legacy.seen} == {"adas-token-0001"}


async def test_a_modern_service_that_asks_for_input_we_never_offered_is_not_relayed(hub: Hub, modern: Service) -> None:
    async def on_call(_seen: Seen, _params: Any) -> bytes:
        return b'{"resultType":"input_required","requestState":"x"}'

    modern.on_call = on_call
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token-0001")

    got = await (await hub.client(ada, modern)).call("echo")

    assert got.result["isError"] is True
    assert "does not pass on" in got.text


async def test_a_protocol_error_of_the_service_passes_with_its_data(hub: Hub, service: Service) -> None:
    async def on_call(seen: Seen, _params: Any) -> Answer:
        error = {"code": -32602, "message": "no such thing", "data": {"v": [1.0]}}
        return Answer(json.dumps({"jsonrpc": "2.0", "id": seen.message["id"], "error": error}).encode(), 400)

    service.on_call = on_call
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token-0001")

    modern = await (await hub.client(ada, service)).call("echo")
    older = await (await hub.client(ada, service, version="2025-06-18")).call("echo")

    assert (modern.status, older.status) == (400, 200)
    assert modern.error == older.error == {"code": -32602, "message": "no such thing", "data": {"v": [1.0]}}
    assert [record.outcome for record in await hub.records(ada)] == [Outcome.PROTOCOL_ERROR] * 2


async def test_a_lost_session_is_renewed_without_anybody_noticing(hub: Hub, legacy: Service) -> None:
    """CON-44: the server forgets at random; the person never hears of it."""
    ada = await hub.person("ada")
    await hub.connect(ada, legacy, "adas-token-0001")
    client = await hub.client(ada, legacy, version="2025-11-25")

    for number in range(6):
        if number % 2:
            legacy.sessions.clear()
        assert (await client.call("echo", {"text": str(number)})).text == str(number)

    assert legacy.methods().count("initialize") == 4
    assert [record.outcome for record in await hub.records(ada)] == [Outcome.OK] * 6


async def test_a_service_that_says_400_for_a_lost_session_is_understood(hub: Hub, legacy: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, legacy, "adas-token-0001")
    client = await hub.client(ada, legacy)
    await client.call("echo")
    stale = next(iter(legacy.sessions))

    async def like_the_examples(seen: Seen) -> Answer | None:
        if seen.header("mcp-session-id") != stale:
            return None
        said = b'{"code":-32000,"message":"Bad Request: No valid session ID provided"}'
        return Answer(b'{"jsonrpc":"2.0","id":null,"error":%b}' % said, 400)

    legacy.on_anything = like_the_examples

    assert (await client.call("echo", {"text": "again"})).text == "again"


async def test_a_service_without_sessions_works(hub: Hub, legacy: Service) -> None:
    legacy.keeps_sessions = False
    ada = await hub.person("ada")
    await hub.connect(ada, legacy, "adas-token-0001")
    client = await hub.client(ada, legacy)

    assert (await client.call("echo", {"text": "a"})).text == "a"
    assert (await client.call("echo", {"text": "b"})).text == "b"
    assert legacy.methods().count("initialize") == 1


async def test_the_era_is_asked_once_and_kept(hub: Hub, service: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token-0001")
    client = await hub.client(ada, service)

    for _ in range(3):
        await client.call("echo")

    assert service.methods().count("server/discover") == 1


async def test_a_service_that_changes_its_era_is_followed(hub: Hub, service: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token-0001")
    client = await hub.client(ada, service)
    await client.call("echo")
    was_modern = service.era == "modern"
    service.era = "legacy" if was_modern else "modern"
    service.sessions.clear()

    async def modern_only(seen: Seen) -> Answer | None:
        is_initialize = b'"initialize"' in seen.body or seen.header("mcp-session-id")
        return Answer(status=404, content_type="text/plain") if is_initialize and not was_modern else None

    service.on_anything = modern_only

    assert (await client.call("echo", {"text": "still"})).text == "still"


@pytest.mark.parametrize("status", [403, 500, 503, 429])
async def test_no_era_is_concluded_from_a_refusal_or_an_outage(hub: Hub, modern: Service, status: int) -> None:
    async def down(_seen: Seen) -> Answer | None:
        return Answer(b"down", status, content_type="text/plain")

    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token-0001")
    client = await hub.client(ada, modern)
    modern.on_anything = down
    first = await client.call("echo")
    assert first.result.get("isError") is True

    async def up(_seen: Seen) -> Answer | None:
        return None

    modern.on_anything = up

    assert (await client.call("echo", {"text": "up"})).text == "up"
    assert "initialize" not in modern.methods()


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_arguments_travel_in_headers_where_the_tool_says_so(hub: Hub, modern: Service, version: str) -> None:
    tool = {
        "name": "find",
        "inputSchema": {
            "type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
        },
    }  # fmt: skip
    modern.tools = [json.dumps(tool).encode()]
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token-0001", on=("find",))
    client = await hub.client(ada, modern, version=version)
    client.extra = [("Mcp-Param-Region", "=?base64?w7xiZXI=?="), ("Mcp-Param-Other", "x")] if version == MODERN else []

    got = await client.call("find", {"region": "über"})

    assert got.status == 200
    [seen] = modern.calls
    assert seen.header("mcp-param-region") == "=?base64?w7xiZXI=?="
    assert seen.header("mcp-param-other") == ""
    assert seen.header("mcp-name") == "find"


async def test_headers_that_say_something_else_than_the_arguments_are_refused(hub: Hub, modern: Service) -> None:
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
    modern.tools = [json.dumps({"name": "find", "inputSchema": schema}).encode()]
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token-0001", on=("find",))
    client = await hub.client(ada, modern)
    client.extra = [("Mcp-Param-Region", "elsewhere")]

    got = await client.call("find", {"region": "here"})

    assert (got.status, got.error["code"]) == (400, -32020)
    assert modern.calls == []
    assert [record.outcome for record in await hub.records(ada)] == [Outcome.REFUSED]
