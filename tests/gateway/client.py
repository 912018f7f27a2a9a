"""A client for tests: says MCP over a real socket, in the era it is told, and shows what came back."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from valetkey.protocol.headers import NAMED_BY

MODERN = "2026-07-28"
_ids = itertools.count(1000)


@dataclass
class Got:
    """An HTTP answer. `messages` are the JSON-RPC messages in it, in order; the last one is the response."""

    status: int
    headers: dict[str, str]
    raw: bytes
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def result(self) -> dict[str, Any]:
        assert "result" in self.messages[-1], self.messages
        return dict(self.messages[-1]["result"])

    @property
    def error(self) -> dict[str, Any]:
        assert "error" in self.messages[-1], self.messages
        return dict(self.messages[-1]["error"])

    @property
    def text(self) -> str:
        return str(self.result["content"][0]["text"])

    @property
    def is_stream(self) -> bool:
        return self.headers.get("content-type") == "text/event-stream"


@dataclass
class Client:
    """One assistant with one token. `version` decides the era; legacy ones get a session from `initialize`."""

    port: int
    token: str
    path: str = "/mcp"
    version: str = MODERN
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    session: str = ""
    extra: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_modern(self) -> bool:
        return self.version == MODERN

    async def initialize(self) -> Got:
        params = {"protocolVersion": self.version, "capabilities": dict(self.capabilities), "clientInfo": {}}
        got = await self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}, plain=True)
        self.session = got.headers.get("mcp-session-id", "")
        return got

    async def call(self, name: str, arguments: Mapping[str, Any] | None = None, **params: Any) -> Got:
        return await self.ask("tools/call", {"name": name, "arguments": dict(arguments or {}), **params})

    async def tools(self) -> Got:
        return await self.ask("tools/list", {})

    async def names(self) -> list[str]:
        return [tool["name"] for tool in (await self.tools()).result["tools"]]

    async def ask(self, method: str, params: Mapping[str, Any]) -> Got:
        return await self.post(self.request(method, params))

    def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        filled = dict(params)
        if self.is_modern:
            own = {
                "io.modelcontextprotocol/protocolVersion": self.version,
                "io.modelcontextprotocol/clientCapabilities": dict(self.capabilities),
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            }
            filled["_meta"] = {**filled.get("_meta", {}), **own}
        return {"jsonrpc": "2.0", "id": next(_ids), "method": method, "params": filled}

    def headers(self, message: Any, *, plain: bool = False) -> list[tuple[str, str]]:
        headers = [
            ("Host", f"localhost:{self.port}"),
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
        ]
        if self.token:
            headers.append(("Authorization", f"Bearer {self.token}"))
        if not plain:
            headers.append(("MCP-Protocol-Version", self.version))
            if self.is_modern and isinstance(message, dict) and "method" in message:
                headers.append(("Mcp-Method", message["method"]))
                member = NAMED_BY.get(message["method"], "")
                if isinstance(message.get("params", {}).get(member), str):
                    headers.append(("Mcp-Name", _encoded(message["params"][member])))
            elif self.session:
                headers.append(("Mcp-Session-Id", self.session))
        return headers + self.extra

    async def post(self, message: Any, *, plain: bool = False) -> Got:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        decoded = message if not isinstance(message, bytes) else None
        return await self.send("POST", body, self.headers(decoded, plain=plain))

    async def send(self, method: str, body: bytes, headers: list[tuple[str, str]]) -> Got:
        reader, writer = await self.begin(method, body, headers)
        try:
            return await read_answer(reader)
        finally:
            writer.close()

    async def begin(
        self, method: str, body: bytes, headers: list[tuple[str, str]]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Sends the request, and leaves the answer to the caller."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24)
        lines = [f"{method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers):
            lines.append(f"Content-Length: {len(body)}")
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        await writer.drain()
        return reader, writer


def _encoded(value: str) -> str:
    if value.isascii() and value.isprintable() and value == value.strip() and not value.startswith("=?"):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


async def read_answer(reader: asyncio.StreamReader) -> Got:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    if headers.get("transfer-encoding") == "chunked":
        raw = b""
        while size := int((await reader.readline()).strip(), 16):
            raw += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
    got = Got(int(head[0].split(" ")[1]), headers, raw)
    if got.is_stream:
        events = [event for event in raw.decode().split("\n\n") if event and not event.startswith(":")]
        got.messages = [json.loads(event.partition("data: ")[2]) for event in events]
    elif raw:
        got.messages = [json.loads(raw)]
    return got
