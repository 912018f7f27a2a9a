"""Who listens hears what changed at the services, in their revision's words, each thing once; and nobody else does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.gateway.client import Client
from tests.gateway.conftest import FRONTS, Front, Hub
from tests.gateway.library import Library
from tests.gateway.test_bridge import ERAS, Era, assistant, outward, prefix
from valetkey.identity.model import Person
from valetkey.policy.model import Setting

OWN = "io.modelcontextprotocol/subscriptionId"


@pytest.fixture
def front() -> Front:
    return FRONTS[1]


@pytest.fixture(params=ERAS)
async def library(request: pytest.FixtureRequest) -> AsyncIterator[Library]:
    started = Library(request.param)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def ada(hub: Hub, library: Library) -> Person:
    person = await hub.person("ada")
    await hub.connect(person, library, "adas-token", on=("echo", "board"))
    return person


class Stream:
    """The open stream of a client: what comes on it, message by message."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.status = 0

    async def begun(self) -> Stream:
        head = await self._reader.readuntil(b"\r\n\r\n")
        self.status = int(head.split(b" ")[1])
        return self

    async def next(self) -> dict[str, Any]:
        while True:
            size = int((await asyncio.wait_for(self._reader.readline(), 20)).strip(), 16)
            if not size:
                raise EOFError
            piece = await self._reader.readexactly(size)
            await self._reader.readline()
            if b"data: " in piece:
                return dict(json.loads(piece.partition(b"data: ")[2]))

    def close(self) -> None:
        self._writer.close()


async def listening(client: Client, era: Era, wanted: dict[str, Any]) -> Stream:
    """A stream for what is wanted: by a filter, or by the standing stream and what was subscribed to."""
    if era == "modern":
        message = client.request("subscriptions/listen", {"notifications": wanted})
        stream = await Stream(
            *await client.begin("POST", json.dumps(message).encode(), client.headers(message))
        ).begun()
        first = await stream.next()
        assert first["method"] == "notifications/subscriptions/acknowledged"
        assert first["params"]["notifications"] == wanted
        assert first["params"]["_meta"][OWN] == message["id"]
        return stream
    for uri in wanted.get("resourceSubscriptions", []):
        assert (await client.ask("resources/subscribe", {"uri": uri})).result == {}
    headers = [pair for pair in client.headers({}) if pair[0] != "Content-Type"]
    return await Stream(*await client.begin("GET", b"", headers)).begun()


async def until(condition: Callable[[], object], *, patience: float = 20.0) -> None:
    async with asyncio.timeout(patience):
        while not condition():
            await asyncio.sleep(0.01)


ALL = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("door", ["one", "all"])
async def test_a_changed_list_and_a_changed_resource_reach_who_listens(
    hub: Hub, ada: Person, library: Library, era: Era, door: str
) -> None:
    client = await assistant(hub, ada, library, era, door)
    note = outward(hub, library, door, "note:///1")
    await client.ask("prompts/list", {})

    stream = await listening(client, era, {**ALL, "resourceSubscriptions": [note]})
    await until(lambda: library.listeners)
    await library.say("notifications/prompts/list_changed")
    changed = await stream.next()
    await library.say("notifications/resources/updated", uri="note:///1")
    updated = await stream.next()
    stream.close()

    assert changed["method"] == "notifications/prompts/list_changed"
    assert updated["method"] == "notifications/resources/updated"
    assert updated["params"]["uri"] == note
    assert (OWN in updated["params"].get("_meta", {})) == (era == "modern")
    if library.era == "legacy":
        assert [each["params"]["uri"] for each in library.asked("resources/subscribe")] == ["note:///1"]
    assert all(seen.token == "adas-token" for seen in library.seen)


@pytest.mark.parametrize("era", ERAS)
async def test_a_changed_list_is_listed_anew(hub: Hub, ada: Person, library: Library, era: Era) -> None:
    library.ttl_ms = 3_600_000
    client = await assistant(hub, ada, library, era, "all")
    assert len((await client.ask("prompts/list", {})).result["prompts"]) == 1
    stream = await listening(client, era, ALL)
    await until(lambda: library.listeners)

    library.prompts.append(b'{"name":"second"}')
    library.tools.append(b'{"name":"newest","inputSchema":{"type":"object"}}')
    await library.say("notifications/prompts/list_changed")
    await library.say("notifications/tools/list_changed")
    heard = {(await stream.next())["method"], (await stream.next())["method"]}
    prompts = await prompts_of(client)
    stream.close()

    assert heard == {"notifications/prompts/list_changed", "notifications/tools/list_changed"}
    greet, second, newest = (prefix(hub, library, "all") + name for name in ("greet", "second", "newest"))
    assert prompts == [greet]  # the others were seen, and nobody has accepted them yet
    assert newest not in await client.names()

    await hub.accept_changes(ada)
    assert newest in await client.names()
    assert await prompts_of(client) == [greet, second]


async def prompts_of(client: Client) -> list[str]:
    return [each["name"] for each in (await client.ask("prompts/list", {})).result["prompts"]]


@pytest.mark.parametrize("era", ERAS)
async def test_a_thousand_changes_are_one(hub: Hub, ada: Person, library: Library, era: Era) -> None:
    client = await assistant(hub, ada, library, era, "one")
    stream = await listening(client, era, ALL)
    await until(lambda: library.listeners)

    for _ in range(1000):
        await library.say("notifications/tools/list_changed")
    await library.say("notifications/prompts/list_changed")
    heard: list[str] = []
    while not heard or heard[-1] != "notifications/prompts/list_changed":
        heard.append((await stream.next())["method"])
    stream.close()

    assert len(heard) < 100
    assert len(await hub.records(ada, method="tools/list")) < 10


async def test_whoever_hangs_up_is_not_listened_for_any_more(hub: Hub, ada: Person, library: Library) -> None:
    client = await assistant(hub, ada, library, "modern", "one")
    stream = await listening(client, "modern", ALL)
    await until(lambda: library.listeners)

    stream.close()

    await until(lambda: not hub.gateway.watches)


async def test_one_persons_changes_are_not_told_to_another(hub: Hub, ada: Person, library: Library) -> None:
    """Grace has an account at the same service; what changed at Ada's is not hers to hear."""
    grace = await hub.person("grace")
    client = await assistant(hub, ada, library, "modern", "all")
    hers = await hub.client(grace)
    stream, grace_stream = (
        await listening(client, "modern", ALL),
        await listening(hers, "modern", {"toolsListChanged": True}),
    )
    await until(lambda: library.listeners)

    await library.say("notifications/tools/list_changed")
    heard = await stream.next()
    connected = asyncio.ensure_future(grace_stream.next())
    await asyncio.sleep(0.3)

    assert heard["method"] == "notifications/tools/list_changed"
    assert not connected.done()
    connected.cancel()
    stream.close()
    grace_stream.close()


async def test_connecting_something_changes_the_list_of_everything(hub: Hub, ada: Person, library: Library) -> None:
    client = await assistant(hub, ada, library, "modern", "all")
    stream = await listening(client, "modern", {"toolsListChanged": True})

    await hub.connect(ada, library, "adas-other-token", label="second", on=())
    heard = await stream.next()
    stream.close()

    assert heard["method"] == "notifications/tools/list_changed"


async def test_what_cannot_be_heard_is_not_acknowledged(hub: Hub, ada: Person, library: Library) -> None:
    library.capabilities = {"tools": {}, "resources": {}}
    client = await assistant(hub, ada, library, "modern", "one")
    wanted = {**ALL, "resourceSubscriptions": ["note:///1"]}
    message = client.request("subscriptions/listen", {"notifications": wanted})

    stream = await Stream(*await client.begin("POST", json.dumps(message).encode(), client.headers(message))).begun()
    first = await stream.next()
    stream.close()

    assert first["params"]["notifications"] == {"toolsListChanged": True}  # that changes here, too
    assert not library.listeners


@pytest.mark.parametrize("filtered", [None, 7, {"toolsListChanged": "yes"}, {"resourceSubscriptions": ["u"] * 201}])
async def test_a_filter_that_is_none_is_refused(hub: Hub, ada: Person, library: Library, filtered: object) -> None:
    client = await assistant(hub, ada, library, "modern", "one")

    got = await client.ask("subscriptions/listen", {"notifications": filtered} if filtered is not None else {})

    assert (got.status, got.error["code"]) == (400, -32602)


async def test_a_person_has_a_bounded_number_of_streams(hub: Hub, ada: Person, library: Library) -> None:
    client = await assistant(hub, ada, library, "modern", "one")
    streams = [await listening(client, "modern", ALL) for _ in range(16)]

    got = await client.ask("subscriptions/listen", {"notifications": ALL})

    assert got.error["code"] == -32603
    for stream in streams:
        stream.close()


async def test_a_stream_stands_only_for_a_session_of_ones_own(hub: Hub, ada: Person, library: Library) -> None:
    client = await assistant(hub, ada, library, "legacy", "one")
    grace = await hub.person("grace")
    hers = await hub.client(grace, library, version="2025-11-25")
    hers.session = client.session

    stolen = await listening(hers, "legacy", {})
    hers.session = ""
    without = await listening(hers, "legacy", {})
    stolen.close()
    without.close()

    assert (stolen.status, without.status) == (404, 405)


async def test_an_unsubscribed_resource_is_not_told_any_more(hub: Hub, ada: Person, library: Library) -> None:
    client = await assistant(hub, ada, library, "legacy", "one")
    await client.ask("resources/subscribe", {"uri": "note:///1"})
    await client.ask("resources/subscribe", {"uri": "note:///2"})
    assert (await client.ask("resources/unsubscribe", {"uri": "note:///1"})).result == {}
    stream = await listening(client, "legacy", {})
    await until(lambda: library.listeners)

    await library.say("notifications/resources/updated", uri="note:///1")
    await library.say("notifications/resources/updated", uri="note:///2")
    heard = await stream.next()
    stream.close()

    assert heard["params"]["uri"] == "note:///2"


async def test_the_hub_closes_with_streams_open(hub: Hub, ada: Person, library: Library) -> None:
    client = await assistant(hub, ada, library, "modern", "one")
    stream = await listening(client, "modern", ALL)

    async with asyncio.timeout(5):
        await hub.stop()

    with pytest.raises((ValueError, EOFError, ConnectionError)):
        await stream.next()
    stream.close()


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("door", ["one", "all"])
async def test_who_listens_hears_that_a_tool_was_blocked_and_that_it_is_not_any_more(
    hub: Hub, ada: Person, library: Library, era: Era, door: str
) -> None:
    """Whether or not the service tells of changes of its own; and nothing is said of what is only allowed or asked."""
    library.capabilities = {"tools": {}}
    client = await assistant(hub, ada, library, era, door)
    [connection] = await hub.connections.list(ada.id)
    snapshot = await hub.snapshots.get(connection.id)
    assert snapshot is not None
    [echo] = [tool for tool in snapshot.tools if tool.name == "echo"]
    stream = await listening(client, era, {"toolsListChanged": True})
    name = prefix(hub, library, door) + "echo"

    await hub.policy.permissions.set(connection.id, [(echo, Setting.ASK, None)])
    await hub.policy.permissions.set(connection.id, [(echo, Setting.BLOCK, None)])
    heard = [(await stream.next())["method"]]
    hidden = await client.names()
    await hub.policy.permissions.withdraw(connection.id, ["echo"])
    heard.append((await stream.next())["method"])
    shown = await client.names()
    ceiling = await hub.policy.ceilings.set(hub.organization_id, Setting.BLOCK, actor="person:owner", tool="echo")
    heard.append((await stream.next())["method"])
    capped = await client.names()
    await hub.policy.ceilings.remove(hub.organization_id, ceiling.id, actor="person:owner")
    stream.close()

    assert heard == ["notifications/tools/list_changed"] * 3
    assert [name in names for names in (hidden, shown, capped)] == [False, True, False]
