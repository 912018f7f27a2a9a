"""Reading what a directory sends: bounded, of texts that can be kept, in the standard's words where it has others."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

_BODY_LIMIT = 256 * 1024
_UNKEEPABLE = re.compile("[\0\ud800-\udfff]")
_ID = re.compile(r"[\w-]{1,80}")


async def read_body(request: Request) -> dict[str, Any]:
    """A JSON object. Raises `HTTPException` (400, 413)."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _BODY_LIMIT:
            raise HTTPException(413)
    try:
        value = json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise HTTPException(400) from error
    if not isinstance(value, dict) or not _can_be_kept(value):
        raise HTTPException(400)
    return value


def _can_be_kept(value: object) -> bool:
    """Without U+0000 and halves of surrogate pairs, which JSON can name: what has them no list could show anymore."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str) and _UNKEEPABLE.search(one):
            return False
        if isinstance(one, dict):
            left += [*one, *one.values()]
        elif isinstance(one, list):
            left += one
    return True


def as_standard_says(body: dict[str, Any]) -> dict[str, Any]:
    """`body`, with Entra ID's way to take members out of a group put as RFC 7644, 3.5.2.2 has it.

    It sends `{"op": "Remove", "path": "members", "value": [{"value": ID}]}`. To refuse that would leave somebody in a
    group, and in its role, whom the organization has taken out.
    """
    for name, operations in body.items():
        if name.lower() == "operations" and isinstance(operations, list):
            return {**body, name: [new for one in operations for new in _removals(one)]}
    return body


def _removals(operation: Any) -> list[Any]:
    if not isinstance(operation, dict) or str(operation.get("op")).lower() != "remove":
        return [operation]
    named, path = operation.get("value"), operation.get("path")
    ids = [one.get("value") for one in named if isinstance(one, dict)] if isinstance(named, list) else []
    if path != "members" or not ids or not all(isinstance(one, str) and _ID.fullmatch(one) for one in ids):
        return [operation]
    return [{"op": "remove", "path": f'members[value eq "{one}"]'} for one in ids]
