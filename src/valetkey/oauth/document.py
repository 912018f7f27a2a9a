"""Reading a JSON object from outside: bounded by its caller in size, and here in everything else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from valetkey.kernel.errors import BadInput, printable
from valetkey.net.model import Url
from valetkey.oauth.model import BadMetadata, ParseUrl

_MOST_ITEMS = 1000
_LONGEST_TEXT = 4096
# RFC 6749 3.3: what a scope may consist of.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,512}")


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object that `body` is. Raises `BadMetadata` for anything else, duplicate names included."""
    try:
        value = json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadMetadata("The answer is not valid JSON.") from error
    if not isinstance(value, dict):
        raise BadMetadata("The answer is not a JSON object.")
    return value


def text_of(document: Mapping[str, Any], name: str) -> str:
    """The string under `name`, empty when there is none. Raises `BadMetadata` for another type."""
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise BadMetadata(f"“{name}” is not a text of at most {_LONGEST_TEXT} characters.", field=name)
    return value


def texts_of(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The strings under `name`, none when it is absent. Raises `BadMetadata` for another type."""
    value = document.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _MOST_ITEMS or not all(isinstance(item, str) for item in value):
        raise BadMetadata(f"“{name}” is not a list of at most {_MOST_ITEMS} texts.", field=name)
    return tuple(value)


def flag_of(document: Mapping[str, Any], name: str) -> bool:
    """The boolean under `name`, false when it is absent. Raises `BadMetadata` for another type."""
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise BadMetadata(f"“{name}” is neither true nor false.", field=name)
    return value


def scopes_of(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The scopes under `name` in their order, each once; an entry holding several is taken apart."""
    return split_scope(" ".join(texts_of(document, name)))


def split_scope(text: str) -> tuple[str, ...]:
    """The scopes in a space-separated list, in order, each once; what cannot be a scope (RFC 6749 3.3) is left out."""
    return tuple(dict.fromkeys(scope for scope in text.split()[:_MOST_ITEMS] if _SCOPE.fullmatch(scope)))


def endpoint_of(document: Mapping[str, Any], name: str, *, parse: ParseUrl, allow_http: bool) -> Url | None:
    """The endpoint under `name`, parsed strictly: https, or http where allowed. Raises `BadMetadata`."""
    text = text_of(document, name)
    return checked_url(text, what=name, parse=parse, allow_http=allow_http) if text else None


def checked_url(text: str, *, what: str, parse: ParseUrl, allow_http: bool) -> Url:
    """`text` as a URL we may use: never `javascript:`, `data:`, `file:` nor, unless allowed, plain http."""
    try:
        url = parse(text)
    except BadInput as error:
        raise BadMetadata(f"“{what}” cannot be used: {error.message}", field=what) from error
    if url.scheme != "https" and not allow_http:
        raise BadMetadata(f"“{what}” is not https ({printable(url.origin)}).", field=what)
    return url


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two readers may take different ones of two members with the same name.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate name")
    return found


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("not JSON")
