"""Plays the suite's client scenarios with a hub in the middle: connects the suite's server, and calls its tools.

A person adds the server as a connector and connects it; an assistant then lists and calls through the hub. Whatever the
suite's server sees is what the hub does.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal

import anyio
import httpx2
import mcp_types as types
from mcp import Client, MCPError
from mcp.client.session import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client

from tests.conformance.hub import Account, Hub, NotConnected
from valetkey.demo.story.browser import NotThere

MODERN: Final = "2026-07-28"
URL_ELICITATION_REQUIRED: Final = -32042
MOST_CONSENTS = 3
"""How often a person would follow "connect again" for one call before they give up."""
PLAY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Job:
    """One scenario, as the adapter hands it over."""

    url: str
    scenario: str
    revision: str
    context: Mapping[str, Any]


@dataclass(slots=True)
class Driver:
    """Plays jobs one after another: the owner has one browser."""

    hub: Hub
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def play(self, job: Job) -> tuple[int, str]:
        """Exit code for the suite, and what happened."""
        with self._turn:
            slug = ""
            try:
                client_id = str(job.context.get("client_id", ""))
                kind = "oauth" if job.scenario.startswith("auth/") else "none"
                slug = self.hub.add(job.url, kind, **({"client_id": client_id} if client_id else {}))
                account = self.hub.connect(slug, client_secret=str(job.context.get("client_secret", "")))
                self.hub.switch_all_on(account)
                return 0, anyio.run(self._converse, job, account)
            except (NotConnected, NotThere, MCPError, httpx2.HTTPError, TimeoutError, ExceptionGroup) as problem:
                return 1, f"{type(problem).__name__}: {problem}"
            finally:
                if slug:
                    self.hub.remove(slug)

    async def _converse(self, job: Job, account: Account) -> str:
        """What an assistant does with the connector, in the revision of the scenario."""
        mode: Literal["legacy", "2026-07-28"] = MODERN if job.revision == MODERN else "legacy"
        bearer = {"authorization": f"Bearer {self.hub.token(account.path)}"}
        said = []
        with anyio.fail_after(PLAY_SECONDS):
            async with httpx2.AsyncClient(headers=bearer, timeout=PLAY_SECONDS, trust_env=False) as http:
                transport = streamable_http_client(f"{self.hub.url}{account.path}", http_client=http)
                async with Client(
                    transport,
                    mode=mode,
                    elicitation_callback=_fill_in,
                    sampling_callback=_complete,
                    list_roots_callback=_roots,
                ) as client:
                    account, tools = await self._list(client, account)
                    given = [(call["name"], call["arguments"]) for call in job.context.get("toolCalls", ())]
                    for name, arguments in given or _calls(tools):
                        said.append(f"{name}: {await self._call(client, account, name, arguments)}")
                    said += [f"{what}: {await _look(client, what)}" for what in ("resources", "prompts")]
        return "\n".join(said)

    async def _list(self, client: Client, account: Account) -> tuple[Account, list[types.Tool]]:
        """The tools; when the account needs it, after connecting it again."""
        tools = (await client.list_tools()).tools
        if not tools and await anyio.to_thread.run_sync(self.hub.wants_reconnecting, account):
            account = await self._connect_again(account)
            tools = (await client.list_tools()).tools
        return account, tools

    async def _connect_again(self, account: Account) -> Account:
        account = await anyio.to_thread.run_sync(self.hub.connect_again, account)
        await anyio.to_thread.run_sync(self.hub.switch_all_on, account)
        return account

    async def _call(self, client: Client, account: Account, name: str, arguments: dict[str, Any]) -> str:
        for _ in range(MOST_CONSENTS):
            words, failed = await _said(client, name, arguments)
            if failed and (asked := re.search(re.escape(self.hub.url) + r"/approvals/\w+", words)):
                await anyio.to_thread.run_sync(self.hub.approve, asked.group())
                continue
            # What a person would take for a reason to connect again.
            if not (failed and f"{self.hub.url}/connections/" in words):
                break
            try:
                account = await self._connect_again(account)
            except (NotConnected, NotThere) as problem:
                return f"{words} → {problem}"
        return words[:300]


async def _said(client: Client, name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
    """What a call gave in words, and whether it failed. A link may come as an error of 2025-11-25 (SEP-1036)."""
    try:
        result = await client.call_tool(name, arguments)
    except MCPError as error:
        if error.code != URL_ELICITATION_REQUIRED:
            raise
        return json.dumps(error.data), True
    return " ".join(block.text for block in result.content if isinstance(block, types.TextContent)), result.is_error


def _calls(tools: list[types.Tool]) -> list[tuple[str, dict[str, Any]]]:
    """A call of each tool. One that echoes a schema is given that of the tool before it, as it was listed."""
    calls: list[tuple[str, dict[str, Any]]] = []
    before: dict[str, Any] = {}
    for tool in tools:
        echoes = list(tool.input_schema.get("properties", ())) == ["schema"]
        calls.append((tool.name, {"schema": before} if echoes else _arguments(tool.input_schema)))
        before = tool.input_schema
    return calls


async def _look(client: Client, what: str) -> str:
    """Reads the first resource, or gets the first prompt, if the hub relays such."""
    try:
        if what == "resources":
            resources = (await client.list_resources()).resources
            for resource in resources[:1]:
                await client.read_resource(str(resource.uri))
            return f"{len(resources)} listed"
        prompts = (await client.list_prompts()).prompts
        for prompt in prompts[:1]:
            wanted = {argument.name: "x" for argument in prompt.arguments or () if argument.required}
            await client.get_prompt(prompt.name, wanted)
        return f"{len(prompts)} listed"
    except MCPError as error:
        return f"not relayed ({error.message})"


async def _fill_in(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
    """Accepts, with the defaults of the form and little else."""
    if not isinstance(params, types.ElicitRequestFormParams):
        return types.ElicitResult(action="decline")
    schema = params.requested_schema
    content = {name: one["default"] for name, one in schema.get("properties", {}).items() if "default" in one}
    missing = {name: schema["properties"][name] for name in schema.get("required", ()) if name not in content}
    return types.ElicitResult(action="accept", content={**content, **_arguments({"properties": missing})})


async def _complete(
    context: ClientRequestContext, params: types.CreateMessageRequestParams
) -> types.CreateMessageResult:
    said = types.TextContent(type="text", text="A completion.")
    return types.CreateMessageResult(role="assistant", content=said, model="none", stop_reason="endTurn")


async def _roots(context: ClientRequestContext) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[])


def _arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each property, of its type."""
    of_type = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
    properties: Mapping[str, Any] = schema.get("properties", {})
    return {name: one.get("enum", [of_type.get(str(one.get("type")), "text")])[0] for name, one in properties.items()}


@contextmanager
def driving(hub: Hub) -> Iterator[str]:
    """The URL at which adapters hand over their scenarios."""
    driver = Driver(hub)

    class Desk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            job = Job(**json.loads(self.rfile.read(int(self.headers["content-length"]))))
            code, words = driver.play(job)
            body = json.dumps({"code": code, "words": words}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing: the suite keeps what the adapter prints."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
