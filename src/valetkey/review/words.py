"""The words of a tool: its name taken apart, its parameters, and which words mean reading, writing or destroying."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from valetkey.review.model import SeenTool
from valetkey.review.texts import word_set

_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_MAX_PARAMETERS: Final = 500

READS: Final = word_set(
    "get list search find read fetch show view lookup query describe count check query browse inspect "
    "preview download export summarize compare explain resolve validate calculate compute convert "
    "estimate whoami status"
)
WRITES: Final = word_set(
    "create add insert update edit modify set write put patch post upload save rename move copy send "
    "reply forward publish share invite assign comment merge approve reject book order schedule enable "
    "disable start stop restart execute run deploy install submit import sync grant subscribe react star "
    "follow"
)
DESTROYS: Final = word_set(
    "delete remove destroy drop purge erase wipe truncate revoke cancel terminate kill uninstall reset "
    "clear trash unshare unpublish archive overwrite"
)
PAYS: Final = word_set("pay transfer withdraw deposit purchase buy sell trade swap refund charge payout wire")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter at any depth of a tool's input: its own name, its path, and what its schema says."""

    name: str
    path: str
    schema: Mapping[str, Any]

    @property
    def description(self) -> str:
        found = self.schema.get("description")
        return found if isinstance(found, str) else ""

    @property
    def is_text(self) -> bool:
        """Any text may be given: neither a choice, nor of a format."""
        free = not {"enum", "const", "format", "pattern"} & self.schema.keys()
        return self.schema.get("type") == "string" and free


def words_of(name: str) -> tuple[str, ...]:
    """`deleteUser_v2` → delete, user, v, 2."""
    return tuple(part.lower() for part in _PARTS.findall(name))


def verb_of(name: str) -> str:
    """The first word of a tool's name that is a verb we know; the rest says what it is done to."""
    known = READS | WRITES | DESTROYS | PAYS
    return next((word for word in words_of(name) if word in known), "")


def parameters(tool: SeenTool) -> tuple[Parameter, ...]:
    """All parameters of a tool, the inner ones too, up to a bound."""
    found: list[Parameter] = []
    for parameter in _below(tool.schema, "", 0):
        found.append(parameter)
        if len(found) == _MAX_PARAMETERS:
            break
    return tuple(found)


def _below(schema: Mapping[str, Any], path: str, depth: int) -> Iterator[Parameter]:
    if depth > 8:
        return
    properties = schema.get("properties")
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        if isinstance(inner, dict):
            inside = f"{path}.{name}" if path else name
            yield Parameter(name, inside, inner)
            yield from _below(inner, inside, depth + 1)
    items = schema.get("items")
    if isinstance(items, dict):
        yield from _below(items, f"{path}[]", depth + 1)
    for kind in ("anyOf", "oneOf", "allOf"):
        choices = schema.get(kind)
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                yield from _below(choice, path, depth + 1)
