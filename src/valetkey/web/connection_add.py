"""Adding a custom connector by its URL. Nothing is connected yet; that is the next page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from valetkey.kernel.errors import BadInput, Conflict, OutboundFailed, TooMany
from valetkey.web.visit import Visit

_FIELDS = {"auth.headers": "headers", "auth.client_id": "client_id", "auth_kind": "sign_in", "auth": "sign_in"}
_EMPTY = {"url": "", "name": "", "sign_in": "detect", "headers": "", "client_id": ""}


async def show(visit: Visit) -> Response:
    # An install link may fill the form in; it adds nothing by itself (CUS-07).
    given = {name: visit.query(name, limit=2048) for name in ("url", "name")}
    return _page(visit, {}, {**_EMPTY, **given})


async def submit(visit: Visit) -> Response:
    values = {name: visit.form.one(name, limit=4096) for name in _EMPTY}
    try:
        kind = values["sign_in"]
        if kind == "detect":  # asks the service without any credential
            kind = await visit.services.connecting.detect(values["url"])
        connector = await visit.services.connectors.add_custom(
            visit.person,
            name=values["name"] or urlsplit(values["url"]).hostname or "",
            url=values["url"],
            auth_kind=kind,
            auth=_facts(kind, values),
        )
    except BadInput as error:
        field = _FIELDS.get(error.field, error.field)
        shown = field if field in _EMPTY else ""
        return _page(visit, {shown: f"{error.message} {error.hint}".strip()}, values)
    except (Conflict, TooMany, OutboundFailed) as error:
        return _page(visit, {"": error.message, "hint": error.hint}, values)
    detected = "?detected=yes" if values["sign_in"] == "detect" else ""
    return visit.go(f"/connections/new/{connector.slug}{detected}")


def _facts(kind: str, values: Mapping[str, str]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    names = [name.strip() for name in values["headers"].split(",") if name.strip()]
    if kind == "header":
        facts["headers"] = names or ["Authorization"]
    elif kind == "oauth" and names:
        facts["headers"] = names
    if kind == "oauth" and values["client_id"]:
        facts["client_id"] = values["client_id"]
    return facts


def _page(visit: Visit, errors: Mapping[str, str], values: Mapping[str, str]) -> Response:
    advanced = any(values[name] for name in ("headers", "client_id")) or not errors.keys().isdisjoint(
        {"headers", "client_id", "client_secret"}
    )
    return visit.page(
        "connection_add.html", status=422 if errors else 200, errors=errors, values=values, advanced=advanced
    )
