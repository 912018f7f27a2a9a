"""Real MCP clients against a running hub: each finds its way in by itself, asks the owner, and calls a tool."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.auth import OAuthClientProvider
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from tests.real.conftest import Connected
from tests.real.node import INSPECTOR, MCP_REMOTE, Node

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

CALLBACK = "http://127.0.0.1:9/callback"
NOTE = "Bernoulli numbers"  # one of Ada's notes at the sample service


class Memory:
    """Where the SDK keeps what it was given."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def sdk_login(hub: Connected, url: str, memory: Memory) -> OAuthClientProvider:
    """The SDK's own OAuth client; the owner's browser is ours, and the callback is read off its address bar."""
    came_back: list[dict[str, str]] = []

    async def open_browser(authorization_url: str) -> None:
        page = await asyncio.to_thread(hub.agree, authorization_url, stop_at=CALLBACK)
        came_back.append(dict(parse_qsl(urlsplit(page.url).query)))

    async def wait_for_callback() -> AuthorizationCodeResult:
        return AuthorizationCodeResult.model_validate(came_back.pop())

    metadata = OAuthClientMetadata.model_validate(
        {"client_name": "SDK", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
    )
    return OAuthClientProvider(url, metadata, memory, open_browser, wait_for_callback)


@asynccontextmanager
async def sdk_client(url: str, login: OAuthClientProvider, mode: Any = "auto") -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(auth=login, timeout=60, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


def text_of(result: Any) -> str:
    return " ".join(part.text for part in result.content if part.type == "text")


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_the_python_sdk_signs_in_and_calls_a_tool(hub: Connected, mode: Any) -> None:
    memory = Memory()
    url = f"{hub.url}/mcp"
    async with sdk_client(url, sdk_login(hub, url, memory), mode) as client:
        tools = (await client.list_tools()).tools
        [name] = [tool.name for tool in tools if tool.name.endswith("list_notes")]
        result = await client.call_tool(name, {})

    assert NOTE in text_of(result)
    assert memory.tokens is not None
    assert memory.tokens.access_token.startswith("vka_")


async def test_the_python_sdk_goes_on_with_its_refresh_token_and_asks_nobody(hub: Connected) -> None:
    memory = Memory()
    url = f"{hub.url}/mcp"
    login = sdk_login(hub, url, memory)
    async with sdk_client(url, login) as client:
        first = memory.tokens
        assert first is not None
        login.context.redirect_handler = None
        login.context.token_expiry_time = 1.0  # to the SDK, its access token has run out

        assert (await client.list_tools()).tools

    assert memory.tokens is not None
    assert memory.tokens.access_token != first.access_token
    assert memory.tokens.refresh_token != first.refresh_token


async def test_the_python_sdk_uses_a_token_of_one_connector_at_that_connector_only(hub: Connected) -> None:
    memory = Memory()
    [slug] = hub.connectors
    url = f"{hub.url}/c/{slug}/mcp"
    async with sdk_client(url, sdk_login(hub, url, memory)) as client:
        result = await client.call_tool("list_notes", {})
    assert NOTE in text_of(result)
    assert memory.tokens is not None

    bearer = {"authorization": f"Bearer {memory.tokens.access_token}"}
    refused = httpx2.post(f"{hub.url}/mcp", headers=bearer, json={}, trust_env=False)

    assert refused.status_code == 401
    assert 'resource_metadata="' in refused.headers["www-authenticate"]


class Watched:
    """What a program says on its stderr. The owner opens the first authorization URL that is among it."""

    def __init__(self, hub: Connected, stream: IO[str]) -> None:
        self._hub = hub
        self._stream = stream
        self._thread = threading.Thread(target=self._read)
        self.said = ""
        self.asked: list[dict[str, str]] = []

    def _read(self) -> None:
        address = re.compile(rf"{re.escape(self._hub.url)}/oauth/authorize\?\S+")
        for line in self._stream:
            self.said += line
            found = address.search(line)
            if found and not self.asked:
                self.asked.append(dict(parse_qsl(urlsplit(found[0]).query)))
                self.said += f"[the owner came back to: {self._hub.agree(found[0]).text[:100]}]\n"

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._thread.join(30)


def inspect(hub: Connected, node: Node, home: Path, *arguments: str) -> tuple[Any, Watched]:
    """One run of the Inspector's command line; what it printed, and what it said while at it."""
    target = [f"{hub.url}/mcp", "--transport", "http", "--callback-url", "http://127.0.0.1:0/oauth/callback"]
    terminal, ours = os.openpty()  # without one it refuses to ask anybody
    with subprocess.Popen(
        node.command(INSPECTOR, "--cli", *target, "--format", "json", *arguments),
        env=node.environment(home) | {"MCP_INSPECTOR_SECRET_STORE": "file"},
        stdin=ours,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        with Watched(hub, process.stderr) as watched:
            out = process.stdout.read()
        process.wait(60)
    os.close(terminal)
    os.close(ours)
    assert process.returncode == 0, watched.said
    return json.loads(out)["result"], watched


@pytest.mark.parametrize("era", ["legacy", "auto", "modern"])
def test_the_inspector_signs_in_and_calls_a_tool(hub: Connected, node: Node, tmp_path: Path, era: str) -> None:
    listed, first = inspect(hub, node, tmp_path, "--protocol-era", era, "--method", "tools/list")
    [name] = [tool["name"] for tool in listed["tools"] if tool["name"].endswith("list_notes")]

    result, second = inspect(
        hub, node, tmp_path, "--protocol-era", era, "--stored-auth-only", "--method", "tools/call", "--tool-name", name
    )

    assert NOTE in json.dumps(result)
    assert [asked["code_challenge_method"] for asked in first.asked] == ["S256"]
    assert not second.asked  # it kept what it was given


async def test_mcp_remote_signs_in_and_calls_a_tool(hub: Connected, node: Node, tmp_path: Path) -> None:
    program, *arguments = node.command(MCP_REMOTE, f"{hub.url}/mcp", "--auth-timeout", "60")
    parameters = StdioServerParameters(command=program, args=arguments, env=node.environment(tmp_path))
    reading, writing = os.pipe()
    with os.fdopen(reading) as said, Watched(hub, said) as watched, os.fdopen(writing, "w") as errlog:
        async with Client(stdio_client(parameters, errlog=errlog), read_timeout_seconds=90) as client:
            tools = (await client.list_tools()).tools
            [name] = [tool.name for tool in tools if tool.name.endswith("list_notes")]
            result = await client.call_tool(name, {})

    assert NOTE in text_of(result), watched.said
    assert len(watched.asked) == 1
