"""Services of 2024-11-05, which answer on a stream: found out, spoken to, and kept within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.gateway.client import Client
from tests.gateway.conftest import Front, Hub
from tests.gateway.listening import ListeningService
from tests.gateway.service import Service
from valetkey.audit.model import Outcome
from valetkey.identity.model import Person

MODERN = "2026-07-28"


@pytest.fixture
def front() -> Front:
    """What is tested here lies behind either front alike."""
    return "fast"


@pytest.fixture
async def old() -> AsyncIterator[ListeningService]:
    service = ListeningService()
    await service.start()
    yield service
    await service.stop()


async def connect(hub: Hub, person: Person, old: ListeningService, token: str) -> None:
    stand_in: Any = old  # the hub's helper wants a URL and tools, no more
    await hub.connect(person, stand_in, token)


async def client_of(hub: Hub, person: Person, old: ListeningService, version: str = MODERN) -> Client:
    stand_in: Any = old
    return await hub.client(person, stand_in, version=version)


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
@pytest.mark.parametrize("path", ["/events", "/sse"])
async def test_a_service_that_answers_on_a_stream_is_listed_and_called(
    hub: Hub, old: ListeningService, version: str, path: str
) -> None:
    old.path = path
    ada = await hub.person("ada")
    await connect(hub, ada, old, "adas-token")
    client = await client_of(hub, ada, old, version)

    assert await client.names() == ["echo"]
    assert (await client.call("echo", {"text": "hi"})).text == "hi"
    assert (await client.call("echo", {"text": "once more"})).text == "once more"

    assert len(old.gets) == 2  # one for lists, which are asked for with all that is relayed, and one for calls
    assert {token for token, _ in old.posts} | set(old.gets) == {"adas-token"}
    methods = [message.get("method") for _, message in old.posts]
    begun = ["initialize", "notifications/initialized"]
    assert methods == [*begun, "tools/list", *begun, "tools/call", "tools/call"]
    if path == "/sse":  # addressed as one, so it is not asked for a handshake by POST first
        assert [request for request in old.requests if request == ("POST", "/sse")] == [("POST", "/sse")]


async def test_two_people_never_share_a_stream(hub: Hub, old: ListeningService) -> None:
    people = [await hub.person("ada"), await hub.person("ben")]
    for person in people:
        await connect(hub, person, old, f"{person.login}s-token")
    clients = [await client_of(hub, person, old) for person in people]

    said = [(await client.call("echo", {"text": client.token})).text for client in clients]

    assert said == [client.token for client in clients]
    assert old.tokens == ["adas-token", "bens-token"]
    assert sorted(old.gets) == ["adas-token", "bens-token"]


async def test_many_calls_at_once_get_each_its_own_answer(hub: Hub, old: ListeningService) -> None:
    ada = await hub.person("ada")
    await connect(hub, ada, old, "adas-token")
    client = await client_of(hub, ada, old)
    await client.call("echo", {"text": "first"})

    texts = [f"text {number}" for number in range(20)]
    got = await asyncio.gather(*(client.call("echo", {"text": text}) for text in texts))

    assert [each.text for each in got] == texts
    assert len(old.gets) == 1


async def test_a_stream_that_broke_is_opened_anew_without_a_word(hub: Hub, old: ListeningService) -> None:
    ada = await hub.person("ada")
    await connect(hub, ada, old, "adas-token")
    client = await client_of(hub, ada, old)
    assert (await client.call("echo", {"text": "before"})).text == "before"

    old.hang_up()
    got = await client.call("echo", {"text": "after"})

    assert got.text == "after"
    assert len(old.gets) == 2


async def test_a_stream_that_breaks_within_a_call_is_told_and_the_call_is_not_made_twice(
    hub: Hub, old: ListeningService
) -> None:
    ada = await hub.person("ada")
    await connect(hub, ada, old, "adas-token")
    client = await client_of(hub, ada, old)
    await client.call("echo", {"text": "before"})
    old.silent.add("tools/call")

    call = asyncio.create_task(client.call("echo", {"text": "lost"}))
    while len(old.tokens) < 2:
        await asyncio.sleep(0.005)
    old.hang_up()

    assert (await call).result["isError"] is True
    assert len(old.tokens) == 2


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:1/messages?session_id={session}",
        "https://evil.example/messages",
        "//evil.example/messages",
        "http://127.0.0.1.evil.example/messages",
        "http://user@127.0.0.1/messages",
        "stdio://time",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://[",
        "/mess ages",
        "/" + "a" * 3000,
    ],
)
async def test_an_address_elsewhere_gets_no_message_and_no_token(
    hub: Hub, old: ListeningService, modern: Service, endpoint: str
) -> None:
    """The address that the stream names is a stranger's word: another origin would be handed the person's token."""
    old.endpoint = endpoint.replace(":1/", f":{modern.port}/")
    ada = await hub.person("ada")
    await connect(hub, ada, old, "adas-token")

    got = await (await client_of(hub, ada, old)).call("echo", {"text": "hi"})

    assert got.result["isError"] is True
    assert modern.seen == []
    assert old.posts == []
    assert [record.outcome for record in await hub.records(ada)] != [Outcome.OK]


@pytest.mark.parametrize("first", ["message", "other"])
async def test_a_stream_that_does_not_say_where_to_post_is_none(hub: Hub, old: ListeningService, first: str) -> None:
    old.first_event = first
    old.endpoint = "/messages?session_id={session} " + "x" * 70_000
    ada = await hub.person("ada")
    await connect(hub, ada, old, "adas-token")

    got = await (await client_of(hub, ada, old)).call("echo", {"text": "hi"})

    assert got.result["isError"] is True
    assert old.posts == []


async def test_a_refused_token_asks_the_person_to_reconnect(hub: Hub, old: ListeningService) -> None:
    old.accepted = {"another"}
    ada = await hub.person("ada")
    await connect(hub, ada, old, "adas-token")

    got = await (await client_of(hub, ada, old)).call("echo", {"text": "hi"})

    assert got.status == 200
    assert "/connections/" in str(got.messages)
    assert [record.outcome for record in await hub.records(ada)] == [Outcome.NOT_CONNECTED]


async def test_frames_about_nothing_of_ours_are_passed_over_and_a_flood_ends_the_call(
    hub: Hub, old: ListeningService
) -> None:
    ada = await hub.person("ada")
    await connect(hub, ada, old, "adas-token")
    client = await client_of(hub, ada, old)
    await client.call("echo", {"text": "before"})
    [listener] = old.listeners.values()
    for junk in (
        "nonsense",
        "[]",
        '{"jsonrpc":"2.0","id":999999,"result":{}}',
        '{"jsonrpc":"2.0","id":1,"method":"x","result":{}}',
    ):
        await listener.say(junk)
    assert (await client.call("echo", {"text": "still there"})).text == "still there"
    old.silent.add("tools/call")

    call = asyncio.create_task(client.call("echo", {"text": "drowned"}))
    while len(old.tokens) < 3:
        await asyncio.sleep(0.005)
    note = '{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"%s"}}' % ("x" * 5000)
    for _ in range(1500):
        await listener.say(note)
    got = await call

    assert got.result["isError"] is True
    assert "more" in got.text


async def test_a_disconnected_account_listens_no_longer(hub: Hub, old: ListeningService) -> None:
    ada = await hub.person("ada")
    await connect(hub, ada, old, "adas-token")
    await (await client_of(hub, ada, old)).call("echo", {"text": "hi"})
    [connection] = await hub.connections.list(ada.id)
    [listener] = old.listeners.values()

    await hub.gateway.connection_ended(connection.id)

    assert await asyncio.wait_for(hub_left(listener.writer), 5)


async def hub_left(writer: asyncio.StreamWriter) -> bool:
    """Whether the other side hangs up: what is written to it fails."""
    while True:
        try:
            writer.write(b": \n\n")
            await writer.drain()
        except (ConnectionError, RuntimeError):  # uvloop's word for a closed one
            return True
        await asyncio.sleep(0.01)
