"""What somebody looked at when they said something: a tool in one definition, or a whole list of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from valetkey.directory.model import Snapshot, Tool
from valetkey.kernel.errors import Conflict, NotFound


def exactly(snapshot: Snapshot, name: str, fingerprint: str) -> Tool:
    """The tool, in the definition that was looked at. Raises `NotFound`; `Conflict` when it is another by now."""
    tool = snapshot.tool(name)
    if tool is None and snapshot.held_tool(name) is not None:
        raise Conflict("A tool is not what was accepted.", hint="Look at what changed, and accept it, first.")
    if tool is None:
        raise NotFound("There is no such tool on this connection.")
    if tool.fingerprint != fingerprint:
        raise Conflict("A tool is not what it was when you looked at it.", hint="List the tools again.")
    return tool


def seen_of(tools: Iterable[Tool]) -> str:
    """A hash over exactly these definitions: what somebody looked at who says something about all of them."""
    listed = "\n".join(sorted(f"{one.name}\0{one.fingerprint}" for one in tools))
    return hashlib.sha256(listed.encode()).hexdigest()
