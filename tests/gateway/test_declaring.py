"""What a service is told that it can ask, when it makes its list and when it is called."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.client import MODERN
from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Answer, Seen, Service

SHY = b'{"name":"ask_me","inputSchema":{"type":"object"}}'
FORMS: dict[str, Any] = {"elicitation": {"form": {}}}


@pytest.fixture
def front() -> Front:
    """Either front serves the same exchange."""
    return "fast"


def told(service: Service) -> list[Any]:
    """Method and capabilities the service was told of: in the request itself, or when its session began."""
    sessions: dict[str, Any] = {}
    said = []
    for seen in service.seen:
        message = seen.message if seen.body else {}
        params = message.get("params", {})
        if message.get("method") == "initialize":
            sessions[f"up-{len(sessions)}-{seen.token[-4:]}"] = params["capabilities"]
        elif message.get("method") in ("tools/list", "tools/call"):
            own = params.get("_meta", {}).get("io.modelcontextprotocol/clientCapabilities")
            said.append((message["method"], own if own is not None else sessions[seen.header("mcp-session-id")]))
    return said


def shows_only_to_who_can_be_asked(service: Service) -> None:
    """As the reference server does: a tool that asks is there for clients that declare that they can be."""

    async def look(seen: Seen) -> Answer | None:
        message = seen.message if seen.body else {}
        if message.get("method") == "tools/list":
            forms = "elicitation" in told(service)[-1][1]
            service.tools = [tool for tool in service.tools if tool != SHY] + ([SHY] if forms else [])
        return None

    service.on_anything = look


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_a_tool_that_is_shown_only_to_who_can_be_asked_is_seen_switched_on_and_called(
    hub: Hub, service: Service, version: str
) -> None:
    ada = await hub.person("ada")
    shows_only_to_who_can_be_asked(service)
    connection = await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada, service, version=version, capabilities=FORMS)
    await client.names()
    await hub.accept_changes(ada)
    assert "ask_me" in await client.names()
    snapshot = await hub.snapshots.get(connection.id)
    assert snapshot is not None
    await hub.policy.permissions.allow(connection.id, snapshot.tools)

    got = await client.call("ask_me", {"text": "asked"})

    assert got.text == "asked"
    assert told(service)[-1] == ("tools/call", {"elicitation": {}})


async def test_the_list_is_one_for_all_assistants_and_says_nothing_about_any(hub: Hub, service: Service) -> None:
    """Else it would come and go with whoever listed last, and with it what the person switched on."""
    ada = await hub.person("ada")
    shows_only_to_who_can_be_asked(service)
    await hub.connect(ada, service, "adas-token")
    asked = [await hub.client(ada, service, capabilities=capabilities) for capabilities in (FORMS, {})]

    names = [await client.names() for client in (*asked, *asked)]

    assert all(each == names[0] for each in names)
    [first, *others] = [json.dumps(said) for method, said in told(service) if method == "tools/list"]
    assert set(others) == {first}


async def test_a_call_tells_of_what_its_own_client_declared_and_of_nothing_else(hub: Hub, service: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada, service)
    await client.tools()

    await client.call("echo")

    assert told(service)[-1] == ("tools/call", {})
