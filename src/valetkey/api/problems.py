"""Every error as `application/problem+json` (RFC 9457), with our `code`, the `field` at fault and a `hint`.

What was sent is never sent back: a message names the culprit, not its value, which may be a secret.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from valetkey.kernel.errors import (
    BadInput,
    Conflict,
    ConnectFailed,
    Forbidden,
    NotConnected,
    NotFound,
    NotRecorded,
    NotSignedIn,
    OutboundFailed,
    Refused,
    RootKeyUnavailable,
    TooMany,
    ValetkeyError,
    VaultFailed,
    printable,
)

MEDIA_TYPE = "application/problem+json"
_MOST_FIELDS = 20

_STATUS: tuple[tuple[type[ValetkeyError], int], ...] = (
    (BadInput, 400),
    (NotSignedIn, 401),
    (Forbidden, 403),
    (Refused, 403),
    (NotFound, 404),
    (Conflict, 409),
    (NotConnected, 409),
    (TooMany, 429),
    (ConnectFailed, 502),
    (OutboundFailed, 502),
    (NotRecorded, 503),
    (RootKeyUnavailable, 503),
    (VaultFailed, 500),
)


class WrongField(BaseModel):
    """One field that cannot be used."""

    field: str
    detail: str


class Problem(BaseModel):
    """What went wrong (RFC 9457). `code` is stable; `detail` and `hint` are sentences for people."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    field: str | None = Field(default=None, description="The part of the request that is at fault.")
    hint: str | None = Field(default=None, description="What to do about it.")
    rule: str | None = Field(default=None, description="The policy rule that refused a call.")
    page: str | None = Field(default=None, description="Where in the pages a person can change it.")
    errors: list[WrongField] | None = None


class ScopeMissing(Forbidden):
    """The token is good but was not made for this (RFC 6750 3.1)."""

    code = "insufficient_scope"

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"The token does not have the scope {scope}.", hint=f"Create one with `--scope {scope}` among its scopes."
        )
        self.scope = scope


class KeyReused(ValetkeyError):
    """An idempotency key came again, with another request."""

    code = "idempotency_key_reused"


def status_of(error: ValetkeyError) -> int:
    if error.code == "timeout":
        return 504
    if isinstance(error, KeyReused):
        return 422  # as the draft has it
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def answer_to(error: ValetkeyError) -> Response:
    """The answer that says `error`."""
    headers: dict[str, str] = {}
    extra: dict[str, str] = {}
    if isinstance(error, NotSignedIn):
        headers["www-authenticate"] = 'Bearer realm="valetkey"'
    if isinstance(error, ScopeMissing):
        headers["www-authenticate"] = f'Bearer realm="valetkey", error="insufficient_scope", scope="{error.scope}"'
    if isinstance(error, TooMany):
        headers["retry-after"] = str(math.ceil(error.retry_after))
    if isinstance(error, BadInput):
        extra["field"] = error.field
    if isinstance(error, Refused):
        extra |= {"rule": error.rule, "page": error.path}
    if isinstance(error, NotConnected):
        extra["page"] = error.path
    return _answer(status_of(error), error.code, error.message, hint=error.hint, headers=headers, extra=extra)


def answer_invalid_token() -> Response:
    """A bearer token was given, and is none of ours for this resource (RFC 6750 3.1)."""
    return _answer(
        401,
        "not_signed_in",
        "The token is not valid here.",
        hint="It may have expired, been revoked, or be for another resource than /api/v1.",
        headers={"www-authenticate": 'Bearer realm="valetkey", error="invalid_token"'},
    )


def answer_failure() -> Response:
    """Something failed that nobody foresaw. What it was stands in the log, not here."""
    return _answer(500, "internal", "Something went wrong in the hub.", hint="Its log says what.")


async def on_invalid_request(_request: Request, error: Exception) -> Response:
    """What FastAPI found wrong with path, query or body."""
    assert isinstance(error, RequestValidationError)
    wrong = [_wrong_field(found) for found in error.errors()[:_MOST_FIELDS]]
    first = wrong[0]
    return _answer(
        400, "bad_input", first.detail, extra={"field": first.field}, errors=[field.model_dump() for field in wrong]
    )


async def on_http_exception(request: Request, error: Exception) -> Response:
    """What the routing raises: no such path, no such method, a body that cannot be read."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _answer(404, "not_found", "There is nothing at this path.", hint="See /api/v1/openapi.json.")
    if error.status_code == 405:
        allowed = ", ".join(_methods_at(request))
        return _answer(405, "method_not_allowed", f"This path takes {allowed}.", headers={"allow": allowed})
    if error.status_code == 413:
        return _answer(413, "too_large", "The request body is too large.", extra={"field": "body"})
    if error.status_code == 400:
        return _answer(400, "bad_input", "The request body cannot be read.", extra={"field": "body"})
    return _answer(error.status_code, "failed", HTTPStatus(error.status_code).phrase + ".")


async def on_failure(_request: Request, _error: Exception) -> Response:
    return answer_failure()


def _wrong_field(found: Mapping[str, Any]) -> WrongField:
    kind = str(found.get("type"))
    if kind == "json_invalid":
        return WrongField(field="body", detail="The request body is not JSON.")
    where: Sequence[object] = found.get("loc", ())
    path: list[str] = []
    for step in where[1:]:
        path.append(printable(step, limit=60))
        if step == "values":  # below it, somebody may have put a secret where a name belongs
            break
    field = ".".join(path) or str(where[0] if where else "body")
    if kind == "extra_forbidden":
        return WrongField(field=field, detail=f"{field} is not known here.")
    if kind == "missing":
        return WrongField(field=field, detail=f"{field} is missing.")
    # The library's sentence says what was expected; unlike its `input`, it does not repeat what came.
    return WrongField(field=field, detail=f"{field}: {found.get('msg', 'cannot be used')}.")


def _methods_at(request: Request) -> list[str]:
    # Starlette's own Allow names only the first route that has the path; ours may be one route for each method.
    methods: set[str] = set()
    for route in request.app.routes:
        match, _scope = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return sorted(methods)


def _answer(
    status: int,
    code: str,
    detail: str,
    *,
    hint: str = "",
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    body |= {name: value for name, value in (("hint", hint), *(extra or {}).items()) if value}
    if len(errors) > 1:
        body["errors"] = list(errors)
    return JSONResponse(body, status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE)
