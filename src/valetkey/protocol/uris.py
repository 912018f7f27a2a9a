"""Where resources' URIs stand in results, and putting others in their place; everything beside them stays as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from valetkey.protocol.errors import Rejected
from valetkey.protocol.jsonrpc import members
from valetkey.protocol.messages import object_of

Change = Callable[[str], str]
"""The URI that stands for another one."""

_Members = dict[str, msgspec.Raw]


def in_result(method: str, raw: bytes, change: Change) -> bytes:
    """A result with its URIs changed: in contents, resource links and embedded resources."""
    if not _has_any(raw):
        return raw
    match method:
        case "tools/call":
            return _at(raw, "content", lambda each: in_block(each, change))
        case "prompts/get":
            return _at(raw, "messages", lambda each: _inside(each, "content", lambda block: in_block(block, change)))
        case "resources/read":
            return _at(raw, "contents", lambda each: in_item(each, "uri", change))
    return raw


def in_block(raw: bytes, change: Change) -> bytes:
    """A content block, if it is a resource link or an embedded resource."""
    kind = _text(_members(raw).get("type"))
    if kind == "resource_link":
        return in_item(raw, "uri", change)
    if kind == "resource":
        return _inside(raw, "resource", lambda resource: in_item(resource, "uri", change))
    return raw


def in_item(raw: bytes, member: str, change: Change) -> bytes:
    """An object whose `member` is a URI: an item of a list, contents, `data` of an error."""
    found = _members(raw)
    uri = _text(found.get(member))
    if uri is None:
        return raw
    found[member] = msgspec.Raw(msgspec.json.encode(change(uri)))
    return object_of(found.items())


def in_tool(raw: bytes, change: Change) -> bytes:
    """A tool whose `_meta` names the resource of its user interface (MCP Apps, SEP-1865), in either spelling."""
    if b"resourceUri" not in raw and b"\\u" not in raw:
        return raw

    def in_meta(meta: bytes) -> bytes:
        flat = in_item(meta, "ui/resourceUri", change)
        return _inside(flat, "ui", lambda ui: in_item(ui, "resourceUri", change))

    return _inside(raw, "_meta", in_meta)


def in_error(raw: bytes, change: Change) -> bytes:
    """An error object whose `data` names a resource."""
    return _inside(raw, "data", lambda data: in_item(data, "uri", change)) if _has_any(raw) else raw


def _has_any(raw: bytes) -> bool:
    """Whether there can be a URI in it: a key may be spelled with escapes."""
    return b'"uri"' in raw or b"\\u" in raw


def _inside(raw: bytes, member: str, change: Callable[[bytes], bytes]) -> bytes:
    found = _members(raw)
    if member not in found:
        return raw
    found[member] = msgspec.Raw(change(bytes(found[member])))
    return object_of(found.items())


def _at(raw: bytes, member: str, change: Callable[[bytes], bytes]) -> bytes:
    def each(listed: bytes) -> bytes:
        try:
            return b"[%b]" % b",".join(change(bytes(one)) for one in _decode_list(listed))
        except msgspec.MsgspecError:
            return listed

    return _inside(raw, member, each)


def _members(raw: bytes) -> _Members:
    try:
        return members(raw)
    except Rejected:
        return dict(_NONE)


_NONE: Final[Mapping[str, msgspec.Raw]] = {}
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


def _text(raw: msgspec.Raw | None) -> str | None:
    try:
        return _decode_text(raw) if raw is not None else None
    except msgspec.MsgspecError:
        return None
