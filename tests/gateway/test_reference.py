"""With the reference implementation on both sides: its client asks us, we ask its servers, all on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
import pytest
import uvicorn
from mcp.client.client import Client as ReferenceClient
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import CallToolResult, ElicitResult, TextContent

from tests.gateway.conftest import Hub
from tests.gateway.service import Service
from valetkey.audit.model import Outcome

Kind = Literal["json", "stream"]


def reference_server() -> MCPServer:
    """A server of both eras with a few tools."""
    server = MCPServer("reference", instructions="The reference.")

    @server.tool()
    def get_sum(a: int, b: int) -> int:
        """Gets the sum of two numbers."""
        return a + b

    @server.tool()
    async def count(to: int, ctx: Context[Any]) -> str:
        """Counts, and says how far it has come."""
        for number in range(to):
            await ctx.report_progress(number, to)
        return f"counted to {to}"

    @server.tool()
    def fail() -> str:
        """Fails."""
        raise ValueError("it failed")

    return server


def text_of(result: CallToolResult) -> str:
    block = result.content[0]
    assert isinstance(block, TextContent)
    return block.text


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[int]:
    """The application on a port of its own, with its lifespan."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, lifespan="on", ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    socket = config.bind_socket()
    await server.startup(sockets=[socket])
    try:
        yield socket.getsockname()[1]
    finally:
        await server.shutdown(sockets=[socket])


class RefusesModern:
    """A server of the old era only: to it a modern request is one without a session."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and dict(scope["headers"]).get(b"mcp-protocol-version") == b"2026-07-28":
            await send({"type": "http.response.start", "status": 400, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"Bad Request: Server not initialized"})
            return
        await self._app(scope, receive, send)


@asynccontextmanager
async def reference_client(
    hub: Hub, token: str, path: str, mode: str, **options: Any
) -> AsyncIterator[ReferenceClient]:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(f"http://localhost:{hub.port}{path}", http_client=http)
        async with ReferenceClient(transport, mode=mode, **options) as client:
            yield client


@pytest.mark.parametrize("kind", ["json", "stream"])
@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize("mode", ["auto", "2026-07-28", "legacy"])
async def test_the_reference_client_and_server_talk_through_us(hub: Hub, kind: Kind, era: str, mode: str) -> None:
    app: Any = reference_server().streamable_http_app(json_response=kind == "json")
    async with running(app if era == "modern" else RefusesModern(app)) as port:
        service = Service("modern")
        service.port = port
        ada = await hub.person("ada")
        connection = await hub.connect(ada, service, "adas-token", on=())
        reported: list[float] = []

        async def note(progress: float, total: float | None, message: str | None) -> None:
            reported.append(progress)

        path = f"/c/{hub.connector(service).slug}/mcp"
        async with reference_client(hub, await hub.token(ada, path), path, mode) as client:
            tools = (await client.list_tools()).tools
            snapshot = await hub.snapshots.get(connection.id)
            assert snapshot is not None
            await hub.policy.permissions.allow(connection.id, snapshot.tools)

            added = await client.call_tool("get_sum", {"a": 2, "b": 3})
            failed = await client.call_tool("fail", {})
            counted = await client.call_tool("count", {"to": 3}, progress_callback=note)

    assert [tool.name for tool in tools] == ["get_sum", "count", "fail"]
    assert added.structured_content == {"result": 5}
    assert failed.is_error
    assert text_of(counted) == "counted to 3"
    assert reported == ([0, 1, 2] if kind == "stream" else [])
    assert [record.outcome for record in await hub.records(ada)] == [Outcome.OK, Outcome.TOOL_ERROR, Outcome.OK]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_reference_client_reads_the_aggregate(hub: Hub, mode: str) -> None:
    async with running(reference_server().streamable_http_app()) as port:
        service = Service("modern")
        service.port = port
        ada = await hub.person("ada")
        await hub.connect(ada, service, "adas-token", on=())
        one = await hub.client(ada, service)
        await one.ask("tools/list", {})  # now the hub has them: all of them together wait for nobody for long

        async with reference_client(hub, await hub.token(ada, "/mcp"), "/mcp", mode) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            asked = await client.call_tool(names[0], {"a": 1, "b": 2})

    assert names == [f"{hub.connector(service).slug}_{tool}" for tool in ("get_sum", "count", "fail")]
    assert asked.is_error
    assert "needs the person's confirmation" in text_of(asked)


async def test_the_reference_client_follows_our_request_to_connect_first(hub: Hub, modern: Service) -> None:
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, "adas-token")
    await hub.room.disconnecting.disconnect(ada.id, connection.id, by="person:ada")
    asked: list[str] = []

    async def connect(_context: Any, params: Any) -> Any:
        asked.append(params.url)
        await hub.give_token(ada, hub.connector(modern), connection, "adas-new-token")
        await hub.switch_on(connection, modern, "echo")
        return ElicitResult(action="accept")

    path = f"/c/{hub.connector(modern).slug}/mcp"
    token = await hub.token(ada, path)
    async with reference_client(hub, token, path, "2026-07-28", elicitation_callback=connect) as client:
        got = await client.call_tool("echo", {"text": "connected"})

    assert text_of(got) == "connected"
    assert asked == [f"http://localhost:{hub.port}/connections/{connection.id}"]
    assert modern.tokens == ["adas-new-token"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_fastmcp_server_is_reached(hub: Hub, mode: str) -> None:
    from fastmcp import FastMCP

    server: Any = FastMCP("fast")

    @server.tool  # type: ignore[untyped-decorator]  # its types ask for more than we want to name here
    def shout(text: str) -> str:
        """Shouts."""
        return text.upper()

    async with running(server.http_app()) as port:
        service = Service("modern")
        service.port = port
        ada = await hub.person("ada")
        connection = await hub.connect(ada, service, "adas-token", on=())
        path = f"/c/{hub.connector(service).slug}/mcp"
        async with reference_client(hub, await hub.token(ada, path), path, mode) as client:
            await client.list_tools()
            snapshot = await hub.snapshots.get(connection.id)
            assert snapshot is not None
            await hub.policy.permissions.allow(connection.id, snapshot.tools)
            got = await client.call_tool("shout", {"text": "hello"})

    assert text_of(got) == "HELLO"
