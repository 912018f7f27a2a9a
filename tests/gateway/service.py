"""A service for tests: a small MCP server of either era on a real socket, which remembers all it was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

TOOLS: list[dict[str, Any]] = [
    {
        "name": "echo",
        "description": "Says it back.",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
        "annotations": {"readOnlyHint": True},
        "vendor/extra": {"kept": [1, 2.50, -0.0]},
    },
    {"name": "delete_all", "description": "Deletes.", "inputSchema": {"type": "object"}},
]


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    @property
    def token(self) -> str:
        return self.header("authorization").removeprefix("Bearer ")

    @property
    def message(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class Answer:
    """An HTTP answer: `pieces` are sent one by one, each after `pause` was awaited; `text/event-stream` if `stream`."""

    body: bytes = b""
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    content_type: str = "application/json"
    pieces: list[bytes] | None = None
    pause: Callable[[], Awaitable[object]] | None = None


OnCall = Callable[[Seen, dict[str, Any]], Awaitable["Answer | bytes"]]


class Service:
    """`accepted` holds the tokens that are let in (all, when empty). `on_call` gives a raw result or a whole answer."""

    def __init__(self, era: Literal["modern", "legacy"]) -> None:
        self.era = era
        self.seen: list[Seen] = []
        self.accepted: set[str] = set()
        self.sessions: dict[str, str] = {}
        self.keeps_sessions = True
        self.tools: list[bytes] = [json.dumps(tool).encode() for tool in TOOLS]
        self.instructions = "Be kind."
        self.capabilities: dict[str, Any] = {"tools": {}}
        self.as_stream = False
        self.on_call: OnCall = _echo
        self.on_anything: Callable[[Seen], Awaitable[Answer | None]] = _nothing
        self.on_listen: Callable[[Seen], Awaitable[Answer]] = _no_stream
        self.port = 0
        self.lost: list[Seen] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    @property
    def calls(self) -> list[Seen]:
        """The `tools/call` requests."""
        return [seen for seen in self.seen if b'"tools/call"' in seen.body]

    @property
    def tokens(self) -> list[str]:
        """The tokens of the `tools/call` requests, in order."""
        return [seen.token for seen in self.calls]

    def methods(self) -> list[str]:
        return [seen.message.get("method", "response") for seen in self.seen]

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=1 << 22)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (seen := await _read(reader)) is not None:
                self.seen.append(seen)
                await self._serve(seen, reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering = asyncio.ensure_future(self._answer(seen))
        watching = asyncio.ensure_future(_closed(reader))
        await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            answering.cancel()
            self.lost.append(seen)
            raise ConnectionError
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await _write(writer, answering.result())

    async def _answer(self, seen: Seen) -> Answer:
        if (given := await self.on_anything(seen)) is not None:
            return given
        if self.accepted and seen.token not in self.accepted:
            return Answer(b"no", 401, [("www-authenticate", 'Bearer error="invalid_token"')], "text/plain")
        if seen.method == "GET":
            return await self.on_listen(seen)
        message = seen.message
        if "id" not in message or "method" not in message:
            return Answer(status=202)
        answer = await (self._modern(seen, message) if self.era == "modern" else self._legacy(seen, message))
        return answer if isinstance(answer, Answer) else self._result(message["id"], answer)

    async def _modern(self, seen: Seen, message: dict[str, Any]) -> Answer | bytes:
        if message["method"] == "server/discover":
            return json.dumps(
                {
                    "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": self.capabilities,
                    "ttlMs": 0, "cacheScope": "private", "instructions": self.instructions,
                    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "fake", "version": "1"}},
                }
            ).encode()  # fmt: skip
        if message["method"] == "tools/list":
            return b'{"resultType":"complete","ttlMs":0,"cacheScope":"public","tools":[%b]}' % b",".join(self.tools)
        return await self._called(seen, message)

    async def _legacy(self, seen: Seen, message: dict[str, Any]) -> Answer | bytes:
        session = seen.header("mcp-session-id")
        if message["method"] == "initialize":
            new = f"up-{len(self.sessions)}-{seen.token[-4:]}"
            self.sessions[new] = seen.token
            result = {
                "protocolVersion": "2025-06-18", "capabilities": self.capabilities, "instructions": self.instructions,
                "serverInfo": {"name": "fake", "version": "1"},
            }  # fmt: skip
            answer = self._result(message["id"], json.dumps(result).encode())
            if self.keeps_sessions:
                answer.headers.append(("mcp-session-id", new))
            return answer
        if message["method"] == "server/discover":
            return _error(None, -32000, "Bad Request: Server not initialized", 400)
        if self.keeps_sessions and session not in self.sessions:
            return _error(None, -32001, "Session not found", 404)
        if message["method"] == "tools/list":
            return b'{"tools":[%b]}' % b",".join(self.tools)
        return await self._called(seen, message)

    async def _called(self, seen: Seen, message: dict[str, Any]) -> Answer | bytes:
        if message["method"] != "tools/call":
            return _error(message["id"], -32601, "Method not found", 404 if self.era == "modern" else 200)
        return await self.on_call(seen, message["params"])

    def _result(self, request_id: Any, result: bytes) -> Answer:
        body = b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (json.dumps(request_id).encode(), result)
        if self.as_stream:
            return Answer(pieces=[b"event: message\r\ndata: " + body + b"\r\n\r\n"], content_type="text/event-stream")
        return Answer(body)


async def _nothing(_seen: Seen) -> Answer | None:
    return None


async def _no_stream(_seen: Seen) -> Answer:
    return Answer(status=405)


async def _echo(_seen: Seen, params: dict[str, Any]) -> bytes:
    said = params.get("arguments", {}).get("text", "")
    return json.dumps({"content": [{"type": "text", "text": said}], "isError": False}).encode()


def _error(request_id: Any, code: int, message: str, status: int) -> Answer:
    body = {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}
    return Answer(json.dumps(body).encode(), status)


async def _read(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:] if line)]
    length = int(next((value for name, value in headers if name == "content-length"), "0"))
    return Seen(method, path, headers, await reader.readexactly(length))


async def _closed(reader: asyncio.StreamReader) -> None:
    """Ends when the other side hangs up. Nothing is pipelined in these tests, so what comes is the end."""
    while not reader.at_eof():
        await asyncio.sleep(0.005)


async def _write(writer: asyncio.StreamWriter, answer: Answer) -> None:
    headers = [*answer.headers, ("content-type", answer.content_type)]
    if answer.pieces is None:
        headers.append(("content-length", str(len(answer.body))))
    else:
        headers.append(("transfer-encoding", "chunked"))
    lines = [f"HTTP/1.1 {answer.status} Status", *(f"{name}: {value}" for name, value in headers), "", ""]
    writer.write("\r\n".join(lines).encode() + answer.body)
    await writer.drain()
    for piece in answer.pieces or []:
        if answer.pause is not None:
            await answer.pause()
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
    if answer.pieces is not None:
        writer.write(b"0\r\n\r\n")
        await writer.drain()
