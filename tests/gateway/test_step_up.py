"""A 403 that wants more permissions is heard wherever it comes: in a list, a prompt, a resource, a stream (CON-17)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.gateway.client import MODERN
from tests.gateway.conftest import Front, Hub
from tests.gateway.library import Library
from tests.gateway.service import Answer, Seen, Service
from valetkey.connections.step_up_repository import find_challenge

CHALLENGE = [("www-authenticate", 'Bearer error="insufficient_scope", scope="notes:admin"')]


@pytest.fixture
def front() -> Front:
    """Either front serves the same exchange."""
    return "fast"


def refusing(service: Service, *methods: str) -> None:
    """From now on the service wants more for these methods."""
    before = service.on_anything

    async def refuse(seen: Seen) -> Answer | None:
        wanted = seen.body and seen.message.get("method") in methods
        return Answer(b"", 403, CHALLENGE) if wanted else await before(seen)

    service.on_anything = refuse


@pytest.mark.parametrize("door", ["one", "all"])
async def test_a_list_of_tools_that_needs_more_says_where_to_grant_it_and_it_is_remembered(
    hub: Hub, modern: Service, door: str
) -> None:
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, "adas-token")
    refusing(modern, "tools/list")

    client, mark = await hub.client(ada, modern if door == "one" else None), {"reason": "slow"}
    async with asyncio.timeout(30):
        while mark["reason"] == "slow":  # on a machine that is busy with other things
            [mark] = (await client.tools()).result["_meta"]["valetkey/partial"]

    assert mark["reason"] == "more_needed"
    assert mark["url"].endswith(f"/connections/{connection.id}")
    async with hub.database.read() as tx:
        remembered = await find_challenge(tx, connection.id)
    assert remembered is not None
    assert remembered.scope == "notes:admin"


@pytest.mark.parametrize("door", ["one", "all"])
@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_so_does_whatever_else_is_passed_on(hub: Hub, door: str, version: str) -> None:
    library = Library("modern")
    await library.start()
    try:
        ada = await hub.person("ada")
        connection = await hub.connect(ada, library, "adas-token")
        client = await hub.client(
            ada, library if door == "one" else None, version=version, capabilities={"elicitation": {"url": {}}}
        )
        await client.tools()
        if version != MODERN:
            await client.initialize()
        prompt = "greet" if door == "one" else f"{hub.connector(library).slug}_greet"
        asked: list[tuple[str, dict[str, Any]]] = [
            ("resources/list", {}),
            ("prompts/get", {"name": prompt}),
            ("completion/complete", {"ref": {"type": "ref/prompt", "name": prompt}, "argument": {}}),
        ]
        await client.ask("prompts/list", {})
        refusing(library, *(method for method, _ in asked))

        answers = [(await client.ask(method, params)).raw for method, params in asked]
    finally:
        await library.stop()

    page = f"/connections/{connection.id}".encode()
    assert [page in answer for answer in answers] == [True] * 3
    assert b"more_needed" in answers[0]
    assert b"elicitation" in answers[1]
    assert json.loads(answers[2].rpartition(b"data: ")[2])["error"]["code"] == -32603
