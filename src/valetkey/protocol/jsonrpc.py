"""JSON-RPC 2.0 on bytes: an envelope is taken apart into raw slices and put together from them.

What is inside a slice is not looked at here, and so passes untouched.
"""

from __future__ import annotations

from typing import Final

import msgspec

from valetkey.protocol.errors import INVALID_REQUEST, PARSE_ERROR, Rejected
from valetkey.protocol.scan import BadJson, mend_surrogates, scan

_NOTHING: Final = msgspec.Raw(b"")
_NULL: Final = b"null"
_ID_STARTS: Final = frozenset(b'"-0123456789')
MAX_ID: Final = 256
"""Bytes of a request id. An id is echoed and kept for the time of the call."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """Something that wants an answer. `id` and `params` are raw JSON; `params` is empty when there are none."""

    id: bytes
    method: str
    params: bytes


class Notification(msgspec.Struct, frozen=True, gc=False):
    """Something that wants none."""

    method: str
    params: bytes


class Response(msgspec.Struct, frozen=True, gc=False):
    """An answer: `result` or `error` is raw JSON, the other one is empty."""

    id: bytes
    result: bytes
    error: bytes


Message = Request | Notification | Response


class ErrorObject(msgspec.Struct, frozen=True, gc=False):
    """The readable part of an error: its code and what it says. `data` is raw JSON, empty when absent."""

    code: int
    message: str = ""
    data: msgspec.Raw = _NOTHING


class _Envelope(msgspec.Struct, gc=False):
    jsonrpc: str = ""
    id: msgspec.Raw = _NOTHING
    method: str | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw = _NOTHING
    result: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING


_decode = msgspec.json.Decoder(_Envelope).decode
_decode_error = msgspec.json.Decoder(ErrorObject).decode


def parse(body: bytes) -> Message:
    """The one message in `body`, scanned first.

    Raises `Rejected` with -32700 for what is not JSON within bounds, -32600 for what is not one JSON-RPC message
    (a batch, for one: SEP and revision 2025-06-18 removed them).
    """
    try:
        scan(body)
    except BadJson as error:
        raise Rejected(error.message, rpc_code=PARSE_ERROR) from error
    return read(body)


def read(body: bytes) -> Message:
    """The one message in `body`, which was scanned already. Raises `Rejected` with -32600."""
    try:
        envelope = _decode(body)
    except msgspec.ValidationError as error:
        raise Rejected("The body is not one JSON-RPC message.", rpc_code=INVALID_REQUEST) from error
    except msgspec.DecodeError as error:
        # Our scan said it is JSON: what is left are lone surrogates.
        mended = mend_surrogates(body)
        if mended == body:
            raise Rejected("The body is not one JSON-RPC message.", rpc_code=PARSE_ERROR) from error
        return read(mended)
    if envelope.jsonrpc != "2.0":
        raise Rejected("The message does not say jsonrpc 2.0.", rpc_code=INVALID_REQUEST)
    if isinstance(envelope.method, str) and not envelope.result and not envelope.error:
        return _asking(bytes(envelope.id), envelope.method, bytes(envelope.params))
    return _answering(envelope)


def _asking(id: bytes, method: str, params: bytes) -> Request | Notification:
    if not method:
        raise Rejected("The method has no name.", rpc_code=INVALID_REQUEST, id=_safe_id(id))
    if params and params[:1] != b"{":
        raise Rejected("The params are not an object.", rpc_code=INVALID_REQUEST, id=_safe_id(id))
    if not id:
        return Notification(method, params)
    if id[0] not in _ID_STARTS or len(id) > MAX_ID:
        raise Rejected("The id is neither a string nor a number.", rpc_code=INVALID_REQUEST)
    return Request(id, method, params)


def _answering(envelope: _Envelope) -> Response:
    id, result, error = bytes(envelope.id), bytes(envelope.result), bytes(envelope.error)
    if envelope.method is not msgspec.UNSET:
        # One reader would take it for a request, another for a response: neither gets it.
        raise Rejected("The message is a request and a response at once.", rpc_code=INVALID_REQUEST)
    if bool(result) == bool(error) or (_safe_id(id) is _NULL and (result or id not in (b"", _NULL))):
        raise Rejected("The message is neither a request nor a response.", rpc_code=INVALID_REQUEST, id=_safe_id(id))
    return Response(id or _NULL, result, error)


def _safe_id(id: bytes) -> bytes:
    return id if id and id[0] in _ID_STARTS and len(id) <= MAX_ID else _NULL


def read_error(raw: bytes) -> ErrorObject:
    """The error object in `raw`. Raises `Rejected` when it is none."""
    try:
        return _decode_error(raw)
    except msgspec.MsgspecError as error:
        raise Rejected("The error is not a JSON-RPC error object.", rpc_code=INVALID_REQUEST) from error


def members(raw: bytes) -> dict[str, msgspec.Raw]:
    """The members of a scanned JSON object, values as raw slices. Raises `Rejected` when it is no object."""
    try:
        return _decode_members(raw)
    except msgspec.MsgspecError as error:
        raise Rejected("This is not a JSON object.", rpc_code=INVALID_REQUEST) from error


_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def result_message(id: bytes, result: bytes) -> bytes:
    """A response with a raw `result`."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (id, result)


def error_object(code: int, message: str, data: bytes = b"") -> bytes:
    """An error of ours; `data` is raw JSON."""
    text = msgspec.json.encode(message)
    return b'{"code":%d,"message":%b%b}' % (code, text, b',"data":%b' % data if data else b"")


def error_message(id: bytes, code: int, message: str, data: bytes = b"") -> bytes:
    """A response with an error of ours."""
    return raw_error_message(id, error_object(code, message, data))


def raw_error_message(id: bytes, error: bytes) -> bytes:
    """A response with somebody else's error object, as it is."""
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (id, error)


def request_message(id: int, method: str, params: bytes) -> bytes:
    """A request of ours."""
    return b'{"jsonrpc":"2.0","id":%d,"method":"%b","params":%b}' % (id, method.encode(), params)


def raw_request_message(id: bytes, method: str, params: bytes) -> bytes:
    """A request with a raw id; `params` is raw JSON or empty."""
    tail = b',"params":%b' % params if params else b""
    return b'{"jsonrpc":"2.0","id":%b,"method":"%b"%b}' % (id, method.encode(), tail)


def notification_message(method: str, params: bytes = b"") -> bytes:
    """A notification; `params` is raw JSON or empty."""
    if params:
        return b'{"jsonrpc":"2.0","method":"%b","params":%b}' % (method.encode(), params)
    return b'{"jsonrpc":"2.0","method":"%b"}' % method.encode()
