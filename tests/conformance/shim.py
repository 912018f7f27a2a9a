"""Puts a token on each request, for a client that has none: the suite sends no `Authorization` when it tests a server.

`VALETKEY_TOKEN=… python -m tests.conformance.shim --fd N --to http://localhost:PORT`. Everything else passes as it
came, but for this listener's own name: in `Host` and `Origin` it becomes the hub's; a strange one stays strange.
"""

from __future__ import annotations

import argparse
import os
from urllib.parse import urlsplit

import anyio
import httpx2
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

_OURS = {b"connection", b"content-length", b"transfer-encoding", b"keep-alive", b"accept-encoding", b"date"}


def shim(to: str, token: str) -> ASGIApp:
    hub = urlsplit(to).netloc.encode()
    http = httpx2.AsyncClient(timeout=None, trust_env=False)

    async def relay(scope: Scope, receive: Receive, send: Send) -> None:
        # White space around a value is none of the value (RFC 9110 5.5); the parser here leaves it there.
        given = [(name, value.strip(b" \t")) for name, value in scope["headers"] if name not in _OURS]
        own = dict(given).get(b"host", b"") if scope["server"] else b""
        if own.rpartition(b":")[2] == str(scope["server"][1]).encode():
            given = [
                (name, value.replace(own, hub) if name in (b"host", b"origin") else value) for name, value in given
            ]
        given.append((b"authorization", b"Bearer " + token.encode()))
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        async with http.stream(scope["method"], to + scope["path"], headers=given, content=body) as answer:
            back = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _OURS]
            await send({"type": "http.response.start", "status": answer.status_code, "headers": back})
            async for piece in answer.aiter_raw():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Who hangs up here has hung up on the hub, too: on the modern wire that cancels the call.
        async with anyio.create_task_group() as group:

            async def until_gone() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            first: list[bool] = []

            async def listening() -> dict[str, object]:
                message = await receive()
                if not message.get("more_body") and not first:
                    first.append(True)
                    group.start_soon(until_gone)
                return dict(message)

            await relay(scope, listening, send)
            group.cancel_scope.cancel()

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--to", required=True)
    given = parser.parse_args()
    uvicorn.run(
        shim(given.to, os.environ["VALETKEY_TOKEN"]),
        fd=given.fd,
        log_level="warning",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
