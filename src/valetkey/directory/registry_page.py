"""What a registry of MCP servers says, one page at a time, as values (the official registry's OpenAPI, 2025-10-17).

A registry is a stranger: everything in it is somebody's word about their own server. What cannot be shown or gone to
safely is left out, one entry at a time; a page that cannot be read as one is an error. No trust comes with any of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from valetkey.directory.custom import read_name
from valetkey.directory.listings import ParseUrl
from valetkey.kernel.errors import BadInput, OutboundFailed, printable

MOST_ON_A_PAGE: Final = 100

_NAME = re.compile(r"[a-zA-Z0-9.-]{1,100}/[a-zA-Z0-9._-]{1,99}")
_OFFICIAL: Final = "io.modelcontextprotocol.registry/official"
_CURSOR_LIMIT = 1000
_TRANSPORTS = ("streamable-http", "sse")


class BadRegistry(OutboundFailed):
    """What answered is no registry, or not one that can be read."""

    code = "bad_registry"


@dataclass(frozen=True, slots=True)
class Server:
    """One server with an address to connect to. All of it is what its publisher told the registry."""

    name: str
    title: str
    description: str
    version: str
    url: str
    website: str


@dataclass(frozen=True, slots=True)
class Page:
    """`gone` are names whose servers were deleted, or have no address any more. `cursor` is empty on the last page."""

    servers: tuple[Server, ...]
    gone: tuple[str, ...]
    left_out: int
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Reading a registry once: how far it came, and what came of it. `since` is empty when all of it was read."""

    registry: str
    id: str
    began_at: datetime
    finished_at: datetime | None = None
    since: datetime | None = None
    pages: int = 0
    servers: int = 0
    gone: int = 0
    left_out: int = 0
    error: str = ""
    synced_at: datetime | None = None


def read_page(body: bytes, *, parse_url: ParseUrl) -> Page:
    """One answer of `GET /v0.1/servers`. Raises `BadRegistry`."""
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
        items = document["servers"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError) as error:
        raise BadRegistry("What the registry answered is no list of servers.") from error
    if not isinstance(items, list) or len(items) > MOST_ON_A_PAGE:
        raise BadRegistry(f"The registry gave no list, or more than the {MOST_ON_A_PAGE} servers that were asked for.")
    servers: list[Server] = []
    gone: list[str] = []
    left_out = 0
    for item in items:
        name, told, status = _item(item)
        if not name:
            left_out += 1
        elif status == "deleted":
            gone.append(name)
        elif (server := _server(name, told, parse_url)) is not None:
            servers.append(server)
        else:
            gone.append(name)  # it may have had an address before
    return Page(tuple(servers), tuple(gone), left_out, _cursor(document.get("metadata")))


def _item(item: object) -> tuple[str, Mapping[str, Any], str]:
    """Name, what is told and status of one entry; no name for what is none, or is not the latest version of one."""
    told = item.get("server") if isinstance(item, dict) else None
    meta = item.get("_meta") if isinstance(item, dict) else None
    if not isinstance(told, dict):
        return "", {}, ""
    official = meta.get(_OFFICIAL) if isinstance(meta, dict) else None
    said: Mapping[str, Any] = official if isinstance(official, dict) else {}
    name = told.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or said.get("isLatest") is False:
        return "", {}, ""
    return name, told, str(said.get("status", "active"))


def _server(name: str, told: Mapping[str, Any], parse_url: ParseUrl) -> Server | None:
    remotes = told.get("remotes")
    for remote in remotes if isinstance(remotes, list) else ():
        if isinstance(remote, dict) and remote.get("type") in _TRANSPORTS:
            url = _address(remote.get("url"), parse_url)
            if url:
                return Server(
                    name=name,
                    title=_title(told.get("title"), name),
                    description=printable(told.get("description") or "", limit=200),
                    version=printable(told.get("version") or "", limit=60),
                    url=url,
                    website=_address(told.get("websiteUrl"), parse_url),
                )
    return None


def _address(url: object, parse_url: ParseUrl) -> str:
    """An https address as given, or nothing: one with places to fill in is none."""
    if not isinstance(url, str) or not url.startswith("https://") or "{" in url or len(url) > 2048:
        return ""
    try:
        return parse_url(url).text
    except BadInput:
        return ""


def _title(title: object, name: str) -> str:
    """What it calls itself, if that can be shown; its name in the registry else."""
    try:
        return read_name(title)
    except BadInput:
        return name[:100]


def _cursor(metadata: object) -> str:
    cursor = metadata.get("nextCursor") if isinstance(metadata, dict) else ""
    if cursor in (None, ""):
        return ""
    if not isinstance(cursor, str) or len(cursor) > _CURSOR_LIMIT:
        raise BadRegistry("The registry's place to go on from is none.")
    return cursor
