"""Requests to a server of 2026-07-28: each carries its own envelope, in `_meta` and in headers."""

from __future__ import annotations

import functools
from typing import Final

from valetkey.protocol import headers
from valetkey.protocol.asks import Asks, declaration
from valetkey.protocol.errors import UNSUPPORTED_VERSION, Rejected
from valetkey.protocol.jsonrpc import read_error, request_message
from valetkey.protocol.messages import upstream_meta
from valetkey.protocol.onward import Onward
from valetkey.protocol.versions import MODERN
from valetkey.upstream.model import EraChanged, HttpFailed
from valetkey.upstream.streamable_http import ACCEPT, CLIENT_INFO, JSON, Headers, Heard, Outgoing

_COMMON: Final = (ACCEPT, JSON, (headers.VERSION, MODERN.encode()))
_CALL: Final = (*_COMMON, (headers.METHOD, b"tools/call"))
_DISCOVER: Final = (*_COMMON, (headers.METHOD, b"server/discover"))
_PLAIN_META: Final = upstream_meta({}, token=None, client_info=CLIENT_INFO, modern=True)

_encoded: Final = functools.lru_cache(maxsize=1024)(headers.encode_value)
_UNASKED: Final = "info"
"""The level of log messages for a legacy client that never said one, since a modern server says nothing unasked."""

_REJECTED: Final = (400, 404, 405)
_NOT_MODERN: Final = (-32000, -32001, -32600, UNSUPPORTED_VERSION)
"""Errors that legacy servers give to a request without a session, under a status of `_REJECTED`. -32602 is not one of
them: modern servers give it under 400 for wrong arguments."""


def discover(request_id: int) -> Outgoing:
    """`server/discover`."""
    return Outgoing(
        request_id, request_message(request_id, "server/discover", b'{"_meta":%b}' % _PLAIN_META), _DISCOVER
    )


def passed_on(request_id: int, onward: Onward, more: Headers, asks: Asks = Asks.NOTHING) -> Outgoing:
    """A client's request; `more` are headers beyond those that every request has (`Mcp-Param-*`).

    `asks` is what the client can be asked within it (SEP-2322).
    """
    capabilities = declaration(asks) if asks else b"{}"
    token = request_id if onward.progress_token else None
    level = onward.log_level or (_UNASKED if onward.wants_log else "")
    meta = upstream_meta(
        onward.meta,
        token=token,
        client_info=CLIENT_INFO,
        modern=True,
        capabilities=capabilities,
        log_level=level,
    )
    body = request_message(request_id, onward.method, onward.params_with(meta))
    common = _CALL if onward.method == "tools/call" else (*_COMMON, (headers.METHOD, onward.method.encode()))
    if onward.named:
        return Outgoing(request_id, body, (*common, (headers.NAME, _encoded(onward.named)), *more))
    return Outgoing(request_id, body, (*common, *more))


def is_rejection(error: HttpFailed) -> bool:
    """Whether an HTTP failure is a rejection without an answer, which modern servers never give."""
    return error.status in _REJECTED


def accepted(heard: Heard) -> Heard:
    """What was heard, unless it is an error that only a legacy server gives: raises `EraChanged`."""
    if heard.status in _REJECTED and _code(heard.response.error) in _NOT_MODERN:
        raise EraChanged(f"The server rejects modern requests (HTTP {heard.status}).", status=heard.status)
    return heard


def _code(error: bytes) -> int:
    try:
        return read_error(error).code
    except Rejected:
        return 0
