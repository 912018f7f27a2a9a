"""One gate (I11, T34): every revision, every transport, every door, tool search and the API come to the same decision.

What differs between them is only in which words it is told. The attacks that this is about went round a check by an
older revision, another transport, a mode or a list of requests in one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from sqlalchemy import delete

from tests.gateway.client import MODERN, Client
from tests.gateway.conftest import Hub
from tests.gateway.library import Library
from tests.gateway.test_confirm import REVISIONS
from valetkey.audit.model import OfPerson, Outcome
from valetkey.audit.repository import CallRecords
from valetkey.connections.model import Connection
from valetkey.directory.model import Choice
from valetkey.identity.model import Person, Principal, Role
from valetkey.kernel.errors import NotFound
from valetkey.policy.model import Setting
from valetkey.store.schema import approval

ASKED, REFUSED, OK = Outcome.INPUT_REQUIRED, Outcome.REFUSED, Outcome.OK
CHECKS: Final = {
    "echo": (OK, "person_allow"),
    "blocked_by_me": (REFUSED, "person_block"),
    "blocked_by_all": (REFUSED, "ceiling_block"),
    "blocked_for_members": (REFUSED, "role_block"),
    "asked_by_all": (ASKED, "ceiling_ask"),
    "asked_for_members": (ASKED, "role_ask"),
    "read_diary": (ASKED, "each_time"),
    "list_unread": (ASKED, "first_read"),
    "list_asked": (ASKED, "first_read"),
    "update_page": (ASKED, "class_m"),
    "delete_page": (ASKED, "class_h"),
    "frobnicate": (ASKED, "class_x"),
    "transfer_funds": (REFUSED, "vertical_not_enabled"),
    "list_linked": (ASKED, "taint"),
    "changed": (REFUSED, "changed_since"),
    "added": (REFUSED, "new_tool"),
    "nothing_there": (REFUSED, "unknown_tool"),
}
"""Each tool stands for one check: what comes of a call of it, wherever the call comes from."""
ALLOWED: Final = ("echo", "asked_by_all", "asked_for_members", "list_linked", "changed")
DOORS: Final = ("one", "all", "profile", "search")


def definition(name: str, **more: Any) -> bytes:
    reads = name.startswith(("list", "read", "echo", "blocked", "asked", "changed", "added"))
    said = {"description": "Reads." if reads else "", "annotations": {"readOnlyHint": True}} if reads else {}
    url = {"url": {"type": "string"}} if name == "list_linked" else {}
    schema = {"type": "object", "properties": {"text": {"type": "string"}, **url}}
    return json.dumps({"name": name, "inputSchema": schema, **said, **more}).encode()


@dataclass(frozen=True)
class Scene:
    """A person whose connection has a tool for each check."""

    hub: Hub
    library: Library
    ada: Person
    connection: Connection
    elsewhere: Connection

    @property
    def slug(self) -> str:
        return self.hub.connector(self.library).slug

    async def client(self, door: str, version: str) -> Client:
        """An assistant at a door, that has read what nobody vouches for elsewhere."""
        path = {"one": f"/c/{self.slug}/mcp", "profile": "/p/work/mcp"}.get(door, "/mcp")
        before = {token.id for token in await self.hub.tokens.list(self.ada.id)}
        client = await self.hub.client(self.ada, path=path, version=version)
        [mine] = [one.id for one in await self.hub.tokens.list(self.ada.id) if one.id not in before]
        await self.hub.policy.taints.mark(self.ada.id, mine, self.elsewhere.id, "Mail")
        return client

    async def call(self, client: Client, door: str, tool: str) -> None:
        name = tool if door == "one" else f"{self.slug}_{tool}"
        if door == "search":
            await client.call("call_tool", {"name": name, "arguments": {"text": "x"}})
        else:
            await client.call(name, {"text": "x"})
        await self.forget_asking(tool)

    async def forget_asking(self, tool: str) -> None:
        """So that nobody is asked too often, which is another check."""
        if CHECKS[tool][0] is not ASKED:
            return
        async with self.hub.database.write() as tx:
            await tx.execute(delete(approval))

    async def decided(self) -> Counter[tuple[str, Outcome, str]]:
        """How often a call of each tool was decided how."""
        await self.hub.call_log.flush()
        found = await CallRecords(self.hub.database).list(OfPerson(self.ada.id), limit=1000)
        calls = [one for one in found if one.method == "tools/call"]
        return Counter((one.tool.removeprefix(f"{self.slug}_"), one.outcome, one.rule) for one in calls)


@pytest.fixture
async def scene(hub: Hub) -> AsyncIterator[Scene]:
    library = Library("modern")
    await library.start()
    diary = {"_meta": {"anthropic/requiresUserInteraction": True}}
    there = [name for name in CHECKS if name not in ("added", "nothing_there")]
    library.tools = [definition(name, **(diary if name == "read_diary" else {})) for name in there]
    ada = await hub.person("ada")
    connection = await hub.connect(ada, library, "adas-token", on=ALLOWED)
    snapshot = await hub.snapshots.get(connection.id)
    assert snapshot is not None
    tools = {tool.name: tool for tool in snapshot.tools}
    said = [(tools["blocked_by_me"], Setting.BLOCK, None), (tools["list_asked"], Setting.ASK, None)]
    await hub.policy.permissions.set(connection.id, said)
    for tool, setting, role in (
        ("blocked_by_all", Setting.BLOCK, "*"), ("blocked_for_members", Setting.BLOCK, "member"),
        ("asked_by_all", Setting.ASK, "*"), ("asked_for_members", Setting.ASK, "member"),
    ):  # fmt: skip
        await hub.policy.ceilings.set(hub.organization_id, setting, actor="person:owner", tool=tool, role=role)
    await hub.profiles.add(
        ada, "work", title="", access="auto", choices=[Choice(connection.id, whole=True)], by="person:ada"
    )
    changed = [raw.replace(b"Reads.", b"Reads it and tells.") if b'"changed"' in raw else raw for raw in library.tools]
    library.tools = [*changed, definition("added")]
    await hub.snapshots.put(connection.id, library.tools, json.dumps({"serverInfo": {"name": "fake"}}).encode(), 3600)
    elsewhere = await hub.connections.add(ada, hub.connector(library), label="second")
    yield Scene(hub, library, ada, connection, elsewhere)
    await library.stop()


async def test_every_way_to_a_tool_comes_to_the_same_decision(scene: Scene) -> None:
    """T34, S-26 (d), PERM-04: 17 checks in 22 ways (revisions x doors, a retry, and the API), on either front."""
    ways = 0
    for version in REVISIONS:
        for door in DOORS:
            client = await scene.client(door, version)
            for _ in range(2 if version == MODERN and door == "all" else 1):
                ways += 1
                for tool in CHECKS:
                    await scene.call(client, door, tool)
    program = Principal(
        "personal", scene.ada.id, scene.ada.organization_id, Role.MEMBER, "", "curl", "/api/v1", frozenset(), "tok_api"
    )
    await scene.hub.policy.taints.mark(scene.ada.id, "tok_api", scene.elsewhere.id, "Mail")
    for tool in CHECKS:
        try:
            await scene.hub.gateway.run(program, connector=scene.slug, label="", tool=tool, arguments=b'{"text":"x"}')
        except NotFound:
            assert tool == "nothing_there"
        await scene.forget_asking(tool)

    assert ways == 21
    assert await scene.decided() == {(tool, *what): ways + 1 for tool, what in CHECKS.items()}
    assert [seen.message["params"]["name"] for seen in scene.library.calls] == ["echo"] * (ways + 1)


async def test_a_blocked_connector_is_blocked_in_every_way_to_everything_it_has(scene: Scene) -> None:
    clients = {(door, version): await scene.client(door, version) for door in DOORS for version in REVISIONS}
    await scene.hub.connectors.set_state(scene.connection.connector_id, "blocked")

    for (door, _), client in clients.items():
        for tool in ("echo", "delete_page", "changed", "added"):
            await scene.call(client, door, tool)

    assert {what[1:] for what in await scene.decided()} == {(REFUSED, "connector_blocked")}
    assert scene.library.calls == []


@pytest.mark.parametrize("setting", [Setting.ASK, Setting.BLOCK])
async def test_prompts_resources_and_completion_pass_the_gate_in_every_way(scene: Scene, setting: Setting) -> None:
    """Where a person would have to be asked they are refused: only a tool call can be asked for."""
    doors = ("one", "all", "profile")
    clients = {(door, version): await scene.client(door, version) for door in doors for version in REVISIONS}
    for client in clients.values():
        await client.ask("prompts/list", {})
        await client.ask("resources/list", {})
    scene.library.seen.clear()
    ceilings = scene.hub.policy.ceilings
    await ceilings.set(scene.hub.organization_id, setting, actor="person:owner", connector=scene.slug)

    for (door, _), client in clients.items():
        name = "greet" if door == "one" else f"{scene.slug}_greet"
        uri = "note:///1" if door == "one" else f"vk+{scene.slug}+note:///1"
        reference = {"type": "ref/prompt", "name": name}
        for method, params in (
            ("prompts/get", {"name": name}), ("resources/read", {"uri": uri}),
            ("completion/complete", {"ref": reference, "argument": {"name": "x", "value": ""}}),
        ):  # fmt: skip
            answer = await client.ask(method, params)
            assert "error" in answer.messages[-1], (method, answer.raw)

    asked = {seen.message.get("method") for seen in scene.library.seen if seen.body}
    assert not asked & {"prompts/get", "resources/read", "completion/complete"}
    for method in ("prompts/get", "resources/read", "completion/complete"):
        records = await scene.hub.records(scene.ada, method=method)
        assert len(records) == len(clients)
        assert {(one.outcome, one.rule) for one in records} == {(REFUSED, f"ceiling_{setting}")}


async def test_several_requests_in_one_are_refused_as_a_whole_in_every_revision(scene: Scene) -> None:
    for version in REVISIONS:
        for door in DOORS[:3]:
            client = await scene.client(door, version)
            name = "echo" if door == "one" else f"{scene.slug}_echo"
            batch = [client.request("tools/call", {"name": name, "arguments": {}}) for _ in range(2)]

            got = await client.post(batch)

            assert (got.status, got.error["code"]) == (400, -32600), (version, door)
    assert scene.library.calls == []
    assert await scene.decided() == {}
