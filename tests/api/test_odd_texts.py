"""Texts that a database cannot hold, in every place of every operation where a text can stand: no failure (T48).

PostgreSQL has no U+0000 in texts, and neither database has halves of surrogate pairs; JSON and addresses can name both.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.described import operations
from tests.api.test_doors import TABLE, World, furnished
from tests.databases import migrated_postgres
from valetkey.store.database import Database

NUL = "a\x00b"
HALF = "a\ud800b"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def world(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """On PostgreSQL, which holds less than SQLite does."""
    main = Database.open(await migrated_postgres(postgres))
    async with furnished(tmp_path_factory.mktemp("odd"), main) as opened:
        yield opened


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where texts stand in a body."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from leaves(inner, (*path, at))


def with_odd(value: Any, path: tuple[Any, ...], odd: str) -> Any:
    if not path:
        return odd
    if isinstance(value, dict):
        return {key: with_odd(inner, path[1:], odd) if key == path[0] else inner for key, inner in value.items()}
    return [with_odd(inner, path[1:], odd) if at == path[0] else inner for at, inner in enumerate(value)]


def bodies(method: str, path: str, slug: str, odd: str) -> Iterator[Any]:
    """The table's body with one text of it odd, and with each member that the description knows."""
    given = TABLE[method, path].body
    if given is None:
        return
    body = {name: slug if value == "{slug}" else value for name, value in given.items()}
    for place in leaves(body):
        yield with_odd(body, place, odd)
    for one in operations()[method, path].body:
        for name in one.definition.get("schema", {}).get("properties", {}):
            yield from ({**body, name: value} for value in (odd, {odd: odd}, [odd]))


def requests(world: World, method: str, path: str, odd: str) -> Iterator[tuple[str, Any]]:
    """Addresses and bodies."""
    octets, operation = quote(odd.encode("utf-8", "surrogatepass")), operations()[method, path]
    for one in operation.path_parameters:
        yield world.things.path(path.replace(f"{{{one.name}}}", "ODD")).replace("ODD", octets), {}
    for one in operation.query:
        yield f"{world.things.path(path)}?{one.name}={octets}", {}
    for body in bodies(method, path, world.things.connector.slug, odd):
        yield world.things.path(path), body


LONG = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.mark.parametrize("odd", [NUL, HALF], ids=["nul", "half"])
@pytest.mark.parametrize("apart", [6, pytest.param(1, marks=LONG)], ids=["some", "all"])
async def test_no_text_is_too_odd_for_any_place_of_any_operation(world: World, odd: str, apart: int) -> None:
    """Every sixth request, or in the long run each, by an owner and by the operator."""
    owner, failed = await world.with_scopes("ada"), []
    tries = [
        (method, where, body)
        for method, path in TABLE
        if not path.endswith(("/data/erase", "/seal"))
        for where, body in requests(world, method, path, odd)
    ][::apart]

    for number, (method, where, body) in enumerate(tries):
        client = owner if number % 3 else world.hub.operator
        answer = await client.request(
            method, where, content=json.dumps(body), headers={"content-type": "application/json"}
        )
        if answer.status_code >= 500:
            failed.append((method, where, body))

    assert failed == []
    assert len(tries) > 400 // apart
