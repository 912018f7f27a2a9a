"""What the vault is told: an *allow* is a lasting yes for what reads or changes little, and for nothing weightier."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.gateway.conftest import Hub
from tests.gateway.service import Service
from valetkey.audit.model import CallIntent
from valetkey.connections.model import Connection
from valetkey.identity.model import Person
from valetkey.policy.model import Setting
from valetkey.policy.tool_class import ToolClass
from valetkey.vault.release import NotReleased


async def ticket_for(hub: Hub, person: Person, connection: Connection, tool: str) -> bool:
    """Whether the vault gives one for a recorded call that no approval was used up for."""
    intent = CallIntent(
        id=f"call_{tool}", started_at=hub.clock.now(), client="", connector="c", label="", day="2026-11-22",
        request_bytes=0, request=None, organization_id=hub.organization_id, person_id=person.id,
        connection_id=connection.id, method="tools/call", tool=tool, own_tool=tool,
    )  # fmt: skip
    with hub.call_log.begin(intent):
        try:
            found = await hub.credentials.ticket(connection.id, person_id=person.id, call_id=intent.id)
        except NotReleased:
            return False
    return found is not None


@pytest.mark.parametrize("kept", [None, ToolClass.HIGH, ToolClass.VERTICAL])
async def test_a_switch_is_no_lasting_yes_for_what_is_hard_to_take_back(
    hub: Hub, modern: Service, kept: ToolClass | None
) -> None:
    """However it was written down: as rows from before there were classes, or with the class."""
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, "adas-token", on=("echo", "delete_all"))
    snapshot = await hub.snapshots.get(connection.id)
    assert snapshot is not None
    tool = snapshot.tool("delete_all")
    assert tool is not None
    await hub.policy.permissions.set(connection.id, [(tool, Setting.ALLOW, kept)])

    assert not await ticket_for(hub, ada, connection, "delete_all")
    assert await ticket_for(hub, ada, connection, "echo")


async def test_an_allow_without_a_class_is_for_no_other_definition(hub: Hub, modern: Service) -> None:
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, "adas-token", on=("echo",))
    snapshot = await hub.snapshots.get(connection.id)
    assert snapshot is not None
    tool = snapshot.tool("echo")
    assert tool is not None
    await hub.policy.permissions.set(connection.id, [(replace(tool, fingerprint="0" * 64), Setting.ALLOW, None)])

    assert not await ticket_for(hub, ada, connection, "echo")
