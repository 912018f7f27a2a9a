"""The OpenAPI document as schemathesis reads it: what it says may be asked, and whether an answer is as it says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx2
import schemathesis
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok

from valetkey.api.app import routes
from valetkey.api.openapi import describe

ANSWERS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
REFUSALS = (*ANSWERS, "negative_data_rejection")

Operation = schemathesis.APIOperation[Any, Any, Any, Any]
Case = schemathesis.Case[Any]


@cache
def operations() -> Mapping[tuple[str, str], Operation]:
    """Every operation of the document, by method and path."""
    document = describe(routes(None))  # type: ignore[arg-type]  # described, not asked
    document = {**document, "components": {**document["components"]}}
    # Tokens are the tests' own matter: schemathesis would make up wrong ones, and find it wrong that they are refused.
    document["components"].pop("securitySchemes")
    document["paths"] = {
        path: {method: {**operation, "security": []} for method, operation in item.items()}
        for path, item in document["paths"].items()
    }
    schema = schemathesis.openapi.from_dict(document)
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return {(operation.method.upper(), operation.path): operation for operation in found}


def case_of(method: str, path: str) -> Case:
    """For an answer to a request that somebody else made."""
    operation = operations()[method, path]
    case: Case = operation.Case(path_parameters={one.name: "x" for one in operation.path_parameters})
    return case


def wrong_with(answer: httpx2.Response, case: Case, *, checks: tuple[str, ...] = ANSWERS) -> list[str]:
    """In which ways `answer` is none that the document allows for `case`; none is none."""
    wrong: list[str] = []
    if answer.status_code == 413:  # a refusal that the check of refusals does not know
        checks = ANSWERS
    try:
        case.validate_response(answer, checks=_named(checks))
    except FailureGroup as failures:
        wrong = [f"{type(one).__name__}: {one}" for one in failures.exceptions]
    if answer.status_code >= 400 and answer.headers["content-type"] != "application/problem+json":
        wrong.append("It is no problem+json.")
    return wrong


@cache
def _named(names: tuple[str, ...]) -> list[Any]:
    load_all_checks()
    return list(CHECKS.get_by_names(list(names)))
