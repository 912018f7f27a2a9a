"""The API's description says what each route demands, and is what OpenAPI 3.1 asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, Strict

from tests.api.hub import Hub
from tests.api.test_doors import ANYBODY, OPERATOR_ONLY, TABLE
from valetkey.api.asking import Scope


async def describe(hub: Hub) -> dict[str, Any]:
    document: dict[str, Any] = (await hub.nobody.get("/openapi.json")).json()
    return document


async def test_anybody_can_read_it_and_it_is_openapi_3_1(hub: Hub) -> None:
    document = await describe(hub)

    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1.")
    assert document["servers"] == [{"url": "/api/v1"}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


async def test_every_route_says_what_it_demands_and_answers_no_with_a_problem(hub: Hub) -> None:
    document = await describe(hub)

    described = {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert described.keys() == TABLE.keys()
    for route, operation in described.items():
        demand = TABLE[route].demand
        if demand in set(Scope):
            assert operation["security"] == [{"token": [demand]}]
            assert operation["x-operator"] == (TABLE[route].operator != 403)
        elif demand == ANYBODY:
            assert operation["security"] == []
        elif demand == OPERATOR_ONLY:
            assert operation["x-operator"] == "only"
        assert "422" not in operation["responses"]
        assert "application/problem+json" in operation["responses"]["default"]["content"]


async def test_every_reference_in_it_leads_somewhere_and_every_operation_has_its_own_name(hub: Hub) -> None:
    document = await describe(hub)
    text = json.dumps(document)

    references = {piece.split('"')[0] for piece in text.split('"#/components/schemas/')[1:]}
    assert references <= document["components"]["schemas"].keys()
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names)
    assert "Page_" not in "".join(names)


def integers(schema: dict[str, Any], schemas: dict[str, Any], where: str, seen: tuple[str, ...] = ()) -> Iterator[str]:
    """Where a whole number may be larger than a database can compare with."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        if name not in seen:
            yield from integers(schemas[name], schemas, where, (*seen, name))
        return
    if schema.get("type") == "integer" and not {"maximum", "exclusiveMaximum", "enum", "const"} & schema.keys():
        yield where
    for part in ("anyOf", "allOf", "oneOf"):
        for one in schema.get(part, ()):
            yield from integers(one, schemas, where, seen)
    if "items" in schema:
        yield from integers(schema["items"], schemas, f"{where}[]", seen)
    for name, one in schema.get("properties", {}).items():
        yield from integers(one, schemas, f"{where}.{name}", seen)


async def test_no_whole_number_in_a_request_is_larger_than_a_database_takes(hub: Hub) -> None:
    """T48: 3903920000370823659520 in a path made the hub answer 500."""
    document = await describe(hub)
    schemas = document["components"]["schemas"]

    found: list[str] = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for parameter in operation.get("parameters", ()):
                found += integers(parameter["schema"], schemas, f"{method} {path} {parameter['name']}")
            for kind in operation.get("requestBody", {}).get("content", {}).values():
                found += integers(kind["schema"], schemas, f"{method} {path} body")

    assert found == []


def test_yes_and_no_are_not_said_by_numbers_or_words() -> None:
    """T48: pydantic takes 1 and "on" for true, of which the document says nothing."""
    said = [
        (model, name, field)
        for model in BaseModel.__subclasses__()
        if model.__module__.startswith("valetkey.api.") and model.model_config.get("extra") == "forbid"
        for name, field in model.model_fields.items()
        if field.annotation is bool
    ]

    assert len(said) >= 10
    assert [(model.__name__, name) for model, name, field in said if Strict() not in field.metadata] == []
