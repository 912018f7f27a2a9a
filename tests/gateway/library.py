"""A service for tests that has everything: prompts, resources, completion, log messages, subscriptions, tasks, apps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Literal

from tests.gateway.service import Answer, Seen, Service

PROMPT = b'{"name":"greet","description":"Greets.","vendor/extra":{"kept":[12345678901234567890123,-0.0,1.50]}}'
NOTE = b'{"uri":"note:///1","name":"one","icons":[{"src":"https://x.example/i.svg"}],"vendor":-0.0}'
PAGE = b'{"uri":"https://pages.example/2","name":"two"}'
TEMPLATE = b'{"uriTemplate":"note:///{id}","name":"any note"}'
BLOCKS = (
    b'{"type":"resource_link","uri":"note:///1","name":"one"},'
    b'{"type":"resource","resource":{"uri":"note:///1","text":"hi"}},'
    b'{"type":"hologram","shape":[1e400,{"$defs":{}}],"uri":"note:///not-ours-to-know"}'
)
APP = {
    "name": "board", "inputSchema": {"type": "object", "$anchor": "top"},
    "_meta": {"ui": {"resourceUri": "ui://board/main.html", "visibility": ["app"]}, "ui/resourceUri": "ui://board/main.html"},
}  # fmt: skip
CAPABILITIES = {
    "tools": {"listChanged": True}, "prompts": {"listChanged": True}, "completions": {}, "logging": {},
    "resources": {"listChanged": True, "subscribe": True}, "experimental": {"x": {}},
    "extensions": {
        "io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]},
        "io.modelcontextprotocol/tasks": {}, "com.example/other": {},
    },
}  # fmt: skip


class Library(Service):
    """Everything; `listeners` are the queues of the streams that are open, `uris` what was subscribed to."""

    def __init__(self, era: Literal["modern", "legacy"]) -> None:
        super().__init__(era)
        self.capabilities: dict[str, Any] = dict(CAPABILITIES)
        self.prompts = [PROMPT]
        self.pages = {"resources/list": [[NOTE], [PAGE]]}
        self.tools.append(json.dumps(APP).encode())
        self.listeners: list[asyncio.Queue[bytes]] = []
        self.ttl_ms = 0
        self.on_anything = self._anything
        self.called = b'{"content":[%b],"structuredContent":{"n":12345678901234567890123}}' % BLOCKS

    def asked(self, method: str) -> list[dict[str, Any]]:
        return [seen.message for seen in self.seen if seen.body and seen.message.get("method") == method]

    async def say(self, method: str, **params: Any) -> None:
        """Tells everybody who listens."""
        message = {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}
        for queue in self.listeners:
            await queue.put(b"event: message\ndata: " + json.dumps(message).encode() + b"\n\n")

    async def _anything(self, seen: Seen) -> Answer | None:
        if seen.method == "GET":
            return self._stream() if self.era == "legacy" else Answer(b"", 405)
        message = seen.message
        method, params = message.get("method", ""), message.get("params", {})
        if "id" not in message or not method:
            return None
        if (self.accepted and seen.token not in self.accepted) or method not in self._known():
            return None
        if self.era == "legacy" and self.keeps_sessions and seen.header("mcp-session-id") not in self.sessions:
            return None
        if method == "subscriptions/listen":
            first = {"method": "notifications/subscriptions/acknowledged", "params": params}
            return self._stream(json.dumps({"jsonrpc": "2.0", **first}).encode())
        result = self._said(method, params)
        if result is None:
            code = -32602 if self.era == "modern" else -32002
            error = {
                "code": code,
                "message": "no",
                **({"data": {"uri": params.get("uri")}} if self.era == "modern" else {}),
            }
            body = {"jsonrpc": "2.0", "id": message["id"], "error": error}
            return Answer(json.dumps(body).encode(), 400 if self.era == "modern" else 200)
        if self.era == "modern":
            result = b'{"resultType":"complete","ttlMs":%d,"cacheScope":"public"' % self.ttl_ms + b"," + result[1:]
        return self._result(message["id"], result)

    def _known(self) -> frozenset[str]:
        both = {"prompts/list", "prompts/get", "resources/list", "resources/templates/list", "resources/read"}
        both |= {"completion/complete", "tools/call"}
        modern, legacy = {"subscriptions/listen", "tasks/get"}, {"logging/setLevel", "resources/subscribe"}
        return frozenset(both | (modern if self.era == "modern" else legacy))

    def _said(self, method: str, params: dict[str, Any]) -> bytes | None:
        match method:
            case "prompts/list":
                return b'{"prompts":[%b]}' % b",".join(self.prompts)
            case "prompts/get":
                return b'{"vendor":1.0,"messages":[{"role":"user","content":%b}]}' % BLOCKS.split(b",{")[0]
            case "resources/list":
                number = int(params.get("cursor", "0"))
                pages = self.pages["resources/list"]
                more = b',"nextCursor":"%d"' % (number + 1) if number + 1 < len(pages) else b""
                return b'{"resources":[%b]%b}' % (b",".join(pages[number]), more)
            case "resources/templates/list":
                return b'{"resourceTemplates":[%b]}' % TEMPLATE
            case "resources/read" if params["uri"].endswith("missing"):
                return None
            case "resources/read":
                return b'{"contents":[{"uri":%b,"text":"hi","vendor":-0}]}' % json.dumps(params["uri"]).encode()
            case "completion/complete":
                return b'{"completion":{"values":["paris"]}}'
            case "tools/call" if params["name"] == "later":
                return b'{"taskId":"t1","status":"working"}'
            case "tools/call":
                return self.called
            case "tasks/get":
                return b'{"taskId":%b,"status":"completed"}' % json.dumps(params["taskId"]).encode()
        return b"{}"

    def _stream(self, *first: bytes) -> Answer:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.listeners.append(queue)
        for message in first:
            queue.put_nowait(b"event: message\ndata: " + message + b"\n\n")

        piece = bytearray()

        async def fill() -> None:
            piece[:] = await queue.get()

        return Answer(pieces=_Endless([piece]), pause=fill, content_type="text/event-stream")


class _Endless(list[Any]):
    """The same piece again and again; it is filled anew before each time it is sent."""

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield self[0]
