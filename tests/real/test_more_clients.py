"""Clients that people build on, against a running hub: FastMCP's, and LangChain's on the SDK before 2."""

from __future__ import annotations

import json
import subprocess
import textwrap
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio.to_thread
import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.auth import OAuth
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp.exceptions import ToolError
from mcp.shared.auth import AuthorizationCodeResult

from tests.real.conftest import Connected

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

NOTE = "Bernoulli numbers"  # one of Ada's notes at the sample service
LANGCHAIN = """
    import asyncio, json, sys
    from importlib.metadata import version
    from langchain_mcp_adapters.client import MultiServerMCPClient

    async def main(url, token):
        server = {"transport": "streamable_http", "url": url, "headers": {"Authorization": f"Bearer {token}"}}
        client = MultiServerMCPClient({"valetkey": server})
        tools = {tool.name: tool for tool in await client.get_tools()}
        by_end = {end: next(tool for name, tool in tools.items() if name.endswith(end)) for end in sys.argv[1:]}
        said = {end: await tool.ainvoke({"id": "n3"} if "delete" in end else {}) for end, tool in by_end.items()}
        print(json.dumps({"sdk": version("mcp"), "tools": sorted(tools), "said": said}, default=str))

    asyncio.run(main(*sys.stdin.read().split()))
"""


def direct(
    headers: dict[str, str] | None = None,
    timeout: httpx2.Timeout | None = None,
    auth: httpx2.Auth | None = None,
    **given: Any,
) -> httpx2.AsyncClient:
    """What FastMCP makes its connections with, whatever proxy this machine is set to."""
    return httpx2.AsyncClient(headers=headers, timeout=timeout, auth=auth, **{**given, "trust_env": False})


class Login(OAuth):
    """FastMCP's own OAuth client; the owner's browser is ours, and the callback is read off its address bar."""

    hub: Connected
    came_back: str

    async def redirect_handler(self, authorization_url: str) -> None:
        callback = f"http://localhost:{self.redirect_port}/callback"
        page = await anyio.to_thread.run_sync(lambda: self.hub.agree(authorization_url, stop_at=callback))
        self.came_back = page.url

    async def callback_handler(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult.model_validate(dict(parse_qsl(urlsplit(self.came_back).query)))


@pytest.mark.parametrize(("mode", "revision"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
async def test_fastmcp_signs_in_and_calls_a_tool(hub: Connected, mode: Any, revision: str) -> None:
    login = Login(httpx_client_factory=direct)
    login.hub = hub
    with pytest.warns(UserWarning, match="in-memory token storage"):
        transport = StreamableHttpTransport(f"{hub.url}/mcp", auth=login, httpx_client_factory=direct)

    async with Client(transport, mode=mode) as client:
        tools = {tool.name.partition("_")[2]: tool.name for tool in await client.list_tools()}
        result = await client.call_tool(tools["list_notes"], {})
        with pytest.raises(ToolError, match=f"{hub.url}/"):  # it is off, and the answer says where to switch it on
            await client.call_tool(tools["delete_note"], {"id": "n3"})

        assert client.protocol_version == revision
    assert NOTE in str(result.content)


def test_langchain_lists_the_tools_and_calls_one(hub: Connected, programs: Path) -> None:
    done = subprocess.run(
        [programs / "python", "-c", textwrap.dedent(LANGCHAIN), "list_notes", "delete_note"],
        input=f"{hub.url}/mcp {hub.token}",
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["sdk"].startswith("1.")
    assert len(seen["tools"]) == 4
    assert NOTE in str(seen["said"]["list_notes"])
    assert f"{hub.url}/" in str(seen["said"]["delete_note"])  # it is off, and the answer says where to switch it on
