"""T33 at the MCP endpoints: every method an assistant can ask, at every kind of door, by everybody whose it is not.

The methods are those of the table that the gateway relays by, and its own; one that is new is asked, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.gateway.client import MODERN, Client
from tests.gateway.conftest import Hub
from tests.gateway.library import Library
from valetkey.identity.model import Person
from valetkey.protocol.translate import REQUESTS

OWN = {"server/discover", "ping", "initialize"}
"""What the hub answers by itself."""
PARAMS: dict[str, dict[str, Any]] = {
    "tools/call": {"name": "echo", "arguments": {}},
    "prompts/get": {"name": "greet"},
    "resources/read": {"uri": "note:///1"},
    "resources/subscribe": {"uri": "note:///1"},
    "resources/unsubscribe": {"uri": "note:///1"},
    "completion/complete": {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "a", "value": "b"}},
    "tasks/get": {"taskId": "task-1"},
    "tasks/update": {"taskId": "task-1"},
    "tasks/cancel": {"taskId": "task-1"},
    "logging/setLevel": {"level": "debug"},
    "subscriptions/listen": {"notifications": {"resourceSubscriptions": ["note:///1"]}},
    "initialize": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {}},
}
PRIVATE = ("Greets.", "any note", "hologram", "adas", "Adas own words", "board")
"""What is in no request: a name that was asked for stands in the answer that there is none."""
_VARIES = re.compile(rb'"id":"?[\w-]+"?|/connections\?connector=[\w-]*|"ts":"[^"]*"')


@pytest.fixture(params=[MODERN, "2025-06-18"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def said(hub: Hub, person: Person, path: str, version: str, **options: Any) -> list[tuple[str, int, bytes]]:
    """What each method is answered at `path`; the streams of what listens are only begun."""
    client = Client(hub.port, await hub.token(person, path), path, version=version, **options)
    if not client.is_modern and not client.session:
        await client.initialize()
    found = []
    for method in sorted(REQUESTS.keys() | OWN):
        if method == "subscriptions/listen" and client.is_modern:
            message = client.request(method, PARAMS[method])
            reader, writer = await client.begin("POST", json.dumps(message).encode(), client.headers(message))
            head = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            found.append((method, int(head.split()[1]), b""))
            continue
        got = await client.ask(method, PARAMS.get(method, {}))
        found.append((method, got.status, got.raw))
    return found


async def test_nobody_reaches_another_persons_account_by_any_method_at_any_door(
    hub: Hub, modern: Library, version: str
) -> None:
    ada, grace, eve = await hub.person("ada"), await hub.person("grace"), await hub.stranger("eve")
    await hub.connect(ada, modern, "adas-token", on=("echo", "delete_all", "board"))
    await hub.connect(ada, modern, "adas-second", label="second", on=("echo",))
    await hub.profiles.add(ada, "work", title="Adas own words", access="auto", choices=[], by="person:ada")
    slug = hub.connector(modern).slug
    doors = {
        "/mcp": "/mcp",
        f"/c/{slug}/mcp": "/c/nothing-zzzzzz/mcp",
        f"/c/{slug}/second/mcp": "/c/nothing-zzzzzz/second/mcp",
        "/p/work/mcp": "/p/none/mcp",
    }
    own = {path: await said(hub, ada, path, version) for path in doors}
    assert any(b"Greets." in raw for path in doors for _, _, raw in own[path])  # there is something to find
    before = len(modern.seen)

    for path, nowhere in doors.items():
        for person in (grace, eve):
            found = await said(hub, person, path, version)
            assert [one for one in found if one[1] >= 500] == []
            for method, _, raw in found:
                assert not [text for text in PRIVATE if text.encode() in raw], (person.login, path, method)
            if person is eve or path.startswith("/p/"):
                none = await said(hub, person, nowhere, version)
                assert [plain(one, path) for one in found] == [plain(one, nowhere) for one in none], (
                    person.login,
                    path,
                )
    assert len(modern.seen) == before  # nothing of it left the hub


def plain(one: tuple[str, int, bytes], path: str) -> tuple[str, int, bytes]:
    """Without what says which door it was."""
    method, status, raw = one
    for part in filter(None, path.split("/")):
        raw = raw.replace(part.encode(), b"*") if part not in ("mcp", "c", "p") else raw
    return method, status, _VARIES.sub(b"", raw)


async def test_a_token_of_one_door_opens_no_other_and_a_session_is_of_one_person(hub: Hub, modern: Library) -> None:
    ada, grace = await hub.person("ada"), await hub.person("grace")
    await hub.connect(ada, modern, "adas-token")
    await hub.connect(grace, modern, "graces-token")
    slug = hub.connector(modern).slug
    hers = await hub.client(ada, modern, version="2025-06-18")
    token = await hub.token(grace, f"/c/{slug}/mcp")

    stolen = Client(hub.port, token, f"/c/{slug}/mcp", version="2025-06-18", session=hers.session)
    elsewhere = Client(hub.port, hers.token, "/mcp")

    assert (await stolen.call("echo")).status == 404
    assert (await elsewhere.tools()).status == 401
    assert {seen.token for seen in modern.calls} == set()


def test_each_method_that_is_asked_of_others_is_known_here() -> None:
    """A method that takes parameters and is given none would be refused for that, and show nothing."""
    plain_lists = {name for name, row in REQUESTS.items() if row.items}

    assert REQUESTS.keys() - plain_lists <= PARAMS.keys()


@pytest.fixture
async def modern() -> AsyncIterator[Library]:
    library = Library("modern")
    await library.start()
    yield library
    await library.stop()
