"""The vault's rule from memory: what runs by itself is released without a look into the database, and no more is."""

from __future__ import annotations

import json

import pytest

from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Service
from tests.gateway.test_one_gate import definition
from valetkey.policy.model import Setting

TOOLS = ["list_notes", "list_asked", "list_diary", "delete_note"]
DIARY = {"_meta": {"anthropic/requiresUserInteraction": True}}


@pytest.fixture
def front() -> Front:
    return "fast"


async def test_what_runs_by_itself_is_released_from_memory_and_what_asks_is_not(hub: Hub, modern: Service) -> None:
    """An *allow* of before there were classes, for all: it is none for what asks each time or is hard to take back."""
    modern.tools = [definition(name, **(DIARY if name == "list_diary" else {})) for name in TOOLS]
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, "adas-token", on=())
    said = json.dumps({"serverInfo": {"name": "fake"}}).encode()
    snapshot = await hub.snapshots.put(connection.id, modern.tools, said, 0)
    settings = [Setting.ASK if tool.name == "list_asked" else Setting.ALLOW for tool in snapshot.tools]
    await hub.policy.permissions.set(
        connection.id, [(tool, setting, None) for tool, setting in zip(snapshot.tools, settings, strict=True)]
    )
    grants = hub.policy.grants(hub.snapshots, hub.whose)
    assert not grants.holds_now(ada.id, connection.id, "list_notes")  # nothing is at hand yet

    for name in TOOLS:
        await grants.holds(ada.id, connection.id, name, "call_none")

    assert [name for name in TOOLS if grants.holds_now(ada.id, connection.id, name)] == ["list_notes"]
