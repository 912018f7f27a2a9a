"""Arguments for a tool, made from its schema: some that should work, and some that should not.

Nothing is random: the same schema gives the same arguments, so that two visits see the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from valetkey.review.model import Kind, SeenTool
from valetkey.review.words import words_of

_QUOTED: Final = re.compile(
    r"(?:e\.g\.|i\.e\.|for example|for instance|such as|like|default(?:s to)?)[:,]? ?[\"'`“]([^\"'`”]{1,100})"
)
_FORMATS: Final = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T12:00:00Z",
    "time": "12:00:00Z",
    "email": "nobody@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_BY_NAME: Final = {
    "url": "https://example.com/", "uri": "https://example.com/", "email": "nobody@example.com", "date": "2026-01-15",
    "time": "12:00", "timezone": "Europe/Berlin", "language": "en", "country": "DE", "city": "Berlin",
}  # fmt: skip
_OVERSIZE: Final = 100_000
_UNKNOWN_ID: Final = "valetkey-review-does-not-exist"
_DEPTH: Final = 6


def valid(tool: SeenTool) -> dict[str, Any]:
    """Required parameters only, each with the likeliest value: a default, an example, one its description names."""
    return _object(tool.schema, 0)


def are_its_own(tool: SeenTool) -> bool:
    """Whether each value of `valid` is its publisher's own word (a default, a choice, an example), if any is needed."""
    properties = _properties(tool.schema)
    return all(_is_given(properties.get(name, {})) for name in _required(tool.schema))


def _is_given(schema: Mapping[str, Any]) -> bool:
    description = schema.get("description")
    said = isinstance(description, str) and _QUOTED.search(description) is not None
    return said or any(schema.get(word) for word in ("enum", "examples")) or bool({"const", "default"} & schema.keys())


def invalid(tool: SeenTool) -> Iterator[tuple[Kind, dict[str, Any]]]:
    """One call for each way of being wrong that the schema offers."""
    good = valid(tool)
    properties = _properties(tool.schema)
    required = [name for name in _required(tool.schema) if name in properties]
    if required:
        yield "missing", {name: value for name, value in good.items() if name != required[0]}
        wrong: Any = {"not": "this"} if _type(properties[required[0]]) != "object" else "not this"
        yield "wrong type", {**good, required[0]: wrong}
    texts = [name for name in required if _type(properties[name]) == "string" and "enum" not in properties[name]]
    if identifiers := [name for name in texts if {"id", "key", "ref", "uuid"} & set(words_of(name))]:
        yield "unknown id", {**good, identifiers[0]: _UNKNOWN_ID}
    if texts:
        yield "oversize", {**good, texts[0]: "x" * _OVERSIZE}
        yield "empty", {**good, texts[0]: ""}


def _object(schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
    properties = _properties(schema)
    return {name: _value(name, properties.get(name, {}), depth + 1) for name in _required(schema)}


def _value(name: str, schema: Mapping[str, Any], depth: int) -> Any:
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    for several in ("enum", "examples"):
        choices = schema.get(several)
        if isinstance(choices, list) and choices:
            return choices[0]
    for kind in ("anyOf", "oneOf"):
        choices = schema.get(kind)
        if isinstance(choices, list) and choices and isinstance(choices[0], dict) and depth < _DEPTH:
            return _value(name, choices[0], depth + 1)
    match _type(schema):
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return False
        case "array":
            items = schema.get("items")
            needed = schema.get("minItems", 0)
            inner = items if isinstance(items, dict) else {}
            return [_value(name, inner, depth + 1)] if needed and depth < _DEPTH else []
        case "object":
            return _object(schema, depth) if depth < _DEPTH else {}
        case "null":
            return None
        case _:
            return _text(name, schema)


def _text(name: str, schema: Mapping[str, Any]) -> str:
    description = schema.get("description")
    if isinstance(description, str) and (quoted := _QUOTED.search(description)):
        return quoted[1]
    if (made := _FORMATS.get(str(schema.get("format", "")))) is not None:
        return made
    named = next((_BY_NAME[word] for word in words_of(name) if word in _BY_NAME), "test")
    least = schema.get("minLength", 0)
    return named.ljust(min(least, 1000), "x") if isinstance(least, int) else named


def _number(schema: Mapping[str, Any]) -> Any:
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(least, int | float) and not isinstance(least, bool):
        return least
    return min(1, most) if isinstance(most, int | float) and not isinstance(most, bool) else 1


def _type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    return kind if isinstance(kind, str) else "string"


def _properties(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = schema.get("properties")
    return {name: inner for name, inner in found.items() if isinstance(inner, dict)} if isinstance(found, dict) else {}


def _required(schema: Mapping[str, Any]) -> list[str]:
    found = schema.get("required")
    return [name for name in found if isinstance(name, str)][:50] if isinstance(found, list) else []
