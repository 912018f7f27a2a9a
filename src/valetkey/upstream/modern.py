"""Talking to a server of 2026-07-28: each request carries its own envelope, in `_meta` and in headers."""

from __future__ import annotations

from typing import Final

from valetkey.kernel.secret import Credential
from valetkey.net.limits import Limits
from valetkey.protocol import headers
from valetkey.protocol.errors import UNSUPPORTED_VERSION, Rejected
from valetkey.protocol.jsonrpc import read_error, request_message
from valetkey.protocol.messages import ToolCall, call_params, list_params, upstream_meta
from valetkey.protocol.versions import MODERN
from valetkey.upstream.model import EraChanged, HttpFailed, Target
from valetkey.upstream.streamable_http import ACCEPT, CLIENT_INFO, JSON, Calls, Headers, Heard, Heed, ask

_COMMON: Final = (ACCEPT, JSON, (headers.VERSION, MODERN.encode()))
_CALL: Final = (*_COMMON, (headers.METHOD, b"tools/call"))
_LIST: Final = [*_COMMON, (headers.METHOD, b"tools/list")]
_DISCOVER: Final = [*_COMMON, (headers.METHOD, b"server/discover")]
_PLAIN_META: Final = upstream_meta({}, token=None, client_info=CLIENT_INFO, modern=True)

_REJECTED: Final = (400, 404, 405)
_NOT_MODERN: Final = (-32000, -32001, -32600, UNSUPPORTED_VERSION)
"""Errors that legacy servers give to a request without a session, under a status of `_REJECTED`. -32602 is not one of
them: modern servers give it under 400 for wrong arguments."""


async def discover(
    calls: Calls, target: Target, request_id: int, *, ticket: Credential | None, limits: Limits
) -> Heard:
    """`server/discover`."""
    body = request_message(request_id, "server/discover", b'{"_meta":%b}' % _PLAIN_META)
    return await ask(calls, target, request_id, body, _DISCOVER, ticket=ticket, limits=limits, heed=None)


async def call_tool(
    calls: Calls,
    target: Target,
    request_id: int,
    call: ToolCall,
    params: Headers,
    *,
    ticket: Credential | None,
    limits: Limits,
    heed: Heed,
) -> Heard:
    """`tools/call`; `params` are its `Mcp-Param-*` headers. Raises `EraChanged` when the server is none of these."""
    token = request_id if call.progress_token else None
    meta = upstream_meta(call.meta, token=token, client_info=CLIENT_INFO, modern=True) if call.meta else _PLAIN_META
    body = request_message(request_id, "tools/call", call_params(call.name, call.arguments, meta, call.rest))
    request_headers = [*_CALL, (headers.NAME, headers.encode_value(call.name)), *params]
    return await _ask(calls, target, request_id, body, request_headers, ticket=ticket, limits=limits, heed=heed)


async def list_page(
    calls: Calls, target: Target, request_id: int, cursor: bytes, *, ticket: Credential | None, limits: Limits
) -> Heard:
    """One page of `tools/list`. Raises `EraChanged`."""
    body = request_message(request_id, "tools/list", list_params(cursor, _PLAIN_META))
    return await _ask(calls, target, request_id, body, _LIST, ticket=ticket, limits=limits, heed=None)


async def _ask(
    calls: Calls,
    target: Target,
    request_id: int,
    body: bytes,
    request_headers: Headers,
    *,
    ticket: Credential | None,
    limits: Limits,
    heed: Heed | None,
) -> Heard:
    """As `ask`; raises `EraChanged` for a rejection that no modern server gives."""
    try:
        heard = await ask(calls, target, request_id, body, request_headers, ticket=ticket, limits=limits, heed=heed)
    except HttpFailed as error:
        if error.status in _REJECTED:
            raise EraChanged(error.message, status=error.status) from error
        raise
    if heard.status in _REJECTED and _code(heard.response.error) in _NOT_MODERN:
        raise EraChanged(f"{target.url.host} rejects modern requests (HTTP {heard.status}).", status=heard.status)
    return heard


def _code(error: bytes) -> int:
    try:
        return read_error(error).code
    except Rejected:
        return 0
