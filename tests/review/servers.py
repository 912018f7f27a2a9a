"""A connector in this process, over real sockets: good unless told otherwise, with its own authorization server."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.net.servers import Answer, Received, Upstream, response
from tests.review.corpus import definition

TOKEN = "test-accounts-token"
_EMPTY = b"content-type: text/plain\r\n"


@dataclass
class Connector:
    """`tools` are shown by turns: the last for everybody who comes after. `pages` answer other paths."""

    tools: list[list[Mapping[str, Any]]] = field(default_factory=lambda: [[definition()]])
    wants_sign_in: bool = True
    result: str = "One note: on wolves."
    pages: dict[str, bytes] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    origin: str = ""

    def __post_init__(self) -> None:
        self._turns = itertools.count()

    async def __call__(self, request: Received, writer: asyncio.StreamWriter) -> None:
        path = request.target.partition("?")[0]
        writer.write(self._mcp(request) if path == "/mcp" else self._page(path))
        await writer.drain()

    def _page(self, path: str) -> bytes:
        auth = f"{self.origin}/auth"
        prm = {"resource": f"{self.origin}/mcp", "authorization_servers": [auth], "scopes_supported": ["notes.read"]}
        metadata = {
            "issuer": auth,
            "authorization_endpoint": f"{auth}/authorize",
            "token_endpoint": f"{auth}/token",
            "code_challenge_methods_supported": ["S256"],
            "client_id_metadata_document_supported": True,
            "authorization_response_iss_parameter_supported": True,
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "scopes_supported": ["notes.read", "offline_access"],
        }
        known = {
            "/.well-known/oauth-protected-resource/mcp": response(json.dumps(prm).encode()),
            "/.well-known/oauth-authorization-server/auth": response(json.dumps(metadata).encode()),
            "/auth/token": response(b'{"error":"invalid_grant"}', status="400 Bad Request"),
            "/auth/authorize": response(b"Who are you?", status="400 Bad Request", headers=_EMPTY),
            "/.well-known/security.txt": response(b"Contact: mailto:us@example.com", headers=_EMPTY),
        }
        return (known | self.pages).get(path) or response(b"", status="404 Not Found", headers=_EMPTY)

    def _mcp(self, request: Received) -> bytes:
        if request.method == "OPTIONS":
            return response(b"", status="204 No Content", headers=b"access-control-allow-origin: *\r\n")
        if request.header(b"origin") is not None:
            return response(b"", status="403 Forbidden", headers=_EMPTY)
        if self.wants_sign_in and request.header(b"authorization") != f"Bearer {TOKEN}".encode():
            challenge = f'Bearer resource_metadata="{self.origin}/.well-known/oauth-protected-resource/mcp"'
            lines = b"strict-transport-security: max-age=1\r\nwww-authenticate: %b\r\n" % challenge.encode()
            return response(b"", status="401 Unauthorized", headers=lines)
        if request.method != "POST":
            return response(b"", status="405 Method Not Allowed", headers=_EMPTY)
        message = json.loads(request.body)
        self.heard.append(message["method"])
        if "id" not in message:
            return response(b"", status="202 Accepted", headers=_EMPTY)
        answer = self._answer(message["method"], message.get("params", {}))
        if answer is None:
            error = {"code": -32601, "message": "no such method"}
            return response(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}).encode())
        lines = b"content-type: application/json\r\nratelimit: limit=9\r\nstrict-transport-security: max-age=1\r\n"
        return response(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": answer}).encode(), headers=lines)

    def _answer(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if method == "initialize":
            info = {"name": "marginalia", "version": "1"}
            return {"protocolVersion": "2025-11-25", "serverInfo": info, "capabilities": {"tools": {}},
                    "instructions": "list_notes shows notes."}  # fmt: skip
        if method == "tools/list":
            return {"tools": self.tools[min(next(self._turns), len(self.tools) - 1)]}
        if method == "tools/call":
            is_error = not isinstance(params["arguments"].get("notebook"), str)
            text = "notebook must be a text." if is_error else self.result
            return {"content": [{"type": "text", "text": text}], "structuredContent": {}, "isError": is_error}
        return None


def serving(connector: Answer, *, tls: Any = None) -> Upstream:
    return Upstream(connector, tls=tls, name="localhost" if tls else "")
