"""The `Mcp-*` request headers: their names, the codec for their values, and `Mcp-Param-*` (SEP-2243).

Modern requests mirror parts of their body into headers. The body is the source of truth; a header that says something
else is refused, so that nobody between us can be shown another request than the one that is served.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

VERSION: Final = b"mcp-protocol-version"
METHOD: Final = b"mcp-method"
NAME: Final = b"mcp-name"
SESSION: Final = b"mcp-session-id"
PARAM_PREFIX: Final = b"mcp-param-"

NAMED_BY: Final[Mapping[str, str]] = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Method → the member of `params` that `Mcp-Name` repeats."""

ANNOTATION: Final = b'"x-mcp-header"'
"""The schema keyword, as it stands in raw JSON: where it is not, nothing below needs to be done."""

_SENTINEL: Final = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)
_PLAIN: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?|")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SECRET: Final = re.compile(
    r"passw(or)?d|passphrase|passcode|secret|credential|bearer|jwt|(api|access|private|signing)key"
    r"|(access|auth|api|refresh|session|id)token|^token$",
)
"""In a parameter's name, in lower case and without what stands between its words."""
_BETWEEN: Final = re.compile(r"[^A-Za-z0-9]+")
_LONE: Final = re.compile("[\ud800-\udfff]")
"""Half a pair of surrogates: JSON can spell it, UTF-8 cannot. It is U+FFFD here, as wherever else we read one."""
_DECIMAL: Final = re.compile(r"(-?[0-9]{1,400})(?:\.0+)?")

# JSON Schema 2020-12 keywords whose values are schemas again, by the shape of the value. `properties` is apart: it
# alone keeps a property reachable. Data keywords (`default`, `enum`, …) and `$ref` are not here and not entered.
_ONE: Final = frozenset(
    (
        *("items", "contains", "additionalProperties", "unevaluatedItems", "unevaluatedProperties", "propertyNames"),
        *("not", "if", "then", "else", "contentSchema"),
    )
)
_MANY: Final = frozenset(["allOf", "anyOf", "oneOf", "prefixItems"])
_NAMED: Final = frozenset(["patternProperties", "dependentSchemas", "$defs", "definitions"])

Path = tuple[str, ...]


def encode_value(value: str) -> bytes:
    """`value` as a header value: printable ASCII without edge whitespace as it is, else `=?base64?…?=`."""
    if _PLAIN.fullmatch(value) and not _SENTINEL.fullmatch(value):
        return value.encode()
    return b"=?base64?%b?=" % base64.b64encode(value.encode())


def decode_value(value: bytes) -> str | None:
    """The text behind a header value, or `None` when no text is: a broken sentinel matches nothing."""
    text = value.decode("latin-1")
    if (match := _SENTINEL.fullmatch(text)) is None:
        return text
    try:
        decoded = base64.b64decode(match.group(1), validate=True)
        # `validate` tolerates stray trailing bits; two spellings of one value must not both pass.
        return decoded.decode() if base64.b64encode(decoded).decode() == match.group(1) else None
    except (binascii.Error, ValueError):
        return None


def declared_params(tool: bytes) -> Mapping[Path, tuple[str, str]] | None:
    """Which arguments of a tool (raw JSON) travel in headers too: property path → (header token, schema type).

    `None` when an annotation is invalid: clients over HTTP must drop such a tool, so we hide it. One on a parameter
    that is called like a secret counts as invalid: headers are what proxies write down (security.md, U17).
    """
    if ANNOTATION not in tool:
        return {}
    schema = msgspec.json.decode(tool).get("inputSchema")
    found: dict[Path, tuple[str, str]] = {}
    seen: set[str] = set()
    for path, node in _positions(schema):
        if "x-mcp-header" not in node:
            continue
        token, kind = node["x-mcp-header"], node.get("type")
        if not path or not isinstance(token, str) or not _TOKEN.fullmatch(token) or token.lower() in seen:
            return None
        if kind not in ("string", "integer", "boolean") or _is_called_a_secret(path[-1]) or _is_called_a_secret(token):
            return None
        seen.add(token.lower())
        found[path] = (token, kind)
    return found


def _is_called_a_secret(name: str) -> bool:
    return _SECRET.search(_BETWEEN.sub("", name).lower()) is not None


def _positions(root: object) -> Iterator[tuple[Path | None, dict[str, Any]]]:
    """Every schema in a schema, with its path of `properties` keys, or `None` off that path."""
    stack: list[tuple[Path | None, object]] = [((), root)]
    while stack:
        path, node = stack.pop()
        if not isinstance(node, dict):
            continue
        yield path, node
        for keyword, value in node.items():
            if keyword == "properties" and isinstance(value, dict):
                stack += [((*path, name) if path is not None else None, sub) for name, sub in value.items()]
            elif keyword in _ONE:
                stack.append((None, value))
            elif keyword in _MANY and isinstance(value, list):
                stack += [(None, sub) for sub in value]
            elif keyword in _NAMED and isinstance(value, dict):
                stack += [(None, sub) for sub in value.values()]


def param_headers(declared: Mapping[Path, tuple[str, str]], arguments: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """The `Mcp-Param-*` headers for a call with these arguments; an absent or null argument has none."""
    made = []
    for path, (token, _kind) in declared.items():
        text = _rendered(_at(arguments, path))
        if text is not None:
            made.append((PARAM_PREFIX + token.lower().encode(), encode_value(text)))
    return made


def mismatched_param(
    declared: Mapping[Path, tuple[str, str]], arguments: Mapping[str, Any], sent: Mapping[bytes, bytes]
) -> str:
    """What is wrong with the `Mcp-Param-*` headers `sent` (names in lower case), or nothing."""
    for path, (token, kind) in declared.items():
        header = sent.get(PARAM_PREFIX + token.lower().encode())
        value = _at(arguments, path)
        text = _rendered(value)
        if text is None:
            if header is not None:
                return f"Mcp-Param-{token} is present but the argument is not."
            continue
        if header is None:
            return f"Mcp-Param-{token} is missing but the argument is present."
        decoded = decode_value(header)
        if decoded != text and not (kind == "integer" and decoded is not None and _same_integer(decoded, value)):
            return f"Mcp-Param-{token} does not match the argument."
    return ""


def _at(arguments: Mapping[str, Any], path: Path) -> object:
    node: object = arguments
    for key in path:
        if not isinstance(node, dict):
            return None
        node = node.get(key)
    return node


def _rendered(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if value.isascii() else _LONE.sub("\ufffd", value)
    try:
        return str(value) if isinstance(value, (int, float)) else None
    except ValueError:  # an integer too long to print
        return None


def _same_integer(header: str, value: object) -> bool:
    """`42` matches `42.0`: integers compare numerically, and exactly."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        return False
    match = _DECIMAL.fullmatch(header)
    return match is not None and int(match.group(1)) == int(value)
