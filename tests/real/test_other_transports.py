"""Real servers of the other transports: a program spoken to over pipes, and the SDK's server of 2024-11-05."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.cli.conftest import first_words, start
from valetkey.demo.story.browser import Browser, Page
from valetkey.demo.story.play import PASSWORD

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

TIME = str(Path(sys.executable).with_name("mcp-server-time"))
OLD_SERVER = '''
    import sys
    import uvicorn
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("old")

    @server.tool()
    def echo(text: str) -> str:
        """Says it back."""
        return text

    uvicorn.run(server.sse_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
'''


@dataclass
class RealHub:
    """A hub in a process of its own, and its owner's browser."""

    url: str
    browser: Browser
    process: subprocess.Popen[str]

    def switch_on_all(self, page: Page) -> None:
        until = time.monotonic() + 60
        while not page.has("says it only reads") and not page.has("may delete") and not page.has("may write"):
            assert time.monotonic() < until, page.text  # a program may take long to start, and is not waited for
            time.sleep(0.2)
            page = self.browser.open(page.url)
        tools = [value for name, value in page.form_with(button="Save").fields if name == "shown"]
        self.browser.press("Save", {"tool": tools})

    def token(self, audience: str) -> str:
        self.browser.open(f"{self.url}/settings/tokens/new")
        page = self.browser.press("Create", {"name": "test", "audience": audience, "days": "1"})
        return next(code for code in page.codes if code.startswith("vkt_"))


@pytest.fixture
def hub() -> Iterator[RealHub]:
    with tempfile.TemporaryDirectory(prefix="vk-real-", dir="/tmp") as directory:
        home = Path(directory)
        (home / "data").mkdir(mode=0o700)
        declared = f'[local_servers.time]\ncommand = ["{TIME}", "--local-timezone", "Europe/Berlin"]\npass = ["PATH"]\n'
        (home / "data" / "valetkey.toml").write_text(declared)
        process = start(home, "--allow-network", "127.0.0.1/32")
        browser = Browser()
        try:
            said = first_words(process)
            browser.open(said["sign in"])
            browser.press("Continue")
            browser.press("Set password", {"password": PASSWORD, "repeat": PASSWORD})
            yield RealHub(said["ready"], browser, process)
        finally:
            browser.close()
            process.terminate()
            process.communicate(timeout=60)


@asynccontextmanager
async def assistant(hub: RealHub, path: str) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {hub.token(path)}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
        Client(streamable_http_client(f"{hub.url}{path}", http_client=http)) as client,
    ):
        yield client


def text_of(result: Any) -> str:
    return " ".join(part.text for part in result.content if part.type == "text")


def programs(hub: RealHub) -> list[int]:
    """The ids of the processes that are children of the hub's."""
    children = Path(f"/proc/{hub.process.pid}/task/{hub.process.pid}/children").read_text()
    return [int(child) for child in children.split()]


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


async def test_a_program_is_connected_called_and_gone_with_the_hub(hub: RealHub) -> None:
    page = hub.browser.open(f"{hub.url}/connections/new/local-time")
    assert page.has(TIME)
    assert page.has("Europe/Berlin")
    page = hub.browser.press("Connect", {"acknowledged": "yes"})
    hub.switch_on_all(page)

    async with assistant(hub, "/c/local-time/mcp") as client:
        result = await client.call_tool("get_current_time", {"timezone": "Asia/Tokyo"})

    assert "Asia/Tokyo" in text_of(result)
    [pid] = programs(hub)
    assert is_running(pid)
    os.kill(hub.process.pid, signal.SIGKILL)
    until = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < until, "the program outlived the hub"
        time.sleep(0.05)


@pytest.fixture
def old_server() -> Iterator[str]:
    """The SDK's own server of HTTP with server-sent events; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-c", textwrap.dedent(OLD_SERVER), str(port)])
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert server.poll() is None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/sse"
    finally:
        server.terminate()
        server.wait(timeout=30)


async def test_the_sdks_server_of_2024_11_05_is_connected_and_called(hub: RealHub, old_server: str) -> None:
    hub.browser.open(f"{hub.url}/connections/add")
    page = hub.browser.press("Continue", {"url": old_server, "name": "Old", "sign_in": "oauth"})
    assert page.path.startswith("/connections/review/"), page.text
    page = hub.browser.press("Connect", {"acknowledged": "yes"})
    hub.switch_on_all(page)

    async with assistant(hub, "/mcp") as client:
        [tool] = (await client.list_tools()).tools
        result = await client.call_tool(tool.name, {"text": "said over there"})

    assert text_of(result) == "said over there"
