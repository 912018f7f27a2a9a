"""Interactive pages of services (MCP Apps, SEP-1865, and what came before it): where they stand, and leaving them out.

A tool names its page in `_meta`; a result may bring one as an embedded resource, or link to it. What a model reads, the
texts and `structuredContent`, stays as it was.
"""

from __future__ import annotations

from typing import Final

import msgspec

from valetkey.protocol.errors import Rejected
from valetkey.protocol.jsonrpc import members
from valetkey.protocol.messages import object_of

SCHEME: Final = "ui://"
INSTEAD: Final = "The service answered with an interactive page, which is switched off here."
_KINDS: Final = ("text/html", "application/vnd.mcp-ui.", "text/uri-list")
"""What a page's resource is of: MCP Apps have HTML, mcp-ui also an address and a script."""
_FLAT: Final = ("ui/", "openai/outputTemplate", "openai/widget")
"""Keys of `_meta` that name a page or say how it is shown, in the spellings of before SEP-1865."""
_KEPT: Final = ("visibility",)
"""Of `_meta.ui`: whom the tool is for is said of the tool, not of its page."""

_Members = dict[str, msgspec.Raw]


def is_page(uri: str) -> bool:
    """Whether a resource is a page that a host shows."""
    return uri.lower().startswith(SCHEME)


def page_of(tool: bytes) -> str:
    """The URI of a tool's page, empty if it has none."""
    meta = _members(_members(tool).get("_meta"))
    for value in (
        _members(meta.get("ui")).get("resourceUri"),
        meta.get("ui/resourceUri"),
        meta.get("openai/outputTemplate"),
    ):
        if found := _text(value):
            return found
    return ""


def without_page(raw: bytes) -> bytes:
    """A tool, or a result, whose `_meta` names no page."""
    found = _members(raw)
    if "_meta" not in found:
        return raw
    meta = {key: value for key, value in _members(found["_meta"]).items() if not key.startswith(_FLAT)}
    if "ui" in meta:
        kept = {key: value for key, value in _members(meta.pop("ui")).items() if key in _KEPT}
        if kept:
            meta["ui"] = msgspec.Raw(object_of(kept.items()))
    found["_meta"] = msgspec.Raw(object_of(meta.items()))
    return object_of(found.items())


def text_result(raw: bytes) -> bytes:
    """The result of a tool without pages, and with a sentence where nothing else would be left."""
    found = _members(without_page(raw))
    try:
        blocks = _decode_list(found.get("content", msgspec.Raw(b"[]")))
    except msgspec.MsgspecError:
        return raw  # whatever it is, it is no list of contents
    left = [bytes(one) for one in blocks if not _brings_page(bytes(one))]
    if len(left) < len(blocks) and not left:
        left = [b'{"type":"text","text":%b}' % msgspec.json.encode(INSTEAD)]
    if "content" in found:
        found["content"] = msgspec.Raw(b"[%b]" % b",".join(left))
    return object_of(found.items())


def text_task(raw: bytes) -> bytes:
    """What is said of a task, and the result that it came to, likewise."""
    found = _members(raw)
    if "result" not in found:
        return text_result(raw)
    found["result"] = msgspec.Raw(text_result(bytes(found["result"])))
    return text_result(object_of(found.items()))


def _brings_page(block: bytes) -> bool:
    found = _members(block)
    kind = _text(found.get("type"))
    if kind not in ("resource", "resource_link"):
        return False
    resource = _members(found.get("resource")) if kind == "resource" else found
    return is_page(_text(resource.get("uri"))) or _text(resource.get("mimeType")).lower().startswith(_KINDS)


def _members(raw: bytes | msgspec.Raw | None) -> _Members:
    try:
        return members(bytes(raw)) if raw is not None else {}
    except Rejected:
        return {}


def _text(raw: msgspec.Raw | None) -> str:
    try:
        return _decode_text(raw) if raw is not None else ""
    except msgspec.MsgspecError:
        return ""


_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
