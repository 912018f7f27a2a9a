"""A tool's fingerprint: one hash over everything about it that a model or a schema can see.

Order of keys and white space between tokens do not matter; any other difference does, down to how a number is written
(`1` and `1.0` are different definitions). Members we do not know count too: they pass through to the client. Only
`icons` do not: they are for people's eyes, and their addresses are often signed anew with every listing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from valetkey.directory.model import Tool
from valetkey.kernel.errors import BadInput, printable

_NOT_SEEN_BY_MODELS = frozenset({"icons"})
_NAME_LIMIT = 255  # what a permission can hold
_URI_LIMIT = 2048


@dataclass(frozen=True, slots=True)
class _Number:
    """A number as it was written. Read as a float, two different large numbers could become the same."""

    text: str


def read_tool(raw: bytes) -> Tool:
    """The tool that `raw`, a JSON object as its server sent it, describes.

    Missing annotations mean the worst (PERM-03): not read-only, destructive. Raises `BadInput` naming the member.
    """
    definition = read_definition(raw)
    name = definition.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= _NAME_LIMIT:
        raise BadInput(f"A tool's name is not a text of 1 to {_NAME_LIMIT} characters.", field="name")
    annotations = definition.get("annotations")
    hints: Mapping[str, object] = annotations if isinstance(annotations, dict) else {}
    destructive_hint = hints.get("destructiveHint")
    # A server that says both "reads only" and "destroys" is not believed in the first (hints only raise, D6).
    says_read_only = hints.get("readOnlyHint") is True and destructive_hint is not True
    return Tool(
        name=name,
        title=_text(definition.get("title")) or _text(hints.get("title")),
        description=_text(definition.get("description")),
        raw=raw,
        fingerprint=_fingerprint(definition),
        says_read_only=says_read_only,
        says_destructive=not says_read_only and destructive_hint is not False,
    )


def read_listed(raw: bytes, member: str) -> Tool:
    """A prompt or a template as a definition, by the `member` that names it. Raises `BadInput`."""
    definition = read_definition(raw)
    name = definition.get(member)
    if not isinstance(name, str) or not 1 <= len(name) <= _URI_LIMIT:
        raise BadInput(f"The {member} is not a text of 1 to {_URI_LIMIT} characters.", field=member)
    return Tool(
        name=name,
        title=_text(definition.get("title")),
        description=_text(definition.get("description")),
        raw=raw,
        fingerprint=_fingerprint(definition),
        says_read_only=True,
        says_destructive=False,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def read_definition(raw: bytes) -> dict[str, Any]:
    """The members of a definition, with numbers as they were written. Raises `BadInput`."""
    try:
        value = json.loads(
            raw.decode(),
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_no_constant,
            object_pairs_hook=_no_duplicates,
        )
    except (ValueError, RecursionError) as error:
        raise BadInput("A tool's definition is not JSON.", field="tool") from error
    if not isinstance(value, dict):
        raise BadInput("A tool's definition is not a JSON object.", field="tool")
    return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two members of one name: which one a client sees depends on its parser, so neither can be pinned.
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"A tool's definition has the member {printable(twice, limit=60)} twice.", field="tool")
    return members


def _fingerprint(definition: Mapping[str, Any]) -> str:
    seen = {name: value for name, value in definition.items() if name not in _NOT_SEEN_BY_MODELS}
    try:
        return hashlib.sha256(written(seen).encode()).hexdigest()
    except RecursionError as error:
        raise BadInput("A tool's definition is nested too deeply.", field="tool") from error


def written(value: Any) -> str:
    """The value as JSON with sorted keys and no spaces. Injective: different values never share a text."""
    if isinstance(value, _Number):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{written(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)
