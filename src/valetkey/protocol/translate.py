"""Results between the eras: the few named fields that are rewritten when client and server are not of one kind.

Everything else passes as the bytes it was (reference: the era table, 1.9 of our notes on MCP).
"""

from __future__ import annotations

from typing import Final

import msgspec

from valetkey.protocol.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    LEGACY_RESOURCE_NOT_FOUND,
    RESERVED,
    URL_ELICITATION_REQUIRED,
    Rejected,
)
from valetkey.protocol.jsonrpc import members, read_error
from valetkey.protocol.messages import object_of
from valetkey.protocol.versions import MODERN, has_any_structured_content, has_structured_content

_NOTHING: Final = msgspec.Raw(b"")
_TRUE: Final = msgspec.Raw(b"true")
_COMPLETE: Final = msgspec.Raw(b'"complete"')
_MODERN_MEMBERS: Final = ("resultType", "ttlMs", "cacheScope", "inputRequests", "requestState")


class ResultFacts(msgspec.Struct, frozen=True, gc=False):
    """What is read of a tool result: raw JSON of three members, empty when absent."""

    type: msgspec.Raw = msgspec.field(default=_NOTHING, name="resultType")
    is_error: msgspec.Raw = msgspec.field(default=_NOTHING, name="isError")
    structured: msgspec.Raw = msgspec.field(default=_NOTHING, name="structuredContent")

    @property
    def is_tool_error(self) -> bool:
        return self.is_error == _TRUE

    @property
    def is_complete(self) -> bool:
        """Whether the call is over. Absent means complete: servers before 2026-07-28 know no other (SEP-2322)."""
        return not self.type or self.type == _COMPLETE


_decode = msgspec.json.Decoder(ResultFacts).decode


def read_result(raw: bytes) -> ResultFacts | None:
    """The facts of a scanned tool result, or `None` when it is no object."""
    try:
        return _decode(raw)
    except msgspec.MsgspecError:
        return None


def tool_result(raw: bytes, facts: ResultFacts, *, version: str) -> bytes:
    """A complete tool result, for a client that speaks `version`.

    Modern clients get `resultType` if it is missing. Older ones lose the modern members, and a `structuredContent` that
    their revision does not know; the `content` beside it says the same in text.
    """
    if version == MODERN:
        if facts.type:
            return raw
        # A legacy server's result, or one of a modern server that forgot: the type is put in front.
        empty = not raw[1:-1].strip()
        return b'{"resultType":"complete"}' if empty else b'{"resultType":"complete",%b' % raw[1:].lstrip()
    structured = bool(facts.structured) and not (
        has_structured_content(version)
        and (has_any_structured_content(version) or bytes(facts.structured)[:1] in (b"{", b"n"))
    )
    if not facts.type and not structured:
        return raw
    dropped = (*_MODERN_MEMBERS, "structuredContent") if structured else _MODERN_MEMBERS
    return object_of([(key, value) for key, value in members(raw).items() if key not in dropped])


def tool(raw: bytes, *, version: str, name: str = "") -> bytes:
    """One tool of a list, for a client that speaks `version`, under another `name` if one is given.

    `execution` (the task support of 2025-11-25) does not exist on the modern wire.
    """
    drops = version == MODERN and b'"execution"' in raw
    if not name and not drops:
        return raw
    found = members(raw)
    if name:
        found["name"] = msgspec.Raw(msgspec.json.encode(name))
    if drops:
        found.pop("execution", None)
    return object_of(found.items())


class Relayed(msgspec.Struct, frozen=True, gc=False):
    """An error as the client gets it: `raw` is the error object, `code` its code."""

    code: int
    raw: bytes


def error(raw: bytes, *, version: str) -> Relayed:
    """A server's error object, for a client that speaks `version`.

    Codes about our own leg (headers, versions, capabilities) say nothing to the client and become -32603; the missing
    resource of older servers becomes -32602 on the modern wire. Anything that is no error object becomes -32603 too.
    """
    try:
        found = read_error(raw)
    except Rejected:
        return _ours(INTERNAL_ERROR, "The service answered with something that is no error.")
    if found.code in RESERVED or found.code == URL_ELICITATION_REQUIRED:
        return _ours(INTERNAL_ERROR, "The service wants something of this hub that it does not do.")
    if found.code == LEGACY_RESOURCE_NOT_FOUND and version == MODERN:
        rewritten = members(raw)
        rewritten["code"] = msgspec.Raw(b"%d" % INVALID_PARAMS)
        return Relayed(INVALID_PARAMS, object_of(rewritten.items()))
    return Relayed(found.code, raw)


def _ours(code: int, message: str) -> Relayed:
    return Relayed(code, b'{"code":%d,"message":%b}' % (code, msgspec.json.encode(message)))


class _Progress(msgspec.Struct, gc=False):
    token: msgspec.Raw = msgspec.field(default=_NOTHING, name="progressToken")


_decode_progress = msgspec.json.Decoder(_Progress).decode


def progress(params: bytes, *, ours: int, theirs: bytes) -> bytes | None:
    """`params` of a progress notification with the client's token put back; `None` when it is not about our request."""
    try:
        token = bytes(_decode_progress(params).token)
    except msgspec.MsgspecError:
        return None
    if not theirs or token not in (b"%d" % ours, b'"%d"' % ours):
        return None
    found = members(params)
    found["progressToken"] = msgspec.Raw(theirs)
    return object_of(found.items())
