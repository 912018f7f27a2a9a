"""A profile's endpoint: what is not in the profile does not exist there, and the profile itself gives nothing."""

from __future__ import annotations

import pytest

from tests.gateway.client import Client
from tests.gateway.conftest import Hub
from tests.gateway.service import Service
from valetkey.audit.model import Outcome
from valetkey.connections.model import Connection
from valetkey.directory.model import Choice
from valetkey.identity.model import Person

MODERN = "2026-07-28"


async def make(hub: Hub, person: Person, name: str, *choices: Choice) -> str:
    """A profile of the person's; its path."""
    made = await hub.profiles.add(person, name, title="", access="auto", choices=choices, by="person:test")
    return made.path


def whole(connection: Connection) -> Choice:
    return Choice(connection.id, whole=True)


def only(connection: Connection, *tools: str) -> Choice:
    return Choice(connection.id, whole=False, tools=frozenset(tools))


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_a_profile_shows_what_it_names_under_the_names_of_the_whole(
    hub: Hub, modern: Service, legacy: Service, version: str
) -> None:
    ada = await hub.person("ada")
    notes = await hub.connect(ada, modern, "adas-token", on=("echo", "delete_all"))
    await hub.connect(ada, legacy, "adas-other-token")
    path = await make(hub, ada, "work", only(notes, "echo"))
    slug = hub.connector(modern).slug

    client = await hub.client(ada, path=path, version=version)

    assert await client.names() == [f"{slug}_echo"]
    assert (await client.call(f"{slug}_echo", {"text": "hi"})).text == "hi"
    assert modern.tokens == ["adas-token"]
    assert legacy.seen == []


async def test_a_tool_outside_the_profile_is_unknown_there_and_the_attempt_is_recorded(
    hub: Hub, modern: Service, legacy: Service
) -> None:
    ada = await hub.person("ada")
    notes = await hub.connect(ada, modern, "adas-token", on=("echo", "delete_all"))
    await hub.connect(ada, legacy, "adas-other-token")
    path = await make(hub, ada, "work", only(notes, "echo"))
    inside, outside = (hub.connector(service).slug for service in (modern, legacy))
    whole_hub, profile = await hub.client(ada), await hub.client(ada, path=path)
    assert len(await whole_hub.names()) == 4  # so that the names are in memory, too
    await profile.call(f"{inside}_echo", {})

    for name in (f"{inside}_delete_all", f"{outside}_echo", f"{outside}_nothing"):
        got = await profile.call(name, {})
        assert (got.error["code"], got.error["message"]) == (-32602, f"Unknown tool: {name}")

    assert [call.message["params"]["name"] for call in modern.calls] == ["echo"]
    assert legacy.calls == []
    refused = {(one.tool, one.connection_id) for one in await hub.records(ada) if one.outcome is Outcome.REFUSED}
    assert refused == {(f"{inside}_delete_all", ""), (f"{outside}_echo", ""), (f"{outside}_nothing", "")}


async def test_a_profile_does_not_switch_a_tool_on(hub: Hub, modern: Service) -> None:
    ada = await hub.person("ada")
    notes = await hub.connect(ada, modern, "adas-token", on=("echo",))
    path = await make(hub, ada, "work", whole(notes))

    got = await (await hub.client(ada, path=path)).call(f"{hub.connector(modern).slug}_delete_all", {})

    assert got.result["isError"] is True
    assert "/approvals/" in got.text
    assert modern.calls == []


async def test_a_connection_taken_whole_brings_the_tools_it_gets_later(hub: Hub, modern: Service) -> None:
    ada = await hub.person("ada")
    notes = await hub.connect(ada, modern, "adas-token")
    path = await make(hub, ada, "work", whole(notes))
    picked = await make(hub, ada, "picked", only(notes, "echo"))
    modern.tools.append(b'{"name":"later","inputSchema":{"type":"object"}}')
    slug = hub.connector(modern).slug

    assert f"{slug}_later" not in await (await hub.client(ada, path=path)).names()  # nobody has accepted it yet
    await hub.accept_changes(ada)
    assert f"{slug}_later" in await (await hub.client(ada, path=path)).names()
    assert await (await hub.client(ada, path=picked)).names() == [f"{slug}_echo"]


async def test_the_same_name_is_another_profile_for_another_person(hub: Hub, modern: Service, legacy: Service) -> None:
    ada, ben = await hub.person("ada"), await hub.person("ben")
    adas = await hub.connect(ada, modern, "adas-token")
    bens = await hub.connect(ben, legacy, "bens-token")
    path = await make(hub, ada, "work", whole(adas))
    await make(hub, ben, "work", whole(bens))

    names = [await (await hub.client(person, path=path)).names() for person in (ada, ben)]

    assert [name.rpartition("_")[0] for name in (names[0][0], names[1][0])] == [
        hub.connector(modern).slug, hub.connector(legacy).slug,
    ]  # fmt: skip


async def test_a_token_for_a_profile_opens_nothing_else_and_no_other_opens_it(hub: Hub, modern: Service) -> None:
    ada = await hub.person("ada")
    notes = await hub.connect(ada, modern, "adas-token")
    path = await make(hub, ada, "work", whole(notes))
    other = await make(hub, ada, "play", whole(notes))
    doors = [path, other, "/mcp", f"/c/{hub.connector(modern).slug}/mcp"]

    for mine in doors:
        token = await hub.token(ada, mine)
        for door in doors:
            got = await Client(hub.port, token, door).ask("server/discover", {})
            assert (got.status == 401) == (door != mine), (mine, door)


@pytest.mark.parametrize("path", ["/p/work/mcp", "/p/nobody-has-this/mcp"])
async def test_a_stranger_learns_nothing_about_profiles(hub: Hub, path: str) -> None:
    ada = await hub.person("ada")
    await make(hub, ada, "work")

    got = await Client(hub.port, "", path).tools()

    metadata = f"http://localhost:{hub.port}/.well-known/oauth-protected-resource{path}"
    assert (got.status, got.headers["www-authenticate"]) == (401, f'Bearer resource_metadata="{metadata}", scope="mcp"')


@pytest.mark.parametrize("path", ["/p/Work/mcp", "/p/a_b/mcp", "/p/" + "a" * 25 + "/mcp"])
async def test_a_path_that_no_profile_can_have_is_no_endpoint(hub: Hub, path: str) -> None:
    assert (await Client(hub.port, "", path).tools()).status == 404


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_a_profile_that_is_not_there_any_more_is_not_found(hub: Hub, modern: Service, version: str) -> None:
    ada = await hub.person("ada")
    notes = await hub.connect(ada, modern, "adas-token")
    path = await make(hub, ada, "work", whole(notes))
    client = await hub.client(ada, path=path, version=version)
    assert len(await client.names()) == 2

    await hub.profiles.remove(ada, "work", by="person:test")

    for got in (await client.tools(), await client.call(f"{hub.connector(modern).slug}_echo", {})):
        assert (got.status, got.error["message"]) == (404, "There is no such profile.")
    assert modern.calls == []


async def test_an_empty_profile_says_so_and_where_to_fill_it(hub: Hub) -> None:
    ada = await hub.person("ada")
    path = await make(hub, ada, "work")
    client = await hub.client(ada, path=path)

    discovered = (await client.ask("server/discover", {})).result

    assert (await client.tools()).result["tools"] == []
    assert "The profile work is empty" in discovered["instructions"]
    assert f"http://localhost:{hub.port}/profiles/work" in discovered["instructions"]


async def test_what_ended_leaves_the_profile_without_a_word(hub: Hub, modern: Service, legacy: Service) -> None:
    ada = await hub.person("ada")
    notes = await hub.connect(ada, modern, "adas-token")
    mail = await hub.connect(ada, legacy, "adas-other-token")
    path = await make(hub, ada, "work", whole(notes), whole(mail))
    client = await hub.client(ada, path=path)
    assert len(await client.names()) == 4

    await hub.profiles.leave(mail.id)

    got = await client.tools()
    assert all(tool["name"].startswith(hub.connector(modern).slug) for tool in got.result["tools"])
    assert "valetkey/partial" not in got.result.get("_meta", {})
    assert (await client.call(f"{hub.connector(legacy).slug}_echo", {})).error["code"] == -32602
    assert legacy.calls == []


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_what_is_switched_off_for_a_conversation_is_in_no_list_of_it_any_more(
    hub: Hub, modern: Service, version: str
) -> None:
    """CUS-10: a hub is told of no conversation; the profile's address that one was given is its switch. What is off
    there in the middle of a turn is absent, also for who loads it anew, by search and by name; other addresses keep it.
    """
    ada = await hub.person("ada")
    notes = await hub.connect(ada, modern, "adas-token", on=("echo", "delete_all"))
    path, slug = await make(hub, ada, "chat", whole(notes)), hub.connector(modern).slug
    client, elsewhere = await hub.client(ada, path=path, version=version), await hub.client(ada, version=version)
    before = await client.names()
    await hub.profiles.set(ada, "chat", title="", access="auto", choices=[only(notes, "echo")], by="person:ada")

    after, anew = await client.names(), await (await hub.client(ada, path=path, version=version)).names()
    refused = await client.call(f"{slug}_delete_all")

    assert before == await elsewhere.names() == [f"{slug}_echo", f"{slug}_delete_all"]
    assert after == anew == [f"{slug}_echo"]
    assert refused.error["message"] == f"Unknown tool: {slug}_delete_all"
    await hub.profiles.set(ada, "chat", title="", access="auto", choices=[], by="person:ada")  # the whole connector
    assert await client.names() == []
    assert modern.calls == []
