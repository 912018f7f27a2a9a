"""What Marginalia says on MCP, in both eras: 2026-07-28 without a handshake, and the revisions with `initialize`."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from valetkey.demo.notes import TOOLS, Notes, ToolFailed

Json = dict[str, Any]

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26")
SERVER = {"name": "marginalia", "title": "Marginalia", "version": "1.0.0"}
INSTRUCTIONS = "A small notebook. Notes have short ids; list them first."

_META = "io.modelcontextprotocol/"


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose token was presented, and what it may do."""

    person: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status, a JSON body (`None` for none) and extra headers."""

    status: int
    body: Json | None
    headers: Mapping[str, str]


class MissingScope(Exception):
    """The token is good but too narrow: 403, naming all that is needed (RFC 6750 3.1)."""

    def __init__(self, scope: str) -> None:
        super().__init__(scope)
        self.scope = scope


class Conversation:
    """Answers one message at a time. Sessions are a legacy matter and prove nothing about who is asking."""

    def __init__(self, *, eras: frozenset[str]) -> None:
        self._eras = eras
        self._notes = Notes()
        self._sessions: dict[str, str] = {}
        self._described: dict[str, str] = {}

    def change(self, tool: str, description: str) -> bool:
        """Describes a tool otherwise from now on, as services do. Whether there is such a tool."""
        self._described[tool] = description
        return tool in TOOLS

    def answer(self, message: Any, headers: Mapping[str, str], asker: Asker) -> Reply:
        """`headers` are lower case. Raises `MissingScope`."""
        if (
            not isinstance(message, dict)
            or message.get("jsonrpc") != "2.0"
            or not isinstance(message.get("method"), str)
        ):
            return _error(None, -32600, "One JSON-RPC request or notification per POST.", 400)
        if headers.get("mcp-protocol-version") == MODERN or _modern_version(message):
            if "modern" not in self._eras:
                return _error(message.get("id"), -32000, "Bad Request: Unsupported protocol version", 400)
            return self._modern(message, headers, asker)
        if "legacy" not in self._eras:
            return _error(message.get("id"), -32020, "The MCP-Protocol-Version header is missing.", 400)
        return self._legacy(message, headers, asker)

    def end_session(self, session_id: str, person: str) -> bool:
        return self._sessions.get(session_id) == person and bool(self._sessions.pop(session_id))

    def _modern(self, message: Json, headers: Mapping[str, str], asker: Asker) -> Reply:
        request_id, method = message.get("id"), message["method"]
        params = message.get("params") or {}
        version = _modern_version(message)
        # 1. The body is the truth, and the headers must tell the same (SEP-2243).
        if version != headers.get("mcp-protocol-version"):
            return _error(request_id, -32020, "MCP-Protocol-Version does not match the request body.", 400)
        if version != MODERN:
            data = {"supported": [MODERN], "requested": version}
            return _error(request_id, -32022, "Unsupported protocol version", 400, data)
        if f"{_META}clientCapabilities" not in params.get("_meta", {}):
            return _error(request_id, -32602, "_meta lacks the client's capabilities.", 400)
        if headers.get("mcp-method") != method:
            return _error(request_id, -32020, "Mcp-Method does not match the request body.", 400)
        if method == "tools/call" and _decoded(headers.get("mcp-name", "")) != params.get("name"):
            return _error(request_id, -32020, "Mcp-Name does not match the request body.", 400)
        if request_id is None:
            return Reply(202, None, {})
        # 2. Three methods are all there is.
        if method == "server/discover":
            result: Json = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}, "instructions": INSTRUCTIONS}
            result |= {"ttlMs": 60_000, "cacheScope": "public"}
        elif method == "tools/list":
            # Not to be kept: in the story a tool changes, and whoever lists after that sees it.
            result = {"tools": self._listed(), "ttlMs": 0, "cacheScope": "private"}
        elif method == "tools/call":
            called = self._call(params, asker)
            if called is None:
                return _error(request_id, -32602, "There is no such tool.", 200)
            result = called
        else:
            return _error(request_id, -32601, f"There is no method {method[:40]!r}.", 404)
        return _ok(request_id, {"resultType": "complete", **result, "_meta": {f"{_META}serverInfo": SERVER}})

    def _legacy(self, message: Json, headers: Mapping[str, str], asker: Asker) -> Reply:
        request_id, method = message.get("id"), message["method"]
        params = message.get("params") or {}
        if method == "initialize":
            session = secrets.token_urlsafe(16)
            self._sessions[session] = asker.person
            asked = params.get("protocolVersion")
            result: Json = {
                "protocolVersion": asked if asked in LEGACY else LEGACY[0],
                "capabilities": {"tools": {"listChanged": False}},
                "serverInfo": SERVER,
                "instructions": INSTRUCTIONS,
            }
            return Reply(200, _ok(request_id, result).body, {"mcp-session-id": session})
        if headers.get("mcp-protocol-version", LEGACY[-1]) not in LEGACY:
            return _error(request_id, -32000, "Bad Request: Unsupported protocol version", 400)
        if (session_id := headers.get("mcp-session-id")) is None:
            return _error(request_id, -32000, "Bad Request: Mcp-Session-Id is missing; initialize first.", 400)
        if self._sessions.get(session_id) != asker.person:
            return _error(request_id, -32001, "Session not found", 404)
        if request_id is None:
            return Reply(202, None, {})
        if method == "ping":
            return _ok(request_id, {})
        if method == "tools/list":
            return _ok(request_id, {"tools": self._listed()})
        if method == "tools/call":
            called = self._call(params, asker)
            return (
                _error(request_id, -32602, "There is no such tool.", 200) if called is None else _ok(request_id, called)
            )
        return _error(request_id, -32601, f"There is no method {method[:40]!r}.", 200)

    def _listed(self) -> list[Json]:
        return [
            {**tool.description, "description": self._described.get(name, tool.description["description"])}
            for name, tool in TOOLS.items()
        ]

    def _call(self, params: Json, asker: Asker) -> Json | None:
        """The tool's result, or `None` when there is no such tool."""
        tool = TOOLS.get(str(params.get("name")))
        if tool is None:
            return None
        if tool.scope not in asker.scopes:
            raise MissingScope(tool.scope)
        try:
            return tool.run(self._notes, asker.person, params.get("arguments") or {})
        except ToolFailed as failure:
            return {"content": [{"type": "text", "text": str(failure)}], "isError": True}


def _modern_version(message: Json) -> str | None:
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    version = meta.get(f"{_META}protocolVersion") if isinstance(meta, dict) else None
    return version if isinstance(version, str) else None


def _decoded(value: str) -> str:
    """A mirrored header's value: as it is, or in the base64 sentinel."""
    if value.startswith("=?base64?") and value.endswith("?="):
        return base64.b64decode(value[9:-2]).decode(errors="replace")
    return value


def _ok(request_id: Any, result: Json) -> Reply:
    return Reply(200, {"jsonrpc": "2.0", "id": request_id, "result": result}, {})


def _error(request_id: Any, code: int, message: str, status: int, data: Json | None = None) -> Reply:
    error: Json = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return Reply(status, {"jsonrpc": "2.0", "id": request_id, "error": error}, {})
