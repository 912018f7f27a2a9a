"""What a form sent: read once, bounded, each field asked for by name."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from valetkey.kernel.errors import BadInput
from valetkey.kernel.secret import Secret

_MOST_BYTES = 64 * 1024
_MOST_PARTS = 20
_MOST_FIELDS = 3000  # a service may advertise a thousand scopes or tools, each a checkbox


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a request. One that was not sent reads as empty; one sent twice where one is meant is refused."""

    _fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    file: bytes = field(default=b"", repr=False)
    """What was chosen to be sent with it, whatever it is; its name and type are whatever somebody says, and dropped."""

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

    def names(self, prefix: str) -> tuple[str, ...]:
        """The fields whose names begin so."""
        return tuple(name for name in self._fields if name.startswith(prefix))

    def secret(self, name: str, *, limit: int = 8192) -> Secret:
        """The field exactly as typed, as a secret: nothing may be trimmed off a password or a key."""
        return Secret(self.verbatim(name, limit=limit))

    def __contains__(self, name: str) -> bool:
        return name in self._fields


async def _body(request: Request, most: int = _MOST_BYTES) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise BadInput(f"The form is larger than {most // 1024} KiB.", field="body")
    return bytes(body)


async def read_form(request: Request, *, most_of_file: int = 0) -> Form:
    """The form of `request`: urlencoded, or of several parts where a file of so many bytes may come with it.

    Raises `BadInput` when it is anything else, or too large.
    """
    body = await _body(request, _MOST_BYTES + most_of_file)
    if not body:
        return Form()
    if most_of_file and request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await _with_file(request, body)
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


async def _with_file(request: Request, body: bytes) -> Form:
    """A form of several parts (RFC 7578), held in memory as a whole: nothing of it is written to a disk."""

    async def whole() -> AsyncGenerator[bytes]:
        yield body

    try:
        parser = _InMemory(request.headers, whole(), max_files=1, max_fields=_MOST_PARTS, max_part_size=_MOST_BYTES)
        whole_form = await parser.parse()
        try:
            parts = whole_form.multi_items()
            files = [part for _, part in parts if isinstance(part, UploadFile)]
            file = await files[0].read() if files else b""
        finally:
            await whole_form.close()
    except (MultiPartException, KeyError, ValueError) as error:
        raise BadInput("The form is not valid.", field="body") from error
    fields: dict[str, tuple[str, ...]] = {}
    for name, value in parts:
        if isinstance(value, str):
            fields[name] = (*fields.get(name, ()), value)
    return Form(fields, file)


class _InMemory(MultiPartParser):
    spool_max_size = sys.maxsize


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
