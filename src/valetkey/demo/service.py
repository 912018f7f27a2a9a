"""Marginalia, the sample service, in a process of its own: `python -m valetkey.demo.service --help`.

An MCP server over streamable HTTP that takes only tokens issued for itself, which it checks at its authorization server
on every request, so that a revoked one is refused at once.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from valetkey.demo.authorization_server import RESOURCE_SERVER_SECRET, STORY_KEY
from valetkey.demo.conversation import Asker, Conversation, MissingScope, Reply
from valetkey.demo.ledger import digest
from valetkey.demo.notes import SCOPES

_MOST_BODY = 256 * 1024


class Service:
    """`origin` is our own URL without a path; the endpoint is `<origin>/mcp`, and that is the resource of our tokens.

    `streams` answers with an event stream where the client takes one, instead of JSON.
    """

    def __init__(
        self,
        *,
        origin: str,
        issuer: str,
        conversation: Conversation,
        environment: Mapping[str, str],
        streams: bool,
    ) -> None:
        self._origin = origin
        self._resource = f"{origin}/mcp"
        self._issuer = issuer
        self._conversation = conversation
        self._story_key = environment.get(STORY_KEY, "")
        self._secret = environment.get(RESOURCE_SERVER_SECRET, "")
        self._streams = streams
        self._seen: list[dict[str, Any]] = []
        self._http: httpx2.AsyncClient

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/mcp", self._mcp, methods=["POST", "DELETE"]),
                Route("/.well-known/oauth-protected-resource/mcp", self._resource_metadata),
                Route("/.well-known/oauth-protected-resource", self._resource_metadata),
                Route("/_seen", self._show_seen),
                Route("/_change", self._change_tool, methods=["POST"]),
            ],
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as self._http:
            yield

    async def _resource_metadata(self, _request: Request) -> Response:
        """RFC 9728."""
        return JSONResponse(
            {
                "resource": self._resource,
                "authorization_servers": [self._issuer],
                "scopes_supported": list(SCOPES),
                "bearer_methods_supported": ["header"],
                "resource_name": "Marginalia",
            }
        )

    async def _mcp(self, request: Request) -> Response:
        # 1. A page in somebody's browser is not a client of ours (DNS rebinding).
        if request.headers.get("origin", self._origin) != self._origin:
            return JSONResponse({"error": "The Origin is not allowed."}, 403)
        # 2. Who is asking? Only our authorization server knows.
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return self._challenge(401)
        asker = await self._introspect(token)
        seen: dict[str, Any] = {"token_sha256": digest(token), "person": asker.person if asker else ""}
        self._seen.append(seen)
        if asker is None:
            return self._challenge(401, error="invalid_token")
        # 3. What do they want?
        if request.method == "DELETE":
            ended = self._conversation.end_session(request.headers.get("mcp-session-id", ""), asker.person)
            return Response(status_code=204 if ended else 404)
        body = await request.body()
        try:
            message = json.loads(body) if len(body) <= _MOST_BODY else None
        except ValueError:
            message = None
        if isinstance(message, dict):
            params = message.get("params")
            seen["method"] = message.get("method")
            seen["tool"] = params.get("name") if isinstance(params, dict) else None
        # 4. Answer in their era.
        try:
            reply = self._conversation.answer(message, request.headers, asker)
        except MissingScope as missing:
            return self._challenge(403, error="insufficient_scope", scope=missing.scope)
        return self._rendered(reply, request)

    async def _introspect(self, token: str) -> Asker | None:
        """RFC 7662. A token for another resource is no token here."""
        answer = await self._http.post(
            f"{self._issuer}/introspect", data={"token": token}, auth=("marginalia", self._secret)
        )
        facts = answer.json() if answer.status_code == 200 else {}
        if facts.get("active") is not True or facts.get("aud") != self._resource:
            return None
        return Asker(str(facts["sub"]), frozenset(str(facts["scope"]).split()))

    def _challenge(self, status: int, *, error: str = "", scope: str = " ".join(SCOPES)) -> Response:
        """RFC 6750 3, RFC 9728 5.1."""
        parts = [f'error="{error}"'] if error else []
        parts.append(f'resource_metadata="{self._origin}/.well-known/oauth-protected-resource/mcp"')
        parts.append(f'scope="{scope}"')
        challenge = {"www-authenticate": f"Bearer {', '.join(parts)}"}
        return JSONResponse({"error": error or "unauthorized"}, status, headers=challenge)

    def _rendered(self, reply: Reply, request: Request) -> Response:
        if reply.body is None:
            return Response(status_code=reply.status, headers=dict(reply.headers))
        if self._streams and reply.status == 200 and "text/event-stream" in request.headers.get("accept", ""):
            event = f"event: message\ndata: {json.dumps(reply.body)}\n\n"
            return Response(event, media_type="text/event-stream", headers=dict(reply.headers))
        return JSONResponse(reply.body, reply.status, headers=dict(reply.headers))

    async def _show_seen(self, request: Request) -> Response:
        """For the story only: which token, by its hash, came with which request."""
        if not self._is_told(request):
            return Response(status_code=404)
        return JSONResponse({"requests": self._seen})

    async def _change_tool(self, request: Request) -> Response:
        """For the story only: a tool is described otherwise than when it was accepted."""
        if not self._is_told(request):
            return Response(status_code=404)
        wanted = await request.json()
        changed = self._conversation.change(wanted["tool"], wanted["description"])
        return Response(status_code=204 if changed else 404)

    def _is_told(self, request: Request) -> bool:
        """Whether it is the story that asks."""
        return bool(self._story_key) and hmac.compare_digest(request.headers.get("story-key", ""), self._story_key)


def main() -> None:
    arguments = argparse.ArgumentParser(description="The sample service.")
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--fd", type=int, help="a listening socket to use instead of opening --port")
    arguments.add_argument("--issuer", required=True, help="URL of the authorization server")
    arguments.add_argument("--era", choices=("both", "modern", "legacy"), default="both")
    arguments.add_argument("--streams", action="store_true", help="answer with event streams instead of JSON")
    given = arguments.parse_args()
    service = Service(
        origin=f"http://127.0.0.1:{given.port}",
        issuer=given.issuer,
        conversation=Conversation(eras=frozenset({"modern", "legacy"} if given.era == "both" else {given.era})),
        environment=os.environ,
        streams=given.streams,
    )
    config = uvicorn.Config(service.app(), host="127.0.0.1", port=given.port, log_level="warning")
    sockets = [socket.socket(fileno=given.fd)] if given.fd else None
    asyncio.run(uvicorn.Server(config).serve(sockets=sockets))


if __name__ == "__main__":
    main()
