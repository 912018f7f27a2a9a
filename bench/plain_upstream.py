"""`upstream.c` in Python, for machines without a C compiler: the same answers, a tenth of the speed.

python plain_upstream.py -p PORT [-A PREFIX]
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

ECHO = {
    "name": "echo",
    "description": "Says it again.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    "annotations": {"readOnlyHint": True},
}


def result_of(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    info = {"capabilities": {"tools": {}}, "serverInfo": {"name": "bench", "version": "1"}}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": params["arguments"]["text"]}], "isError": False}
    if method == "tools/list":
        return {"tools": [ECHO]}
    if method == "server/discover":
        return {"supportedVersions": ["2026-07-28"], **info}
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], **info}
    return None


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests come one at a time."""

    def __init__(self, prefix: str) -> None:
        self._prefix = f"bearer {prefix}".encode().lower() if prefix else b""
        self._in = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._in += data
        head, found, rest = self._in.partition(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(headers.get(b"content-length", 0))
        if not found or len(rest) < length:
            return None
        self._in = rest[length:]
        if not headers.get(b"authorization", b"").startswith(self._prefix):
            return self._answer("401 Unauthorized", {})
        if not head.startswith(b"POST "):
            return self._answer("405 Method Not Allowed", {})
        return self._reply(json.loads(rest[:length]))

    def _reply(self, message: dict[str, Any]) -> None:
        if "id" not in message:
            return self._answer("202 Accepted", None)
        params = message.get("params", {})
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        result = result_of(message["method"], params)
        if result is None:
            answer["error"] = {"code": -32601, "message": "no such method"}
        elif "_meta" in params:
            fresh = {} if message["method"] == "tools/call" else {"ttlMs": 3600000, "cacheScope": "private"}
            answer["result"] = {"resultType": "complete", **fresh, **result}
        else:
            answer["result"] = result
        return self._answer("200 OK", answer)

    def _answer(self, status: str, message: dict[str, Any] | None) -> None:
        body = b"" if message is None else json.dumps(message, separators=(",", ":")).encode()
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-p", type=int, required=True, metavar="PORT")
    parser.add_argument("-A", default="", metavar="PREFIX")
    given = parser.parse_args()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(given.A), "127.0.0.1", given.p, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
