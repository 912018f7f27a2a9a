"""What a message must bring before it is served: the ladder of modern requests, and the session of legacy ones."""

from __future__ import annotations

from typing import Final

import msgspec

from valetkey.gateway.model import Client, Head
from valetkey.gateway.sessions import find_session
from valetkey.identity.model import Principal
from valetkey.protocol import headers
from valetkey.protocol.asks import Asks
from valetkey.protocol.errors import HEADER_MISMATCH, INVALID_PARAMS, UNSUPPORTED_VERSION, Rejected
from valetkey.protocol.jsonrpc import Message, Request
from valetkey.protocol.messages import CAPABILITIES_KEY, PROTOCOL_VERSION_KEY, Params, read_params
from valetkey.protocol.onward import name_in
from valetkey.protocol.translate import named_by
from valetkey.protocol.versions import LEGACY, MODERN, WITHOUT_HEADER

_MODERN: Final = MODERN.encode()
_MODERN_JSON: Final = msgspec.Raw(b'"%b"' % _MODERN)
_LEGACY: Final = frozenset(version.encode() for version in LEGACY)
_OWS: Final = b" \t"
"""White space round a header's value is no part of it (RFC 9110 5.5); the parser of requests leaves it there."""
_SUPPORTED: Final = msgspec.json.encode([MODERN])


def speaks_modern(head: Head) -> bool:
    """Whether the head belongs to a modern request: its version header names no revision with a handshake."""
    version = head.fields.get(headers.VERSION)
    return version is not None and version not in _LEGACY


def legacy_client(who: Principal, head: Head, message: Message) -> Client | None:
    """How a legacy client talks; `None` when it names a session this person never began."""
    header = head.fields.get(headers.VERSION)
    if header is None and isinstance(message, Request) and _has_envelope(message):
        raise _mismatch("The MCP-Protocol-Version header is missing.")
    version = header.decode("latin-1") if header is not None else WITHOUT_HEADER
    session = head.fields.get(headers.SESSION)
    if session is None:
        return Client(version=version, is_modern=False, opens_urls=False)
    client = find_session(session, who.person_id)
    if client is None:
        return None
    if client.asks and not _takes_stream(head):  # then there is no way to ask it anything
        client = msgspec.structs.replace(client, asks=Asks.NOTHING)
    if header is None or client.version == version:
        return client
    return msgspec.structs.replace(client, version=version)


def _takes_stream(head: Head) -> bool:
    accept = head.fields.get(b"accept", b"*/*")
    return b"text/event-stream" in accept or b"*/*" in accept or b"text/*" in accept


def _has_envelope(message: Request) -> bool:
    try:
        return PROTOCOL_VERSION_KEY in read_params(message.params).meta
    except Rejected:
        return False


def climb(head: Head, method: str, params: Params) -> None:
    """The ladder of a modern request (streamable HTTP: request metadata); the first rung that is missing rejects."""
    fields, meta = head.fields, params.meta
    said = meta.get(PROTOCOL_VERSION_KEY)
    if said is None or CAPABILITIES_KEY not in meta:
        raise Rejected(
            f"params._meta must have {PROTOCOL_VERSION_KEY} and {CAPABILITIES_KEY}.",
            rpc_code=INVALID_PARAMS,
            field="params._meta",
        )
    version = MODERN if said == _MODERN_JSON else _string(said)
    if fields[headers.VERSION] != (_MODERN if version is MODERN else version.encode()):
        raise _mismatch("MCP-Protocol-Version does not match params._meta.")
    named_method = fields.get(headers.METHOD, b"")
    if named_method != method.encode() and named_method.strip(_OWS) != method.encode():
        raise _mismatch("Mcp-Method does not match the method.")
    if member := named_by(method):
        named, name = fields.get(headers.NAME), name_in(method, params)
        if named is None or (named != name.encode() and headers.decode_value(named.strip(_OWS)) != name):
            raise _mismatch(f"Mcp-Name does not match params.{member}.")
    if version != MODERN:
        raise unsupported(version)


def _string(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.MsgspecError as error:
        raise Rejected("The protocol version is not a string.", rpc_code=INVALID_PARAMS) from error


def _mismatch(what: str) -> Rejected:
    return Rejected(what, rpc_code=HEADER_MISMATCH)


def unsupported(version: str) -> Rejected:
    data = b'{"supported":%b,"requested":%b}' % (_SUPPORTED, msgspec.json.encode(version))
    return Rejected("Unsupported protocol version", rpc_code=UNSUPPORTED_VERSION, data=data)
