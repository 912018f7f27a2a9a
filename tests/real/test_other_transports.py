"""Real servers: programs spoken to over pipes, the SDK's server of 2024-11-05, and a reference server of everything."""

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
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import PromptReference, ResourceTemplateReference, TextContent, TextResourceContents

from tests.cli.conftest import first_words, start
from tests.real.node import EVERYTHING, Node
from valetkey.demo.story.browser import Browser, Page
from valetkey.demo.story.play import PASSWORD

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

TIME = str(Path(sys.executable).with_name("mcp-server-time"))
DECLARED = """
[local_servers.time]
command = ["{time}", "--local-timezone", "Europe/Berlin"]
pass = ["PATH"]

[local_servers.git]
command = ["{git}"]
pass = ["PATH"]
"""
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
        for form in page.forms:
            allowed = {name: "allow" for name, value in form.choices if name.startswith("say:") and value == "allow"}
            if allowed:
                self.browser.press("Save", allowed, form=form)

    def token(self, audience: str) -> str:
        self.browser.open(f"{self.url}/settings/tokens/new")
        page = self.browser.press("Create", {"name": "test", "audience": audience, "days": "1"})
        return next(code for code in page.codes if code.startswith("vkt_"))


@pytest.fixture
def hub(programs: Path) -> Iterator[RealHub]:
    with tempfile.TemporaryDirectory(prefix="vk-real-", dir="/tmp") as directory:
        home = Path(directory)
        (home / "data").mkdir(mode=0o700)
        declared = DECLARED.format(time=TIME, git=programs / "mcp-server-git")
        (home / "data" / "valetkey.toml").write_text(declared)
        process = start(home, "--allow-network", "127.0.0.1/32", "--privacy-policy", "template")
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
async def assistant(hub: RealHub, path: str, mode: Any = "auto") -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {hub.token(path)}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
        Client(streamable_http_client(f"{hub.url}{path}", http_client=http), mode=mode) as client,
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


async def test_a_program_on_the_sdk_before_2_reads_a_repository(hub: RealHub, tmp_path: Path) -> None:
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for words in (["init", "-q"], [*author, "commit", "-q", "--allow-empty", "-m", "Bernoulli numbers, by engine"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    hub.browser.open(f"{hub.url}/connections/new/local-git")
    hub.switch_on_all(hub.browser.press("Connect", {"acknowledged": "yes"}))

    async with assistant(hub, "/c/local-git/mcp") as client:
        result = await client.call_tool("git_log", {"repo_path": str(tmp_path)})
        refused = await client.call_tool("git_log", {"repo_path": str(tmp_path / "nowhere")})

    assert "Bernoulli numbers, by engine" in text_of(result)
    assert refused.is_error


@contextmanager
def listening(command: list[str], port: int, environment: dict[str, str] | None = None) -> Iterator[None]:
    """The server of this command, from when it takes connections on the port."""
    server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert server.poll() is None
                time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait(timeout=30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def old_server() -> Iterator[str]:
    """The SDK's own server of HTTP with server-sent events; its address."""
    port = free_port()
    with listening([sys.executable, "-c", textwrap.dedent(OLD_SERVER), str(port)], port):
        yield f"http://127.0.0.1:{port}/sse"


@pytest.fixture
def everything(node: Node, tmp_path: Path) -> Iterator[str]:
    """The reference server that has all of the protocol, of 2025-11-25; its address."""
    port = free_port()
    environment = node.environment(tmp_path) | {"PORT": str(port)}
    with listening(node.command(EVERYTHING, "streamableHttp"), port, environment):
        yield f"http://127.0.0.1:{port}/mcp"


def connect(hub: RealHub, url: str, name: str) -> None:
    hub.browser.open(f"{hub.url}/connections/add")
    page = hub.browser.press("Continue", {"url": url, "name": name, "sign_in": "oauth"})
    assert page.path.startswith("/connections/review/"), page.text
    page = hub.browser.press("Connect", {"acknowledged": "yes"})
    hub.switch_on_all(page)


async def test_the_sdks_server_of_2024_11_05_is_connected_and_called(hub: RealHub, old_server: str) -> None:
    connect(hub, old_server, "Old")

    async with assistant(hub, "/mcp") as client:
        [tool] = (await client.list_tools()).tools
        result = await client.call_tool(tool.name, {"text": "said over there"})

    assert text_of(result) == "said over there"


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_prompts_resources_and_completion_of_the_reference_server_pass(
    hub: RealHub, everything: str, mode: Any
) -> None:
    """On `/mcp`, where every name and address is one of ours on the way out and the server's own on the way back."""
    connect(hub, everything, "Everything")

    async with assistant(hub, "/mcp", mode) as client:
        prompts = {prompt.name.partition("_")[2]: prompt for prompt in (await client.list_prompts()).prompts}
        got = await client.get_prompt(prompts["args-prompt"].name, {"city": "Turin", "state": "Piedmont"})
        department = PromptReference(name=prompts["completable-prompt"].name)
        completed = await client.complete(department, {"name": "department", "value": "S"})
        narrowed = await client.complete(department, {"name": "name", "value": ""}, {"department": "Sales"})

        documents = {one.name: one for one in (await client.list_resources()).resources}
        [document] = (await client.read_resource(documents["features.md"].uri)).contents
        templates = {one.name: one for one in (await client.list_resource_templates()).resource_templates}
        template = templates["Dynamic Text Resource"].uri_template
        offered = await client.complete(ResourceTemplateReference(uri=template), {"name": "resourceId", "value": "7"})
        [made] = (await client.read_resource(template.replace("{resourceId}", "7"))).contents
        tools = [tool.name for tool in (await client.list_tools()).tools]
        [get_sum] = [name for name in tools if name.endswith("_get-sum")]
        summed = await client.call_tool(get_sum, {"a": 2, "b": 40})

    slug = get_sum.partition("_")[0]
    assert {"simple-prompt", "args-prompt", "completable-prompt", "resource-prompt"} == prompts.keys()
    assert isinstance(got.messages[0].content, TextContent)
    assert got.messages[0].content.text == "What's weather in Turin, Piedmont?"
    assert completed.completion.values == ["Sales", "Support"]
    assert narrowed.completion.values == ["David", "Eve", "Frank"]
    assert documents["features.md"].uri == f"vk+{slug}+demo://resource/static/document/features.md"
    assert isinstance(document, TextResourceContents)
    assert document.uri == documents["features.md"].uri
    assert document.text.startswith("# Everything Server")
    assert template == f"vk+{slug}+demo://resource/dynamic/text/{{resourceId}}"
    assert offered.completion.values == ["7"]
    assert isinstance(made, TextResourceContents)
    assert made.uri == template.replace("{resourceId}", "7")
    assert "Resource 7" in made.text
    assert "42" in text_of(summed)
