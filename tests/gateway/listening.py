"""A service of 2024-11-05 for tests: one GET stream to listen to, one address to post to, on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Listener:
    """One open stream. `say` writes an event to it."""

    session: str
    token: str
    writer: asyncio.StreamWriter

    async def say(self, data: str | bytes | dict[str, Any], event: str = "message") -> None:
        text = json.dumps(data) if isinstance(data, dict) else data if isinstance(data, str) else data.decode()
        self.writer.write(f"event: {event}\ndata: {text}\n\n".encode())
        await self.writer.drain()


@dataclass
class ListeningService:
    """`endpoint` is where it wants messages; `{session}` in it becomes the stream's own. `posts` are all."""

    endpoint: str = "/messages?session_id={session}"
    path: str = "/events"
    accepted: set[str] = field(default_factory=set)
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    gets: list[str] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    listeners: dict[str, Listener] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    first_event: str = "endpoint"
    port: int = 0
    tools: list[bytes] = field(default_factory=lambda: [b'{"name":"echo","inputSchema":{"type":"object"}}'])
    instructions: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def tokens(self) -> list[str]:
        return [token for token, message in self.posts if message.get("method") == "tools/call"]

    async def start(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        self.hang_up()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hang_up(self) -> None:
        """Closes every stream, as a restart does; the sessions are forgotten."""
        for listener in self.listeners.values():
            listener.writer.close()
        self.listeners.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                sent = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
                original = {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in head[1:] if ": " in line}
                body = await reader.readexactly(int(sent.get("content-length", 0)))
                token = original.get("authorization", "").removeprefix("Bearer ")
                self.requests.append((method, target))
                await self._serve(method, target, token, body, writer)
        writer.close()

    async def _serve(self, method: str, target: str, token: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if self.accepted and token not in self.accepted:
            return _answer(writer, 401, b"")
        if method == "GET" and target == self.path:
            return await self._listen(token, writer)
        session = target.rpartition("session_id=")[2]
        if method != "POST" or not target.startswith("/messages"):
            return _answer(writer, 405, b"<html>Method not allowed</html>", kind="text/html")
        if session not in self.listeners:
            return _answer(writer, 404, b"no such session")
        message = json.loads(body)
        self.posts.append((token, message))
        _answer(writer, 202, b"Accepted")
        await self._reply(self.listeners[session], message)
        return None

    async def _listen(self, token: str, writer: asyncio.StreamWriter) -> None:
        session = f"s{len(self.gets)}"
        self.gets.append(token)
        self.listeners[session] = listener = Listener(session, token, writer)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        if self.first_event:
            await listener.say(self.endpoint.format(session=session), self.first_event)

    async def _reply(self, listener: Listener, message: dict[str, Any]) -> None:
        method = message.get("method", "")
        if "id" not in message or method in self.silent or not method:
            return
        if method == "initialize":
            result: dict[str, Any] = {
                "protocolVersion": "2024-11-05", "capabilities": {"tools": {}}, "serverInfo": {"name": "old"},
            }  # fmt: skip
        elif method == "tools/list":
            result = {"tools": [json.loads(tool) for tool in self.tools]}
        else:
            text = str(message["params"]["arguments"].get("text", ""))
            result = {"content": [{"type": "text", "text": text}]}
        await listener.say({"jsonrpc": "2.0", "id": message["id"], "result": result})


def _answer(writer: asyncio.StreamWriter, status: int, body: bytes, *, kind: str = "text/plain") -> None:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
