"""The resources a token can be for: paths of this hub, known by their shape alone.

Whether a connector of that name exists plays no part: an answer must not tell a stranger (design.md 2).
"""

from __future__ import annotations

import re

MCP = "/mcp"
API = "/api/v1"

_ONE_CONNECTOR = re.compile(r"/c/([a-z0-9-]{1,24})(?:/([a-z0-9]{1,12}))?/mcp")

_PROFILE = re.compile(r"/p/([a-z0-9-]{1,24})/mcp")


def is_mcp_resource(path: str) -> bool:
    """Whether `path` is `/mcp`, `/c/<connector>/mcp`, `/c/<connector>/<label>/mcp` or `/p/<profile>/mcp`."""
    if path == MCP or _PROFILE.fullmatch(path):
        return True
    found = _ONE_CONNECTOR.fullmatch(path)
    return found is not None and found[2] != "mcp"


def connector_of(path: str) -> tuple[str, str | None]:
    """Connector and account label that the resource `path` names; `("", None)` for one that names several."""
    found = _ONE_CONNECTOR.fullmatch(path)
    return (found[1], found[2]) if found else ("", None)


def profile_of(path: str) -> str:
    """The profile that the resource `path` names; empty for one that names none."""
    found = _PROFILE.fullmatch(path)
    return found[1] if found else ""
