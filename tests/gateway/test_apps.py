"""ORG-16: an owner switches a tool's interactive pages off, and an assistant gets its texts and nothing to show."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from tests.gateway.conftest import Front, Hub
from tests.gateway.library import Library
from valetkey.directory.access.model import NamedTool, Rules
from valetkey.directory.access.saying import Access
from valetkey.net.url import parse_url

PAGE = "ui://board/main.html"
OWN = "ui://board/own.html"
TEXT = b'{"type":"text","text":"3 cards"}'
BROUGHT = (
    b'{"type":"resource","resource":{"uri":"%b","mimeType":"text/html;profile=mcp-app","text":"<p>"}},'
    b'{"type":"resource_link","uri":"https://x.example/card","mimeType":"Text/HTML"}' % PAGE.encode()
)


def shows(name: str, page: str) -> bytes:
    meta = {"ui": {"resourceUri": page}, "openai/outputTemplate": page, "vendor/kept": 1}
    return json.dumps({"name": name, "inputSchema": {"type": "object"}, "_meta": meta}).encode()


@pytest.fixture
def front() -> Front:
    return "fast"


@pytest.fixture
async def library() -> AsyncIterator[Library]:
    library = Library("modern")
    await library.start()
    library.tools = [shows("show_board", PAGE), shows("open_board", PAGE), shows("show_cards", OWN)]
    library.called = b'{"content":[%b,%b],"structuredContent":{"cards":3}}' % (TEXT, BROUGHT)
    yield library
    await library.stop()


async def say(hub: Hub, *tools: tuple[str, str]) -> None:
    access = Access(hub.database, hub.notifications, parse_url=parse_url, clock=hub.clock, trail=hub.trail)
    rules = Rules(text_only=frozenset(NamedTool(*one) for one in tools))
    await access.set_rules(hub.organization_id, rules, by="person:owner")


async def test_a_tool_whose_pages_are_off_is_listed_without_one_and_returns_text_only(
    hub: Hub, library: Library
) -> None:
    """At once, in the middle of a session, and for that tool alone; what a model reads stays as it was."""
    ada = await hub.person("ada")
    await hub.connect(ada, library, "adas-token", on=("show_board", "open_board", "show_cards"))
    client = await hub.client(ada, library)
    before = await client.call("show_board")

    await say(hub, (hub.connector(library).slug, "show_board"))
    after, other = await client.call("show_board"), await client.call("open_board")
    listed = {tool["name"]: tool["_meta"] for tool in (await client.tools()).result["tools"]}

    assert [one["type"] for one in before.result["content"]] == ["text", "resource", "resource_link"]
    assert after.result["content"] == [json.loads(TEXT)]
    assert after.result["structuredContent"] == {"cards": 3}
    assert other.result["content"] == before.result["content"]
    assert listed["show_board"] == {"vendor/kept": 1}
    assert listed["open_board"]["ui"] == {"resourceUri": PAGE}


async def test_a_page_is_read_only_while_a_tool_that_may_show_it_names_it(hub: Hub, library: Library) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, library, "adas-token")
    slug = hub.connector(library).slug
    client = await hub.client(ada, library)

    async def is_read(uri: str) -> bool:
        return "error" not in (await client.ask("resources/read", {"uri": uri})).messages[-1]

    assert await is_read(PAGE)
    await say(hub, (slug, "show_board"))
    assert [await is_read(uri) for uri in (PAGE, OWN, "ui://board/else.html", "note:///1")] == [True, True, False, True]
    await say(hub, (slug, "show_board"), (slug, "open_board"))
    assert [await is_read(uri) for uri in (PAGE, PAGE.replace("ui:", "UI:"), OWN)] == [False, False, True]
    await say(hub, ("*", "*"))
    assert [await is_read(uri) for uri in (OWN, "note:///1")] == [False, True]
    [refused] = [one for one in await hub.records(ada, method="resources/read") if one.tool == OWN and one.rule]
    assert refused.rule == "text_only"


async def test_it_is_the_same_on_the_door_to_everything_and_for_what_search_finds(hub: Hub, library: Library) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, library, "adas-token", on=("show_board",))
    slug = hub.connector(library).slug
    client = await hub.client(ada)
    await say(hub, (slug, "show_board"))

    listed = {tool["name"]: tool for tool in (await client.tools()).result["tools"]}
    found = await client.call("find_tools", {"query": "show board"})
    called = await client.call(f"{slug}_show_board")

    assert listed[f"{slug}_show_board"]["_meta"] == {"vendor/kept": 1}
    assert f"ui://{slug}/board/main.html" in json.dumps(listed[f"{slug}_open_board"])
    assert "ui://" not in json.dumps(called.result)
    assert found.result["isError"] is not True or "find_tools" not in listed
