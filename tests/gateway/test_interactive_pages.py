"""Interactive pages (MCP Apps, SEP-1865; DIR-14): the hub hands them on as they are, and a page's call has the gate.

A page speaks to the client that draws it, and what it calls comes here as that client's call: nothing tells them apart.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.gateway.conftest import Front, Hub
from tests.gateway.library import Library
from tests.gateway.test_confirm import question, was_asked
from valetkey.audit.model import Outcome
from valetkey.policy.model import Setting

URI = "ui://board/main.html"
UI = {"csp": {"connectDomains": ["https://api.board.example"], "frameDomains": []}, "prefersBorder": True}
PAGE = {"uri": URI, "mimeType": "text/html;profile=mcp-app", "text": "<!doctype html>…", "_meta": {"ui": UI}}
APPS: dict[str, Any] = {
    "extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}},
    "elicitation": {"url": {}},
}


def app_tool(uri: str = URI) -> bytes:
    """A tool that is for the page alone: what a model never sees, a page can still call."""
    ui = {"resourceUri": uri, "visibility": ["app"]}
    return json.dumps({"name": "move_card", "inputSchema": {"type": "object"}, "_meta": {"ui": ui}}).encode()


class _Board(Library):
    def _said(self, method: str, params: dict[str, Any]) -> bytes | None:
        if method == "resources/read":
            return json.dumps({"contents": [PAGE]}).encode()
        return super()._said(method, params)


@pytest.fixture
def front() -> Front:
    """Either front serves the same exchange."""
    return "fast"


@pytest.fixture
async def board() -> AsyncIterator[_Board]:
    started = _Board("modern")
    started.tools.append(app_tool())
    await started.start()
    yield started
    await started.stop()


async def test_dir_14_a_page_and_what_it_declares_reach_the_client_as_the_service_said_them(
    hub: Hub, board: _Board
) -> None:
    """The client makes the Content-Security-Policy of it (SEP-1865); a word more or less would be ours."""
    ada = await hub.person("ada")
    await hub.connect(ada, board, "adas-token", on=("move_card",))
    client = await hub.client(ada, board, capabilities=APPS)

    tool = next(tool for tool in (await client.tools()).result["tools"] if tool["name"] == "move_card")
    page = await client.ask("resources/read", {"uri": URI})

    assert tool["_meta"]["ui"] == {"resourceUri": URI, "visibility": ["app"]}
    assert page.result["contents"] == [PAGE]


async def test_dir_14_what_a_page_calls_goes_through_the_gate_like_anything_else(hub: Hub, board: _Board) -> None:
    """The client marks the call as it likes, declares pages, and says that its person clicked: it is asked for."""
    ada = await hub.person("ada")
    await hub.connect(ada, board, "adas-token")
    client = await hub.client(ada, board, capabilities=APPS)
    of_a_page = {"_meta": {"ui": {"resourceUri": URI}, "approved": True, "io.modelcontextprotocol/ui": {"from": "app"}}}

    got = await client.call("move_card", {"card": 1}, **of_a_page)

    assert was_asked(got, (await question(hub, ada)).path)
    assert board.calls == []
    assert [(record.outcome, record.rule) for record in await hub.records(ada)] == [(Outcome.INPUT_REQUIRED, "class_m")]


async def test_dir_14_a_page_gets_no_further_with_a_tool_that_is_switched_off(hub: Hub, board: _Board) -> None:
    ada = await hub.person("ada")
    connection = await hub.connect(ada, board, "adas-token")
    snapshot = await hub.snapshots.get(connection.id)
    assert snapshot is not None
    tool = next(tool for tool in snapshot.tools if tool.name == "move_card")
    await hub.policy.permissions.set(connection.id, [(tool, Setting.BLOCK, None)])
    client = await hub.client(ada, board, capabilities=APPS)

    await client.call("move_card", {"card": 1})

    assert board.calls == []
    assert [(record.outcome, record.rule) for record in await hub.records(ada)] == [(Outcome.REFUSED, "person_block")]


async def test_dir_14_another_page_behind_an_accepted_tool_is_a_change_that_waits(hub: Hub, board: _Board) -> None:
    """CUS-11: the page that a tool names is part of its fingerprint."""
    ada = await hub.person("ada")
    connection = await hub.connect(ada, board, "adas-token", on=("move_card",))
    board.tools[-1] = app_tool("ui://board/other.html")

    await hub.snapshots.put(connection.id, board.tools, b'{"serverInfo":{"name":"fake"}}', 0)

    held = {one.tool for one in await hub.snapshots.held(connection.id)}
    assert "move_card" in held
