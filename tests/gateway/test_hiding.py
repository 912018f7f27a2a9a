"""What is blocked is neither listed nor found, at any door; and who calls it by its name is told that it is blocked."""

from __future__ import annotations

import json

import pytest

from tests.gateway.client import MODERN, Got
from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Service
from valetkey.connections.model import Connection
from valetkey.directory.model import Choice
from valetkey.identity.model import Person
from valetkey.policy.model import Setting

REVISIONS = [MODERN, "2025-11-25", "2025-03-26"]


@pytest.fixture
def front() -> Front:
    return "fast"


@pytest.fixture
async def ada(hub: Hub, modern: Service) -> Person:
    person = await hub.person("ada")
    connection = await hub.connect(person, modern, "adas-token")
    choices = [Choice(connection.id, whole=True)]
    await hub.profiles.add(person, "work", title="", access="auto", choices=choices, by="person:ada")
    return person


async def the_connection(hub: Hub, ada: Person) -> Connection:
    [connection] = await hub.connections.list(ada.id)
    return connection


async def block(hub: Hub, ada: Person, who: str) -> None:
    """Blocks the tool that deletes: by the person, by a ceiling of the organization, or by one for their role."""
    connection = await the_connection(hub, ada)
    if who == "person":
        snapshot = await hub.snapshots.get(connection.id)
        assert snapshot is not None
        tool = snapshot.tool("delete_all")
        assert tool is not None
        await hub.policy.permissions.set(connection.id, [(tool, Setting.BLOCK, None)])
    else:
        role = {"organization": "*", "role": "member"}[who]
        ceilings = hub.policy.ceilings
        await ceilings.set(ada.organization_id, Setting.BLOCK, actor="person:owner", tool="delete_all", role=role)


def found(got: Got) -> list[str]:
    return [tool["name"] for tool in json.loads(got.text)["tools"]]


@pytest.mark.parametrize("version", REVISIONS)
@pytest.mark.parametrize(
    ("who", "rule"), [("person", "person_block"), ("organization", "ceiling_block"), ("role", "role_block")]
)
async def test_what_is_blocked_is_shown_at_no_door_and_refused_by_its_name(
    hub: Hub, modern: Service, ada: Person, version: str, who: str, rule: str
) -> None:
    slug = hub.connector(modern).slug
    doors = {f"/c/{slug}/mcp": "", "/mcp": f"{slug}_", "/p/work/mcp": f"{slug}_"}
    clients = {path: await hub.client(ada, path=path, version=version) for path in doors}
    before = {path: await client.names() for path, client in clients.items()}
    await block(hub, ada, who)

    for path, prefix in doors.items():
        assert before[path] == [f"{prefix}echo", f"{prefix}delete_all"]
        assert await clients[path].names() == [f"{prefix}echo"]
        refused = await clients[path].call(f"{prefix}delete_all")
        assert refused.result["isError"]
        assert "block" in refused.text or "does not permit" in refused.text
    assert found(await clients["/mcp"].call("find_tools", {"query": "deletes all"})) == []
    assert "1 tools" not in (await clients["/mcp"].call("find_tools", {"query": "echo"})).text
    assert modern.calls == []
    assert {one.rule for one in await hub.records(ada) if "delete_all" in one.tool} == {rule}


async def test_a_list_by_search_counts_only_what_is_not_blocked(hub: Hub, modern: Service, ada: Person) -> None:
    [choice] = [Choice((await the_connection(hub, ada)).id, whole=True)]
    await hub.profiles.add(ada, "found", title="", access="search", choices=[choice], by="person:ada")
    client = await hub.client(ada, path="/p/found/mcp")
    await block(hub, ada, "person")

    listed = (await client.tools()).result["tools"]

    assert "There are 1 tools" in listed[0]["description"]


async def test_what_one_person_blocks_another_still_sees(hub: Hub, modern: Service, ada: Person) -> None:
    grace = await hub.person("grace")
    await hub.connect(grace, modern, "graces-token")
    await block(hub, ada, "person")

    assert len(await (await hub.client(ada, modern)).names()) == 1
    assert len(await (await hub.client(grace)).names()) == 2
