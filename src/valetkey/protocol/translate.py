"""The bridge between the eras, on one page: a table with one row for each method, and the few rewritings it names.

Everything that no row names passes as the bytes it was. An envelope (ids, `_meta`, headers, sessions) is never passed
on but made anew for each leg.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from valetkey.protocol import headers
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
from valetkey.protocol.versions import MODERN, Era, has_any_structured_content, has_structured_content

TASKS: Final = "io.modelcontextprotocol/tasks"
UI: Final = "io.modelcontextprotocol/ui"

_BOTH: Final = frozenset(Era)
_MODERN_ONLY: Final = frozenset({Era.MODERN})
_LEGACY_ONLY: Final = frozenset({Era.LEGACY})


class Row(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How one method crosses.

    `needs` is the capability that a service must declare, as a path. `clients` and `services` are the eras that know
    it, and `instead` says what stands for it towards those that do not. `items` is the member of the result that holds
    a list, `drops` are members of those items that the modern revision does not have. With `is_hinted`, modern results
    say how long they hold; with `may_ask`, they may be `input_required`. `not_found` is a missing resource, -32002 in
    the older revisions.
    """

    needs: tuple[str, ...] = ()
    clients: frozenset[Era] = _BOTH
    services: frozenset[Era] = _BOTH
    instead: str = ""
    items: str = ""
    drops: tuple[str, ...] = ()
    is_hinted: bool = False
    may_ask: bool = False
    not_found: bool = False


REQUESTS: Final[Mapping[str, Row]] = {
    "tools/list": Row(needs=("tools",), items="tools", drops=("execution",), is_hinted=True),
    "tools/call": Row(needs=("tools",), may_ask=True),
    "prompts/list": Row(needs=("prompts",), items="prompts", is_hinted=True),
    "prompts/get": Row(needs=("prompts",), may_ask=True),
    "resources/list": Row(needs=("resources",), items="resources", is_hinted=True),
    "resources/templates/list": Row(needs=("resources",), items="resourceTemplates", is_hinted=True),
    "resources/read": Row(needs=("resources",), is_hinted=True, may_ask=True, not_found=True),
    "completion/complete": Row(needs=("completions",)),
    "tasks/get": Row(needs=("extensions", TASKS), clients=_MODERN_ONLY, services=_MODERN_ONLY, instead="nothing"),
    "tasks/update": Row(needs=("extensions", TASKS), clients=_MODERN_ONLY, services=_MODERN_ONLY, instead="nothing"),
    "tasks/cancel": Row(needs=("extensions", TASKS), clients=_MODERN_ONLY, services=_MODERN_ONLY, instead="nothing"),
    "subscriptions/listen": Row(
        clients=_MODERN_ONLY, services=_MODERN_ONLY, instead="the standing event stream, and `resources/subscribe`"
    ),
    "resources/subscribe": Row(
        needs=("resources", "subscribe"), clients=_LEGACY_ONLY, services=_LEGACY_ONLY, instead="`subscriptions/listen`"
    ),
    "resources/unsubscribe": Row(
        needs=("resources", "subscribe"), clients=_LEGACY_ONLY, services=_LEGACY_ONLY, instead="`subscriptions/listen`"
    ),
    "logging/setLevel": Row(
        needs=("logging",), clients=_LEGACY_ONLY, services=_LEGACY_ONLY, instead="`logLevel` in each request's `_meta`"
    ),
}
"""What an assistant may ask of a service. Whatever is not here is answered by the hub itself, or by nobody."""

NOTIFICATIONS: Final[Mapping[str, Row]] = {
    "notifications/progress": Row(instead="under the client's own token"),
    "notifications/message": Row(needs=("logging",)),
    "notifications/tools/list_changed": Row(needs=("tools", "listChanged")),
    "notifications/prompts/list_changed": Row(needs=("prompts", "listChanged")),
    "notifications/resources/list_changed": Row(needs=("resources", "listChanged")),
    "notifications/resources/updated": Row(needs=("resources", "subscribe")),
    "notifications/tasks": Row(needs=("extensions", TASKS), clients=_MODERN_ONLY, services=_MODERN_ONLY),
}
"""What a service may tell an assistant. Nothing else gets through."""

_NOTHING: Final = msgspec.Raw(b"")
_TRUE: Final = msgspec.Raw(b"true")
_COMPLETE: Final = msgspec.Raw(b'"complete"')
_TASK: Final = msgspec.Raw(b'"task"')
_PRIVATE: Final = msgspec.Raw(b'"private"')
_ZERO: Final = msgspec.Raw(b"0")
_MODERN_MEMBERS: Final = ("resultType", "ttlMs", "cacheScope", "inputRequests", "requestState")
_HINTS: Final = ("ttlMs", "cacheScope")


def named_by(method: str) -> str:
    """The member of `params` that `Mcp-Name` repeats; empty for methods without that header."""
    return headers.NAMED_BY.get(method, "")


class ResultFacts(msgspec.Struct, frozen=True, gc=False):
    """What is read of a tool result: raw JSON of three members, empty when absent."""

    type: msgspec.Raw = msgspec.field(default=_NOTHING, name="resultType")
    is_error: msgspec.Raw = msgspec.field(default=_NOTHING, name="isError")
    structured: msgspec.Raw = msgspec.field(default=_NOTHING, name="structuredContent")

    @property
    def is_tool_error(self) -> bool:
        return self.is_error == _TRUE

    @property
    def is_task(self) -> bool:
        """Whether the answer is a task that goes on without the request (SEP-2663)."""
        return self.type == _TASK

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


def result(raw: bytes, row: Row, *, version: str) -> bytes:
    """A complete result of any other method. Raises `Rejected` when it is no object.

    What a service lets everybody keep (`public`) came with one person's credential, and stays theirs: `private`.
    """
    found = members(raw)
    if version == MODERN:
        found.setdefault("resultType", _COMPLETE)
        if row.is_hinted:
            ttl = bytes(found.get("ttlMs", b""))
            found.update(ttlMs=msgspec.Raw(ttl) if _is_duration(ttl) else _ZERO, cacheScope=_PRIVATE)
    else:
        for key in _MODERN_MEMBERS:
            found.pop(key, None)
    return object_of(found.items())


def _is_duration(raw: bytes) -> bool:
    return raw[:1].isdigit()


def items(raw: bytes, row: Row) -> list[bytes]:
    """The members of the list in a result. Raises `Rejected` when there is none."""
    try:
        return [bytes(each) for each in _decode_items(bytes(members(raw)[row.items]))]
    except (KeyError, msgspec.MsgspecError) as error:
        raise Rejected(f"The result has no list of {row.items}.", rpc_code=INTERNAL_ERROR) from error


_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def list_result(
    listed: list[bytes], row: Row, *, version: str, ttl_ms: int, cursor: str, meta: Mapping[str, Any]
) -> bytes:
    """A list of ours, put together of several."""
    parts: list[tuple[str, bytes | msgspec.Raw]] = [(row.items, b"[%b]" % b",".join(listed))]
    if cursor:
        parts.append(("nextCursor", msgspec.json.encode(cursor)))
    if version == MODERN:
        parts = [("resultType", _COMPLETE), *parts, ("ttlMs", b"%d" % ttl_ms), ("cacheScope", _PRIVATE)]
    return object_of([*parts, ("_meta", msgspec.json.encode(meta))] if meta else parts)


def renamed(raw: bytes, **changed: str) -> bytes:
    """An object with some of its members replaced by texts; those it does not have are not put in."""
    found = members(raw)
    found.update((key, msgspec.Raw(msgspec.json.encode(text))) for key, text in changed.items() if key in found)
    return object_of(found.items())


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
        for key in REQUESTS["tools/list"].drops:
            found.pop(key, None)
    return object_of(found.items())


class Relayed(msgspec.Struct, frozen=True, gc=False):
    """An error as the client gets it: `raw` is the error object, `code` its code."""

    code: int
    raw: bytes


def error(raw: bytes, *, version: str, row: Row = REQUESTS["tools/call"], uri: str = "") -> Relayed:
    """A server's error object, for a client that speaks `version`; `uri` is what was asked for, if a resource was.

    Codes about our own leg (headers, versions, capabilities) say nothing to the client and become -32603; the missing
    resource is -32002 in the older revisions and -32602 with its URI on the modern wire. Anything that is no error
    object becomes -32603 too.
    """
    try:
        found = read_error(raw)
    except Rejected:
        return _ours(INTERNAL_ERROR, "The service answered with something that is no error.")
    if found.code in RESERVED or found.code == URL_ELICITATION_REQUIRED:
        return _ours(INTERNAL_ERROR, "The service wants something of this hub that it does not do.")
    code = found.code
    if code == LEGACY_RESOURCE_NOT_FOUND and version == MODERN:
        code = INVALID_PARAMS
    elif code == INVALID_PARAMS and version != MODERN and row.not_found and b'"uri"' in bytes(found.data):
        code = LEGACY_RESOURCE_NOT_FOUND
    if code == found.code:
        return Relayed(code, raw)
    rewritten = members(raw)
    rewritten["code"] = msgspec.Raw(b"%d" % code)
    if row.not_found and "data" not in rewritten:
        rewritten["data"] = msgspec.Raw(object_of([("uri", msgspec.json.encode(uri))]))
    return Relayed(code, object_of(rewritten.items()))


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
