"""The interactive pages of a connector (MCP Apps, SEP-1865): which there are, and what one says of itself."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from valetkey.protocol.apps import SCHEME

MIME: Final = "text/html;profile=mcp-app"
MOST: Final = 20
"""Pages that are read; of more than that a reviewer is told."""
PATIENCE: Final = 20.0
"""Seconds for all of them: who answers for pages too slowly is not spared the look at its tools."""
_MOST_HTML: Final = 500_000

Thing = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPage:
    """One page as it was read, or `problem`, why it was not. `ui` is the `_meta.ui` that hosts go by."""

    uri: str
    mime: str = ""
    html: str = field(default="", repr=False)
    ui: Thing = field(default_factory=dict)
    problem: str = ""
    is_cut: bool = False
    """It is longer than what is kept of it."""
    left_out: bool = False
    """It was not looked at: there are more than `MOST`, or they came too slowly."""


def ui_of(thing: object) -> Thing:
    """`_meta.ui` of a tool, a resource or contents; empty where there is none."""
    meta = thing.get("_meta") if isinstance(thing, dict) else None
    found = meta.get("ui") if isinstance(meta, dict) else None
    return found if isinstance(found, dict) else {}


def pages_named(tools: Iterable[Thing], resources: Iterable[Thing]) -> Mapping[str, Thing]:
    """The URIs of all pages, each with what its list says of it. Tools name them; lists may leave them out."""
    found: dict[str, Thing] = {}
    for tool in tools:
        meta = tool.get("_meta")
        older = meta.get("ui/resourceUri") if isinstance(meta, dict) else None
        for uri in (ui_of(tool).get("resourceUri"), older):
            if isinstance(uri, str) and uri:
                found.setdefault(uri, {})
    for resource in resources:
        uri = resource.get("uri")
        if isinstance(uri, str) and (uri.startswith(SCHEME) or uri in found):
            found[uri] = ui_of(resource)
    return found


def read_page(uri: str, listed: Thing, result: Thing) -> AppPage:
    """A page from the answer to `resources/read`; what stands at its contents goes before what stands in lists."""
    contents = result.get("contents")
    parts = [part for part in contents if isinstance(part, dict)] if isinstance(contents, list) else []
    part = next((one for one in parts if one.get("uri") == uri), parts[0] if parts else None)
    if part is None:
        return AppPage(uri=uri, problem="There is nothing in it.")
    mime, html = part.get("mimeType"), _html(part)
    return AppPage(
        uri=uri,
        mime=mime if isinstance(mime, str) else "",
        html=html[:_MOST_HTML],
        ui=ui_of(part) or listed,
        is_cut=len(html) > _MOST_HTML,
    )


def _html(part: Thing) -> str:
    text, blob = part.get("text"), part.get("blob")
    if isinstance(text, str):
        return text
    try:
        return base64.b64decode(blob, validate=True).decode(errors="replace") if isinstance(blob, str) else ""
    except (binascii.Error, ValueError):
        return ""
