"""The reference upstream: a server with everything the conformance suite asks for, in both eras or in the older only.

`python -m tests.conformance.upstream --port N [--legacy-only]`. It passes all scored scenarios itself; that is how one
knows that a scenario which fails behind the hub fails because of the hub.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import mcp_types as types
import uvicorn
from mcp.server.caching import CacheHint
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, PromptsListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPError
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.conformance.asking import INVALID_PARAMS, MODERN, Asked, Call, Context, Json, Refused
from tests.conformance.exhibits import PROMPTS, RESOURCES, TEMPLATE, TOOLS, text

NOT_FOUND_BEFORE_2026: Final = -32002
LEGACY: Final = (b"2024-11-05", b"2025-03-26", b"2025-06-18", b"2025-11-25")
CITIES: Final = ("paris", "park", "party")

_TRIGGERS: Final[dict[str, ToolsListChanged | PromptsListChanged]] = {
    "test_trigger_tool_change": ToolsListChanged(),
    "test_trigger_prompt_change": PromptsListChanged(),
}
_BY_NAME: Final = {tool.name: tool for tool in TOOLS}
_PROMPT_BY_NAME: Final = {prompt.name: prompt for prompt in PROMPTS}
_HINT: Final = CacheHint(ttl_ms=0, scope="private")


Answers = Callable[[Context, Any], Awaitable[Json]]


class Events(EventStore):
    """What was sent on each stream, for clients that come back for the rest."""

    def __init__(self) -> None:
        self._sent: list[tuple[str, types.JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: types.JSONRPCMessage | None) -> str:
        self._sent.append((stream_id, message))
        return str(len(self._sent) - 1)

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        if not last_event_id.isdecimal() or int(last_event_id) >= len(self._sent):
            return None
        stream = self._sent[int(last_event_id)][0]
        for number in range(int(last_event_id) + 1, len(self._sent)):
            of, message = self._sent[number]
            if of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


class Reference(Server[Any]):
    """Says in the handshake, too, that its lists may change."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        told = notification_options or NotificationOptions(prompts_changed=True, tools_changed=True)
        return super().create_initialization_options(told, experimental_capabilities, extensions)


def reference() -> Reference:
    """The server, with a handler for each method."""
    bus = InMemorySubscriptionBus()

    async def call_tool(ctx: Context, params: types.CallToolRequestParams) -> Json:
        if (event := _TRIGGERS.get(params.name)) is not None:
            await bus.publish(event)
            if isinstance(event, ToolsListChanged):
                await ctx.session.send_tool_list_changed()
            else:
                await ctx.session.send_prompt_list_changed()
            return {"content": [text("The list changed.")]}
        if (tool := _BY_NAME.get(params.name)) is None:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name}")
        try:
            return {"content": list(await tool.run(_call(ctx, params)))}
        except Asked as asked:
            return asked.result
        except Refused as refused:
            return {"content": [text(str(refused))], "isError": True}

    server = Reference(
        "valetkey-reference-upstream",
        version="1",
        instructions="For tests only.",
        cache_hints=dict.fromkeys(_CACHEABLE, _HINT),
        get_tool_input_schema=lambda name: _BY_NAME[name].schema if name in _BY_NAME else None,
    )
    handlers: dict[str, tuple[Any, Answers]] = {
        "tools/list": (types.PaginatedRequestParams, list_tools),
        "tools/call": (types.CallToolRequestParams, call_tool),
        "prompts/list": (types.PaginatedRequestParams, list_prompts),
        "prompts/get": (types.GetPromptRequestParams, get_prompt),
        "resources/list": (types.PaginatedRequestParams, list_resources),
        "resources/templates/list": (types.PaginatedRequestParams, list_templates),
        "resources/read": (types.ReadResourceRequestParams, read_resource),
        "resources/subscribe": (types.SubscribeRequestParams, accept),
        "resources/unsubscribe": (types.UnsubscribeRequestParams, accept),
        "completion/complete": (types.CompleteRequestParams, complete),
        "logging/setLevel": (types.SetLevelRequestParams, accept),
    }
    for method, (params_type, handler) in handlers.items():
        server.add_request_handler(method, params_type, _complete(handler))
    server.add_request_handler("subscriptions/listen", types.SubscriptionsListenRequestParams, ListenHandler(bus))
    return server


def _complete(handler: Answers) -> Answers:
    """A result is whole unless it says otherwise; before 2026-07-28 there is no word for it."""

    async def run(ctx: Context, params: Any) -> Json:
        result = await handler(ctx, params)
        return {"resultType": "complete", **result} if ctx.protocol_version == MODERN else result

    return run


_CACHEABLE: Final = (
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
)


def _call(ctx: Context, params: types.CallToolRequestParams | types.GetPromptRequestParams) -> Call:
    raw: Mapping[str, Any] = ctx.params or {}
    return Call(ctx, params.arguments or {}, raw.get("inputResponses") or {}, str(raw.get("requestState") or ""))


async def list_tools(_ctx: Context, _params: types.PaginatedRequestParams) -> Json:
    empty = {"type": "object", "properties": {}}
    triggers = [{"name": name, "description": "Says that a list changed", "inputSchema": empty} for name in _TRIGGERS]
    return {"tools": [*(tool.listed() for tool in TOOLS), *triggers]}


async def list_prompts(_ctx: Context, _params: types.PaginatedRequestParams) -> Json:
    return {"prompts": [prompt.listed() for prompt in PROMPTS]}


async def get_prompt(ctx: Context, params: types.GetPromptRequestParams) -> Json:
    if (prompt := _PROMPT_BY_NAME.get(params.name)) is None:
        raise MCPError(INVALID_PARAMS, f"Unknown prompt: {params.name}")
    try:
        return {"messages": list(await prompt.run(_call(ctx, params)))}
    except Asked as asked:
        return asked.result
    except Refused as refused:
        raise MCPError(INVALID_PARAMS, str(refused)) from refused


async def list_resources(_ctx: Context, _params: types.PaginatedRequestParams) -> Json:
    listed = [
        {"uri": uri, "name": uri.partition("//")[2], "mimeType": content["mimeType"]}
        for uri, content in RESOURCES.items()
    ]
    return {"resources": listed}


async def list_templates(_ctx: Context, _params: types.PaginatedRequestParams) -> Json:
    return {"resourceTemplates": [{"uriTemplate": TEMPLATE, "name": "template", "mimeType": "application/json"}]}


async def read_resource(ctx: Context, params: types.ReadResourceRequestParams) -> Json:
    uri = str(params.uri)
    if (content := RESOURCES.get(uri)) is not None:
        return {"contents": [{"uri": uri, **content}]}
    if (match := re.fullmatch(r"test://template/([^/]+)/data", uri)) is not None:
        filled = {"id": match[1], "templateTest": True, "data": f"Data for ID: {match[1]}"}
        return {"contents": [{"uri": uri, "mimeType": "application/json", "text": json.dumps(filled)}]}
    code = NOT_FOUND_BEFORE_2026 if ctx.protocol_version.encode() in LEGACY else INVALID_PARAMS
    raise MCPError(code, "Resource not found", {"uri": uri})


async def complete(_ctx: Context, params: types.CompleteRequestParams) -> Json:
    values = [city for city in CITIES if city.startswith(params.argument.value)]
    return {"completion": {"values": values, "total": len(values), "hasMore": False}}


async def accept(_ctx: Context, _params: types.RequestParams) -> Json:
    return {}


class LegacyOnly:
    """Refuses what the servers of before 2026-07-28 refuse: a version they have not heard of."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        version = dict(scope.get("headers", ())).get(b"mcp-protocol-version")
        if scope["type"] != "http" or version is None or version in LEGACY:
            return await self._app(scope, receive, send)
        error = {"code": -32000, "message": "Bad Request: Unsupported protocol version"}
        body = json.dumps({"jsonrpc": "2.0", "error": error, "id": None}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return None


def application(*, legacy_only: bool) -> ASGIApp:
    app = reference().streamable_http_app(event_store=Events(), retry_interval=100)
    return LegacyOnly(app) if legacy_only else app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=3001)
    parser.add_argument("--fd", type=int, help="a socket that listens already")
    parser.add_argument("--legacy-only", action="store_true")
    given = parser.parse_args()
    uvicorn.run(
        application(legacy_only=given.legacy_only),
        host="127.0.0.1",
        port=given.port,
        fd=given.fd,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
