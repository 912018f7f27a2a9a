"""What a form sent: read once, bounded, each field asked for by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from valetkey.kernel.errors import BadInput
from valetkey.kernel.secret import Secret

_MOST_BYTES = 64 * 1024
_MOST_FIELDS = 3000  # a service may advertise a thousand scopes or tools, each a checkbox


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a request. One that was not sent reads as empty; one sent twice where one is meant is refused."""

    _fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def one(self, name: str, *, limit: int = 2000) -> str:
        """The field without surrounding white space, at most `limit` characters."""
        return self.verbatim(name, limit=limit).strip()

    def verbatim(self, name: str, *, limit: int = 2000) -> str:
        values = self._fields.get(name, ())
        if len(values) > 1:
            raise BadInput(f"The field {name} was sent more than once.", field=name)
        value = values[0] if values else ""
        if len(value) > limit:
            raise BadInput(f"This is longer than {limit} characters.", field=name)
        return value

    def many(self, name: str) -> tuple[str, ...]:
        return self._fields.get(name, ())

    def secret(self, name: str, *, limit: int = 8192) -> Secret:
        """The field exactly as typed, as a secret: nothing may be trimmed off a password or a key."""
        return Secret(self.verbatim(name, limit=limit))

    def __contains__(self, name: str) -> bool:
        return name in self._fields


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise BadInput("The form is larger than 64 KiB.", field="body")
    return bytes(body)


async def read_form(request: Request) -> Form:
    """The urlencoded form of `request`. Raises `BadInput` when it is anything else, or too large."""
    body = await _body(request)
    if not body:
        return Form()
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise BadInput("The form must be sent as application/x-www-form-urlencoded.", field="content-type")
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=_MOST_FIELDS
        )
    except (UnicodeDecodeError, ValueError) as error:
        raise BadInput("The form is not valid.", field="body") from error
    fields: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        fields[name] = (*fields.get(name, ()), value)
    return Form(fields)


async def read_json(request: Request) -> Mapping[str, Any]:
    """The JSON object that a script of ours sent. Raises `BadInput`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise BadInput("Send application/json.", field="content-type")
    try:
        value = json.loads(await _body(request))
    except (ValueError, RecursionError) as error:
        raise BadInput("This is not valid JSON.", field="body") from error
    if not isinstance(value, dict):
        raise BadInput("Send a JSON object.", field="body")
    return value
