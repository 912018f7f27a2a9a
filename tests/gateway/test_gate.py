"""What is refused before anything is read, and in which words."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.gateway.client import Client, read_answer
from tests.gateway.conftest import Hub
from tests.gateway.service import Service
from valetkey.gateway.sessions import find_session, new_session
from valetkey.protocol.asks import Asks
from valetkey.protocol.versions import LEGACY

MODERN = "2026-07-28"
PATHS = ("/mcp", "/c/github/mcp", "/c/github/work/mcp", "/p/work/mcp")


def challenge(hub: Hub, path: str) -> str:
    metadata = f"http://localhost:{hub.port}/.well-known/oauth-protected-resource{path}"
    return f'Bearer resource_metadata="{metadata}", scope="mcp"'


@pytest.mark.parametrize("path", PATHS)
async def test_a_stranger_is_told_where_to_sign_in_whether_or_not_the_connector_exists(hub: Hub, path: str) -> None:
    client = Client(hub.port, "", path)

    for message in ({"method": "tools/list"}, {"method": "initialize"}, "nonsense"):
        got = await client.post(message, plain=True)

        assert got.status == 401
        assert got.headers["www-authenticate"] == challenge(hub, path)


@pytest.mark.parametrize("token", ["vkt_wrong", "x", "adas-token", "vka_" + "A" * 43])
async def test_a_wrong_token_is_called_invalid(hub: Hub, token: str) -> None:
    got = await Client(hub.port, token).tools()

    assert got.status == 401
    assert got.headers["www-authenticate"] == challenge(hub, "/mcp") + ', error="invalid_token"'


async def test_a_token_for_one_door_opens_no_other(hub: Hub, service: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    slug = hub.connector(service).slug
    doors = ["/mcp", f"/c/{slug}/mcp", f"/c/{slug}/main/mcp", "/c/other/mcp"]

    for mine in doors:
        token = await hub.token(ada, mine)
        for door in doors:
            got = await Client(hub.port, token, door).ask("server/discover", {})
            assert (got.status == 401) == (door != mine), (mine, door)
    assert service.calls == []


@pytest.mark.parametrize("where", ["query", "basic", "two headers", "cookie"])
async def test_a_token_counts_only_as_one_bearer_header(hub: Hub, where: str) -> None:
    ada = await hub.person("ada")
    token = await hub.token(ada, "/mcp")
    client = Client(hub.port, "")
    match where:
        case "query":
            client.path = f"/mcp?access_token={token}"
        case "basic":
            client.extra = [("Authorization", f"Basic {token}")]
        case "two headers":
            client.extra = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
        case "cookie":
            client.extra = [("Cookie", f"access_token={token}")]

    got = await client.tools()

    assert got.status == (400 if where == "two headers" else 401)


async def test_a_revoked_token_is_refused_at_once(hub: Hub) -> None:
    ada = await hub.person("ada")
    client = await hub.client(ada)
    assert (await client.tools()).status == 200

    [info] = await hub.tokens.list(ada.id)
    await hub.tokens.revoke(ada.id, info.id)

    assert (await client.tools()).status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Host", "evil.example")], 421),
        ([("Host", "localhost")], 421),
        ([("Host", "")], 421),
        ([("Origin", "http://evil.example"), ("Host", "ours")], 403),
        ([("Origin", "null"), ("Host", "ours")], 403),
        ([("Origin", "ours"), ("Host", "ours")], 200),
        ([("Host", "ours"), ("X-Forwarded-Host", "evil.example")], 200),
    ],
)
async def test_only_our_own_name_and_no_other_web_page_get_in(
    hub: Hub, headers: list[tuple[str, str]], status: int
) -> None:
    """A name that leads to us but is not ours is an attack on somebody's browser (DNS rebinding)."""
    ada = await hub.person("ada")
    client = await hub.client(ada)
    message = client.request("tools/list", {})
    ours = {"Host": f"localhost:{hub.port}", "Origin": f"http://localhost:{hub.port}"}
    sent = [(name, ours[name] if value == "ours" else value) for name, value in headers]
    sent += [pair for pair in client.headers(message) if pair[0] != "Host"]

    got = await client.send("POST", json.dumps(message).encode(), sent)

    assert got.status == status


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS"])
async def test_only_post_is_served(hub: Hub, method: str) -> None:
    ada = await hub.person("ada")
    client = await hub.client(ada)

    got = await client.send(method, b"", [*client.headers(None), ("Content-Length", "0")])
    stranger = await client.send("GET", b"", [("Host", f"localhost:{hub.port}")])

    assert (got.status, got.headers["allow"]) == (405, "POST")
    assert stranger.status == 401


async def test_a_body_beyond_4_mib_is_refused_however_it_comes(hub: Hub) -> None:
    ada = await hub.person("ada")
    client = await hub.client(ada)
    big = b" " * (4 * 1024 * 1024 + 1)

    announced = await client.send("POST", b"", [*client.headers(None), ("Content-Length", str(len(big)))])
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(big), big)
    chunked = await client.send("POST", chunk, [*client.headers(None), ("Transfer-Encoding", "chunked")])

    assert (announced.status, chunked.status) == (413, 413)


@pytest.mark.parametrize("kind", ["text/plain", "application/json-seq", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_says_it_is_no_json_is_refused(hub: Hub, kind: str) -> None:
    """A form that some web page sends by itself must never be read as a request."""
    ada = await hub.person("ada")
    client = await hub.client(ada)
    message = client.request("tools/list", {})
    headers = [(name, kind if name == "Content-Type" else value) for name, value in client.headers(message)]

    assert (await client.send("POST", json.dumps(message).encode(), headers)).status == 415


LEGACY_OK = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.mark.parametrize(
    ("version", "message", "status", "code"),
    [
        (MODERN, [LEGACY_OK], 400, -32600),
        ("2025-03-26", [LEGACY_OK], 400, -32600),
        (MODERN, b"{nonsense", 400, -32700),
        ("2025-11-25", b"{nonsense", 400, -32700),
        (MODERN, b'{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}', 400, -32700),
        (
            MODERN,
            b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":' + b"[" * 70 + b"]" * 70 + b"}",
            400,
            -32700,
        ),
        (MODERN, {"jsonrpc": "2.0", "id": 1, "result": {}}, 400, -32600),
        ("2025-11-25", {"jsonrpc": "2.0", "id": 1, "result": {}}, 202, None),
        ("2025-11-25", {"jsonrpc": "2.0", "method": "notifications/initialized"}, 202, None),
        (MODERN, {"jsonrpc": "2.0", "method": "notifications/whatever"}, 202, None),
        ("2025-11-25", LEGACY_OK, 200, None),
        ("2025-11-25", {"jsonrpc": "2.0", "id": 1, "method": "no/such"}, 200, -32601),
        ("2025-11-25", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {}}, 200, -32602),
        ("2025-11-25", {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"cursor": "x"}}, 200, -32602),
    ],
)
async def test_each_wrong_message_has_its_own_answer(
    hub: Hub, version: str, message: Any, status: int, code: int | None
) -> None:
    ada = await hub.person("ada")
    client = await hub.client(ada, version=version)

    got = await client.post(message)

    assert got.status == status
    if code is not None:
        assert got.error["code"] == code


def modern(**changes: Any) -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        **changes.pop("meta", {}),
    }
    params = {"name": "echo", "_meta": {key: value for key, value in meta.items() if value is not None}}
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {**params, **changes.pop("params", {})},
        **changes,
    }


@pytest.mark.parametrize(
    ("message", "headers", "status", "code"),
    [
        (modern(meta={"io.modelcontextprotocol/protocolVersion": None}), {}, 400, -32602),
        (modern(meta={"io.modelcontextprotocol/clientCapabilities": None}), {}, 400, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call"}, {}, 400, -32602),
        (modern(), {"MCP-Protocol-Version": "2099-01-01"}, 400, -32020),
        (modern(meta={"io.modelcontextprotocol/protocolVersion": 7}), {}, 400, -32602),
        (modern(), {"Mcp-Method": "tools/list"}, 400, -32020),
        (modern(), {"Mcp-Method": None}, 400, -32020),
        (modern(), {"Mcp-Name": "other"}, 400, -32020),
        (modern(), {"Mcp-Name": None}, 400, -32020),
        (modern(), {"Mcp-Name": "=?base64?ZWNobw==?="}, 400, -32602),  # matches; and there is no such tool
        (modern(), {"Mcp-Name": "=?base64?ZWNob?="}, 400, -32020),
        (
            modern(meta={"io.modelcontextprotocol/protocolVersion": "2099-01-01"}),
            {"MCP-Protocol-Version": "2099-01-01"}, 400, -32022,
        ),
        (modern(method="ping"), {"Mcp-Method": "ping"}, 404, -32601),
        (modern(method="initialize"), {"Mcp-Method": "initialize"}, 404, -32601),
        (modern(), {"MCP-Protocol-Version": None}, 400, -32020),
    ],
)  # fmt: skip
async def test_the_ladder_of_a_modern_request(
    hub: Hub, message: dict[str, Any], headers: dict[str, str | None], status: int, code: int
) -> None:
    ada = await hub.person("ada")
    client = await hub.client(ada)
    sent = dict(client.headers(modern())) | headers

    pairs = [(name, value) for name, value in sent.items() if value is not None]
    got = await client.send("POST", json.dumps(message).encode(), pairs)

    assert (got.status, got.error["code"]) == (status, code)
    assert got.messages[-1]["id"] == 1
    if code == -32022:
        assert got.error["data"] == {"supported": [MODERN], "requested": "2099-01-01"}


async def test_what_stands_around_a_headers_value_is_no_part_of_it(hub: Hub, service: Service) -> None:
    """RFC 9110 5.5: whoever adds spaces or tabs there has said the same."""
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada, service)
    message = client.request("tools/call", {"name": "echo", "arguments": {"text": "spaced"}})
    body = json.dumps(message).encode()
    head = "".join(f"{name}:\t {value} \t \r\n" for name, value in client.headers(message))
    request = f"POST {client.path} HTTP/1.1\r\n{head}Content-Length: {len(body)}  \r\n\r\n".encode() + body

    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    for _ in range(2):
        writer.write(request)
        assert (await read_answer(reader)).text == "spaced"
    writer.close()


async def test_a_routing_header_that_comes_twice_is_refused(hub: Hub) -> None:
    """Who reads the first and who reads the last would see two different requests."""
    ada = await hub.person("ada")
    client = await hub.client(ada)
    client.extra = [("Mcp-Name", "other")]

    assert (await client.call("echo")).status == 400


async def test_a_legacy_session_belongs_to_who_began_it(hub: Hub) -> None:
    ada, grace = await hub.person("ada"), await hub.person("grace")
    hers = await hub.client(ada, version="2025-11-25")
    mine = await hub.client(grace, version="2025-11-25")
    assert hers.session
    assert hers.session != mine.session
    assert (await hers.tools()).status == 200

    mine.session = hers.session

    assert (await mine.tools()).status == 404
    for unknown in ("vks_", "vks_" + "A" * 40, "x", hers.session[:-4] + "AAAA", hers.session + "A"):
        hers.session = unknown
        assert (await hers.tools()).status == 404


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("2025-11-25", "2025-11-25"), ("2024-11-05", "2024-11-05"), (MODERN, "2025-11-25"), ("1999-01-01", "2025-11-25")],
)
async def test_initialize_is_answered_in_a_revision_that_has_it(hub: Hub, asked: str, answered: str) -> None:
    ada = await hub.person("ada")
    client = await hub.client(ada)
    client.version = asked

    got = await client.initialize()

    assert got.result["protocolVersion"] == answered
    assert got.result["serverInfo"]["name"] == "valetkey"
    assert f"http://localhost:{hub.port}/connections" in got.result["instructions"]


async def test_another_organizations_connector_is_not_found_in_the_same_words_as_none(
    hub: Hub, service: Service
) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    stranger = await hub.stranger("eve")

    theirs = await (await hub.client(stranger, service)).tools()
    none = await (await hub.client(stranger, path="/c/nothing-here/mcp")).tools()

    assert theirs.status == none.status == 404
    assert theirs.error == none.error


@pytest.mark.parametrize("version", LEGACY)
def test_a_session_is_all_in_its_id_so_that_a_restart_and_another_replica_know_it(version: str) -> None:
    made = new_session("ada", version=version, asks=Asks.FORMS | Asks.ROOTS)

    found = find_session(made, "ada")

    assert found is not None
    assert (found.version, found.asks, found.session) == (version, Asks.FORMS | Asks.ROOTS, made)
    assert find_session(made, "eve") is None
    for at in range(len(made)):
        other = made[:at] + (b"A" if made[at : at + 1] != b"A" else b"B") + made[at + 1 :]
        assert find_session(other, "ada") is None
