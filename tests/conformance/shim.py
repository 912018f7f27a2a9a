"""Puts a token on each request, for a client that has none: the suite sends no `Authorization` when it tests a server.

`VALETKEY_TOKEN=… python -m tests.conformance.shim --fd N --to http://localhost:PORT`. Everything else passes byte for
byte, but for this listener's own name: in `Host` and `Origin` it becomes the hub's; a strange one stays strange. One
request to a connection, so that only heads have to be understood, and who hangs up here has hung up on the hub.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
from asyncio import StreamReader, StreamWriter
from urllib.parse import urlsplit


def rewritten(head: bytes, *, own: bytes, hub: bytes, token: str) -> bytes:
    """The head of a request as the hub gets it. `own` and `hub` are host and port."""
    request, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    kept = [
        field.replace(own, hub) if field.lower().startswith((b"host:", b"origin:")) else field
        for field in fields
        if not field.lower().startswith((b"connection:", b"keep-alive:"))
    ]
    kept += [b"Authorization: Bearer " + token.encode(), b"Connection: close"]
    return b"\r\n".join([request, *kept, b"", b""])


async def serve(listening: socket.socket, to: str, token: str) -> None:
    hub = urlsplit(to)
    own = b"localhost:%d" % listening.getsockname()[1]

    async def relay(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        from_hub, to_hub = await asyncio.open_connection(hub.hostname, hub.port)
        to_hub.write(rewritten(head, own=own, hub=hub.netloc.encode(), token=token))
        ways = {asyncio.create_task(_copy(reader, to_hub)), asyncio.create_task(_copy(from_hub, writer))}
        _, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        to_hub.close()
        writer.close()

    async with await asyncio.start_server(relay, sock=listening) as server:
        await server.serve_forever()


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass  # the end, less politely


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--to", required=True)
    given = parser.parse_args()
    asyncio.run(serve(socket.socket(fileno=given.fd), given.to, os.environ["VALETKEY_TOKEN"]))
