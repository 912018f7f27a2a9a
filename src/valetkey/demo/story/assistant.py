"""An assistant without a model: speaks MCP to the hub, in either era, with a token it was given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx2

from valetkey.demo.conversation import LEGACY, MODERN
from valetkey.demo.story.hub import expect

Json = dict[str, Any]

_ACCEPT = "application/json, text/event-stream"
_CLIENT = {"name": "valetkey-demo", "version": "1.0"}


class Failed(Exception):
    """The hub's answer was an HTTP or JSON-RPC error: status, code and message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"HTTP {status}, {code}: {message}" if code else f"HTTP {status}: {message}")
        self.status = status
        self.code = code


@dataclass(slots=True)
class Assistant:
    """`url` is an MCP endpoint; `era` is `modern` or `legacy`. A legacy one shakes hands before its first request.

    `takes_links` says whether this client tells its servers that it can open a URL for the person.
    """

    url: str
    token: str
    era: str
    takes_links: bool = False
    session: str = ""
    _last_id: int = 0

    def list_tools(self) -> dict[str, Json]:
        """Tools by name."""
        tools: dict[str, Json] = {}
        cursor: Json = {}
        while True:
            result = self.request("tools/list", cursor)
            tools |= {tool["name"]: tool for tool in result["tools"]}
            if not result.get("nextCursor"):
                return tools
            cursor = {"cursor": result["nextCursor"]}

    def call(self, tool: str, **arguments: Any) -> Json:
        """The result, as it came: `content`, `isError`, or `resultType: input_required`."""
        return self.request("tools/call", {"name": tool, "arguments": arguments})

    def request(self, method: str, params: Json) -> Json:
        self._last_id += 1
        message: Json = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        if self.era == "modern":
            headers = {"mcp-protocol-version": MODERN, "mcp-method": method}
            headers |= {"mcp-name": str(params["name"])} if "name" in params else {}
            capabilities: Json = {"elicitation": {"url": {}}} if self.takes_links else {}
            prefix = "io.modelcontextprotocol/"
            meta = {f"{prefix}protocolVersion": MODERN, f"{prefix}clientCapabilities": capabilities}
            message["params"] = {**params, "_meta": {**meta, f"{prefix}clientInfo": _CLIENT}}
        else:
            if not self.session:
                self._shake_hands()
            headers = {"mcp-protocol-version": LEGACY[0], "mcp-session-id": self.session}
        return self._answered(self._post(message, headers))

    def _shake_hands(self) -> None:
        params = {"protocolVersion": LEGACY[0], "capabilities": {}, "clientInfo": _CLIENT}
        answer = self._post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}, {})
        self._answered(answer)
        self.session = answer.headers["mcp-session-id"]
        headers = {"mcp-protocol-version": LEGACY[0], "mcp-session-id": self.session}
        self._post({"jsonrpc": "2.0", "method": "notifications/initialized"}, headers)

    def _post(self, message: Json, headers: dict[str, str]) -> httpx2.Response:
        headers = {"accept": _ACCEPT, "authorization": f"Bearer {self.token}", **headers}
        return httpx2.post(self.url, json=message, headers=headers, trust_env=False, timeout=60)

    def _answered(self, answer: httpx2.Response) -> Json:
        try:
            body = _read(answer)
        except ValueError:
            raise Failed(answer.status_code, 0, answer.text[:200]) from None
        if "error" in body and isinstance(body["error"], dict):
            raise Failed(answer.status_code, int(body["error"].get("code", 0)), str(body["error"].get("message")))
        if "result" not in body:
            raise Failed(answer.status_code, 0, answer.text[:200])
        result: Json = body["result"]
        return result


def _read(answer: httpx2.Response) -> Json:
    """The response message: the JSON body, or the last data of the event stream."""
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        data = [line[5:].strip() for line in answer.text.splitlines() if line.startswith("data:")]
        read: Json = json.loads(next((item for item in reversed(data) if item), ""))
        return read
    body = answer.json()
    if not isinstance(body, dict):
        raise ValueError("not a JSON object")
    return body


def refusal(assistant: Assistant, tool: str) -> str:
    """The sentence with which a call was not made: a tool error, a JSON-RPC error, or a request to open a page."""
    try:
        result = assistant.call(tool)
    except Failed as failed:
        return str(failed)
    if result.get("resultType") == "input_required":
        asked = next(iter(result["inputRequests"].values()))["params"]
        return f"{asked['message']} {asked['url']}"
    expect(result.get("isError") is True, f"{tool} was carried over: {text_of(result)}")
    return text_of(result)


def text_of(result: Json) -> str:
    """All text of a result, for looking at."""
    return "\n".join(part.get("text", "") for part in result.get("content", []) if part.get("type") == "text")
