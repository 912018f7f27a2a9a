"""The API described: OpenAPI 3.1, with what each route demands and how it says no."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from valetkey.api.asking import ANYBODY_MAY, AUDIENCE, Needs, OnlyOperator
from valetkey.api.idempotency import HEADER, PATTERN
from valetkey.api.problems import MEDIA_TYPE, Problem

_SCHEME = "token"
_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The same key with the same request within 24 hours is done once and answered the same.",
    "schema": {"type": "string", "pattern": PATTERN},
}
_DESCRIPTION = (
    "The door for programs. Send `Authorization: Bearer vkt_…`, a personal token made for `/api/v1`; each operation "
    "names the scope it takes. On the hub's host the control socket takes requests without a token, as operator. "
    "Every error is `application/problem+json` (RFC 9457)."
)


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of `app`, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _describe(app)
    return app.openapi_schema


def demand_of(route: APIRoute) -> Needs | OnlyOperator | None:
    """What a route demands beyond a valid token."""
    return _demand_in(route.dependant)


def _demand_in(dependant: Dependant) -> Needs | OnlyOperator | None:
    if isinstance(dependant.call, Needs | OnlyOperator):
        return dependant.call
    return next((found for inner in dependant.dependencies if (found := _demand_in(inner)) is not None), None)


def _describe(app: FastAPI) -> dict[str, Any]:
    document: dict[str, Any] = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=_DESCRIPTION,
        routes=app.routes,
        servers=[{"url": AUDIENCE}],
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for ours in ("HTTPValidationError", "ValidationError"):  # we answer with a problem instead
        schemas.pop(ours, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {}) | {"Problem": problem}
    components["securitySchemes"] = {_SCHEME: {"type": "http", "scheme": "bearer", "description": "A `vkt_` token."}}
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                _describe_operation(document["paths"][route.path_format][method.lower()], route)
    return document


def _describe_operation(operation: dict[str, Any], route: APIRoute) -> None:
    operation["responses"].pop("422", None)
    if route.methods != {"GET"}:
        operation.setdefault("parameters", []).append(_KEY)
    operation["responses"]["default"] = {
        "description": "A problem.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    demand = demand_of(route)
    if route.path in ANYBODY_MAY:
        operation["security"] = []
    elif isinstance(demand, Needs):
        operation["security"] = [{_SCHEME: [demand.scope.value]}]
        operation["x-operator"] = demand.operator
    elif isinstance(demand, OnlyOperator):
        operation["x-operator"] = "only"
    else:
        operation["security"] = [{_SCHEME: []}]
