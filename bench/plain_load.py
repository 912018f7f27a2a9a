"""`load.c` in Python, for machines without a C compiler. It is itself the bottleneck: compare CPU per call, not rates.

python plain_load.py -u http://127.0.0.1:PORT/PATH -c CONNECTIONS -d SECONDS [-w WARM_UP] [-t TOKEN] [-P VERSION]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from urllib.parse import urlsplit

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "load", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Load:
    """One run; the counters are what is printed."""

    def __init__(self, url: str, token: str, seconds: float, warm_up: float) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._path = str(parts.hostname), parts.port or 80, parts.path
        self._bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        self._begin = time.perf_counter() + warm_up
        self._stop = self._begin + seconds
        self._seconds = seconds
        self.took: list[float] = []
        self.calls = self.ok = self.bad_status = self.bad_body = self.bad_io = 0

    async def one(self, number: int) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        sequence = 0
        while (start := time.perf_counter()) < self._stop:
            sequence += 1
            text = f"m{number}.{sequence}.{'x' * 32}"
            writer.write(self._request(sequence, text))
            self.calls += 1
            try:
                status, body = await self._response(reader)
            except (asyncio.IncompleteReadError, ConnectionError):
                self.bad_io += 1
                return
            if status != 200:
                self.bad_status += 1
            elif text.encode() not in body or b'"isError":true' in body or b'"error":' in body:
                self.bad_body += 1
            else:
                self.ok += 1
                if start >= self._begin:
                    self.took.append((time.perf_counter() - start) * 1e6)
        writer.transport.abort()

    def _request(self, sequence: int, text: str) -> bytes:
        params = {"name": "echo", "arguments": {"text": text}, "_meta": META}
        message = {"jsonrpc": "2.0", "id": sequence, "method": "tools/call", "params": params}
        body = json.dumps(message, separators=(",", ":"))
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {VERSION}\r\n"
            f"Mcp-Method: tools/call\r\nMcp-Name: echo\r\n{self._bearer}Content-Length: {len(body)}\r\n\r\n"
        )
        return (head + body).encode()

    async def _response(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        if b"transfer-encoding: chunked" in head:
            return status, await reader.readuntil(b"\r\n0\r\n\r\n")
        _, _, length = head.partition(b"content-length:")
        return status, await reader.readexactly(int(length.split(b"\r\n", 1)[0] or 0))

    def report(self, connections: int) -> dict[str, float]:
        self.took.sort()

        def pct(share: float) -> float:
            return round(self.took[int(share * (len(self.took) - 1))], 1) if self.took else 0.0

        return {
            "conns": connections, "calls": self.calls, "ok": self.ok, "rps": round(len(self.took) / self._seconds, 1),
            "p50_us": pct(0.5), "p99_us": pct(0.99),
            "bad_status": self.bad_status, "bad_body": self.bad_body, "bad_io": self.bad_io,
        }  # fmt: skip


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-u", required=True, metavar="URL")
    parser.add_argument("-c", type=int, default=1, metavar="CONNECTIONS")
    parser.add_argument("-d", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("-w", type=float, default=0.0, metavar="WARM_UP")
    parser.add_argument("-t", default="", metavar="TOKEN")
    parser.add_argument("-P", default=VERSION, choices=[VERSION])
    given = parser.parse_args()
    load = Load(given.u, given.t, given.d, given.w)
    await asyncio.gather(*(load.one(number) for number in range(given.c)))
    print(json.dumps(load.report(given.c)))
    return 1 if load.bad_status + load.bad_body + load.bad_io or not load.ok else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
