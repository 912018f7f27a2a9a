"""Lists of tools: one connector's as they are, all of a person's side by side."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.gateway.conftest import Hub
from tests.gateway.service import TOOLS, Answer, Seen, Service
from valetkey.audit.model import Outcome

MODERN = "2026-07-28"


@pytest.mark.parametrize("version", [MODERN, "2025-11-25", "2025-03-26"])
async def test_one_connectors_tools_come_as_they_are(hub: Hub, service: Service, version: str) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")

    got = await (await hub.client(ada, service, version=version)).tools()

    assert got.result["tools"] == TOOLS
    assert service.tools[0] in got.raw
    assert {seen.token for seen in service.seen} == {"adas-token"}
    if version == MODERN:
        assert (got.result["cacheScope"], got.result["resultType"]) == ("private", "complete")
        assert got.result["ttlMs"] >= 0
    else:
        assert "resultType" not in got.result


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_all_connectors_tools_stand_side_by_side_under_prefixed_names(
    hub: Hub, modern: Service, legacy: Service, version: str
) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-modern-token")
    await hub.connect(ada, legacy, "adas-legacy-token")
    client = await hub.client(ada, version=version)
    slugs = [hub.connector(service).slug for service in (modern, legacy)]

    got = await client.tools()
    again = await client.tools()

    names = [tool["name"] for tool in got.result["tools"]]
    assert names == [f"{slug}_{tool}" for slug in slugs for tool in ("echo", "delete_all")]
    assert got.result["tools"] == again.result["tools"]
    assert all(len(name) <= 50 for name in names)
    assert got.result["tools"][0]["vendor/extra"] == TOOLS[0]["vendor/extra"]
    for slug, service in zip(slugs, (modern, legacy), strict=True):
        assert (await client.call(f"{slug}_echo", {"text": slug})).text == slug
        assert len(service.calls) == 1
        assert service.calls[0].message["params"]["name"] == "echo"


async def test_a_slow_connector_does_not_hold_up_the_others(hub: Hub, modern: Service, legacy: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")
    await hub.connect(ada, legacy, "adas-token", on=())

    async def never(_seen: Seen) -> Answer | None:
        await asyncio.Event().wait()
        raise AssertionError

    legacy.on_anything = never
    client = await hub.client(ada)
    slugs = {service: hub.connector(service).slug for service in (modern, legacy)}

    got = await client.tools()

    assert [tool["name"] for tool in got.result["tools"]] == [f"{slugs[modern]}_echo", f"{slugs[modern]}_delete_all"]
    [missing] = got.result["_meta"]["valetkey/partial"]
    assert (missing["connector"], missing["reason"]) == (slugs[legacy], "slow")
    assert got.result["ttlMs"] == 0


async def test_a_connector_that_is_down_shows_its_tools_as_last_seen(hub: Hub, service: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    await service.stop()

    one = await (await hub.client(ada, service)).tools()
    every = await (await hub.client(ada)).tools()

    assert one.result["tools"] == TOOLS
    assert len(every.result["tools"]) == len(TOOLS)
    assert one.result["_meta"]["valetkey/partial"][0]["reason"] == "unreachable"


async def test_a_person_without_connections_gets_an_empty_list_and_is_told_what_to_do(hub: Hub) -> None:
    ada = await hub.person("ada")
    client = await hub.client(ada)

    listed = await client.tools()
    discovered = await client.ask("server/discover", {})

    assert listed.result["tools"] == []
    assert f"http://localhost:{hub.port}/connections" in discovered.result["instructions"]
    assert discovered.result["supportedVersions"] == [MODERN]
    assert discovered.result["cacheScope"] == "private"


async def test_a_door_to_one_connector_says_what_its_server_says_of_itself(hub: Hub, service: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada, service)
    await client.tools()

    discovered = await client.ask("server/discover", {})
    initialized = await hub.client(ada, service, version="2025-11-25")
    legacy = await initialized.initialize()

    assert discovered.result["instructions"] == legacy.result["instructions"] == "Be kind."
    assert legacy.result["serverInfo"]["name"] == "fake"
    assert discovered.result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "fake"


async def test_pages_are_read_to_the_end(hub: Hub, modern: Service) -> None:
    async def paged(seen: Seen) -> Answer | None:
        if b'"tools/list"' not in seen.body:
            return None
        at = int(seen.message["params"].get("cursor", "0") or 0)
        tools = [{"name": f"tool_{at}", "inputSchema": {}}]
        more = {"nextCursor": str(at + 1)} if at < 4 else {}
        result = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": tools, **more}
        return Answer(json.dumps({"jsonrpc": "2.0", "id": seen.message["id"], "result": result}).encode())

    modern.on_anything = paged
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token", on=())

    names = await (await hub.client(ada, modern)).names()

    assert names == [f"tool_{number}" for number in range(5)]


@pytest.mark.parametrize("cursors", [["x"] * 100, [str(number) for number in range(100)], ["a", "b"] * 50])
async def test_pages_without_end_are_given_up(hub: Hub, modern: Service, cursors: list[str]) -> None:
    left = iter(cursors)

    async def endless(seen: Seen) -> Answer | None:
        if b'"tools/list"' not in seen.body:
            return None
        result = {"resultType": "complete", "tools": [{"name": "t", "inputSchema": {}}], "nextCursor": next(left)}
        return Answer(json.dumps({"jsonrpc": "2.0", "id": seen.message["id"], "result": result}).encode())

    modern.on_anything = endless
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token", on=())

    got = await (await hub.client(ada, modern)).tools()

    assert got.result["tools"] == []
    assert got.result["_meta"]["valetkey/partial"][0]["reason"] in ("bad_answer", "too_large")
    assert len(modern.seen) < 60


async def test_a_tool_with_invalid_header_annotations_is_hidden_from_modern_clients(hub: Hub, modern: Service) -> None:
    bad = {"name": "bad", "inputSchema": {"properties": {"a": {"type": "number", "x-mcp-header": "A"}}}}
    modern.tools.append(json.dumps(bad).encode())
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")

    assert "bad" not in await (await hub.client(ada, modern)).names()
    assert "bad" in await (await hub.client(ada, modern, version="2025-11-25")).names()


async def test_a_list_is_kept_for_as_long_as_its_server_says(hub: Hub, modern: Service) -> None:
    async def with_ttl(seen: Seen) -> Answer | None:
        if b'"tools/list"' not in seen.body:
            return None
        result = b'{"resultType":"complete","ttlMs":30000,"cacheScope":"public","tools":[%b]}' % b",".join(modern.tools)
        return Answer(b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (seen.message["id"], result))

    modern.on_anything = with_ttl
    ada, grace = await hub.person("ada"), await hub.person("grace")
    await hub.connect(ada, modern, "adas-token", on=())
    await hub.connect(grace, modern, "graces-token", on=())
    client = await hub.client(ada, modern)

    first = await client.tools()
    await client.tools()
    hub.clock.advance(10)
    second = await client.tools()
    await (await hub.client(grace, modern)).tools()  # public or not: it was Ada who was told
    hub.clock.advance(21)
    await client.tools()

    assert (first.result["ttlMs"], second.result["ttlMs"]) == (30000, 20000)
    assert [seen.token for seen in modern.seen if b'"tools/list"' in seen.body] == [
        "adas-token", "graces-token", "adas-token",
    ]  # fmt: skip


async def test_listing_at_once_asks_the_service_once_and_is_recorded(hub: Hub, service: Service) -> None:
    """A credential left the vault, so it is written down, like every use of it."""
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token", on=())
    client = await hub.client(ada, service)
    asked = asyncio.Event()

    async def wait(seen: Seen) -> Answer | None:
        if b'"tools/list"' in seen.body:
            await asked.wait()
        return None

    service.on_anything = wait
    listing = [asyncio.create_task(client.tools()) for _ in range(5)]
    await asyncio.sleep(0.2)
    asked.set()
    results: list[Any] = await asyncio.gather(*listing)

    assert all(got.result["tools"] == TOOLS for got in results)
    assert service.methods().count("tools/list") == 1
    [record] = await hub.records(ada, method="tools/list")
    assert record.outcome is Outcome.OK
    assert record.origin == hub.connector(service).origin
