"""Two people in each of two organizations, two services: nobody is ever told what is somebody else's (T31)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from itertools import cycle
from typing import Any

import pytest

from tests.gateway.client import Client
from tests.gateway.conftest import Front, Hub
from tests.gateway.library import Library
from tests.gateway.service import Answer, Seen
from valetkey.gateway.model import Account, Door
from valetkey.identity.model import Person

LISTS = {"prompts/list": "prompts", "resources/list": "resources", "resources/templates/list": "resourceTemplates"}


@pytest.fixture
def front() -> Front:
    return "fast"


class Personal(Library):
    """Says in everything whose it is, and that everybody may keep it."""

    def __init__(self) -> None:
        super().__init__("modern")
        self.well = self.on_anything
        self.on_anything = self.personal

    async def personal(self, seen: Seen) -> Answer | None:
        message = seen.message if seen.body else {}
        method, whose = message.get("method", ""), seen.token
        said: dict[str, Any] = {"resultType": "complete", "ttlMs": 60_000, "cacheScope": "public"}
        item = {"name": whose, "uri": f"note:///{whose}", "uriTemplate": f"note:///{whose}/{{x}}", "inputSchema": {}}
        if method in LISTS:
            said[LISTS[method]] = [item]
        elif method == "tools/list":
            said["tools"] = [item]
        elif method == "resources/read":
            said["contents"] = [{"uri": "note:///it", "text": whose}]
        elif method == "prompts/get":
            said["messages"] = [{"role": "user", "content": {"type": "text", "text": whose}}]
        else:
            return await self.well(seen)
        return Answer(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": said}).encode())


@pytest.fixture
async def services() -> AsyncIterator[list[Personal]]:
    made = [Personal(), Personal()]
    for each in made:
        await each.start()
    yield made
    for each in made:
        await each.stop()


async def crossed(hub: Hub, services: list[Personal], requests: int) -> None:
    people = [
        await hub.person("ada"),
        await hub.person("ben"),
        await hub.stranger("eve"),
        await hub.stranger("mallory"),
    ]
    asking: list[tuple[str, Client, str, dict[str, Any]]] = []
    for person in people:
        if person.organization_id != hub.organization_id:
            hub._added.clear()  # another organization adds the service for itself
        for number, service in enumerate(services):
            await hub.connect(person, service, f"token-{person.login}-{number}", on=())
    slugs = {person.login: [each.connector.slug for each in await behind(hub, person)] for person in people}
    for person in people:
        everything = await hub.client(person)
        one = await hub.client(person, path=f"/c/{slugs[person.login][0]}/mcp")
        asking += [
            (person.login, client, method, {}) for client in (everything, one) for method in (*LISTS, "tools/list")
        ]
        for other in people:
            for number, slug in enumerate(slugs[other.login]):
                name = f"token-{other.login}-{number}"
                asking.append((person.login, everything, "resources/read", {"uri": f"vk+{slug}+note:///{name}"}))
                asking.append((person.login, everything, "prompts/get", {"name": f"{slug}_{name}"}))
                asking.append((person.login, everything, "tasks/get", {"taskId": f"{slug}+t1"}))
                asking.append((person.login, everything, "prompts/list", {"cursor": "vkc_NTAw"}))
    rounds, told = cycle(asking), 0
    for _ in range(0, requests, 8):
        some = [next(rounds) for _ in range(8)]
        answers = await asyncio.gather(*(client.ask(method, params) for _, client, method, params in some))
        for (login, _, _, params), got in zip(some, answers, strict=True):
            if b'"error"' in got.raw:  # what was asked for does not exist, in words that repeat it
                continue
            told += b"token-" in got.raw
            for other in people:
                if other.login != login:
                    assert b"token-%b" % other.login.encode() not in got.raw, (login, params, got.raw)
    assert told > requests // 8


async def behind(hub: Hub, person: Person) -> Sequence[Account]:
    client = await hub.token(person, "/mcp")
    who = await hub.tokens.authenticate(client.encode(), audience="/mcp")
    return await hub.gateway._accounts.behind(Door("/mcp"), who)


async def test_nobody_is_told_what_is_somebody_elses(hub: Hub, services: list[Personal]) -> None:
    await crossed(hub, services, 160)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_nobody_is_told_what_is_somebody_elses_in_five_thousand_requests(
    hub: Hub, services: list[Personal]
) -> None:
    await crossed(hub, services, 5000)
