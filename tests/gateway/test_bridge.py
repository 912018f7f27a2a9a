"""Whatever a service has reaches its person's assistant, whichever eras they are of, on its own endpoint and `/mcp`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.gateway.client import MODERN, Client, Got
from tests.gateway.conftest import Front, Hub
from tests.gateway.library import NOTE, PROMPT, Library
from valetkey.audit.model import Outcome
from valetkey.directory.model import Connector
from valetkey.identity.model import Person

Era = Literal["modern", "legacy"]
ERAS: tuple[Era, ...] = ("modern", "legacy")
VERSION = {"modern": MODERN, "legacy": "2025-11-25"}
PAGE = Path(__file__).resolve().parents[2] / "docs/protocol.md"


@pytest.fixture
def front() -> Front:
    """Either front serves the same exchange; which one it is makes no difference here."""
    return "fast"


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


async def assistant(hub: Hub, ada: Person, library: Library, era: Era, door: str, **options: Any) -> Client:
    """A client that has listed the tools once: what the service can do is known since."""
    at = library if door == "one" else None
    client = await hub.client(ada, at, version=VERSION[era], **options)
    await client.tools()
    if era == "legacy":
        await client.initialize()
    return client


def number_kept(raw: bytes) -> bool:
    return b"12345678901234567890123" in raw and b"-0.0" in raw


def prefix(hub: Hub, library: Library, door: str) -> str:
    return "" if door == "one" else f"{connector(hub, library).slug}_"


def outward(hub: Hub, library: Library, door: str, uri: str) -> str:
    slug = connector(hub, library).slug
    if door == "one" or uri.startswith("https:"):
        return uri
    return f"ui://{slug}/{uri.removeprefix('ui://')}" if uri.startswith("ui:") else f"vk+{slug}+{uri}"


def connector(hub: Hub, library: Library) -> Connector:
    return hub.connector(library)


def hinted(got: Got, era: Era) -> bool:
    """Modern lists say how long they hold, and that they are private; older ones have no word for it."""
    hints = {key: got.result[key] for key in ("resultType", "ttlMs", "cacheScope") if key in got.result}
    if era == "legacy":
        return not hints
    return hints.pop("ttlMs") >= 0 and hints == {"resultType": "complete", "cacheScope": "private"}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("door", ["one", "all"])
async def test_prompts_are_listed_and_got(hub: Hub, ada: Person, library: Library, era: Era, door: str) -> None:
    client = await assistant(hub, ada, library, era, door)
    name = prefix(hub, library, door) + "greet"

    listed = await client.ask("prompts/list", {})
    got = await client.ask("prompts/get", {"name": name, "arguments": {"a": "b"}})

    assert [each["name"] for each in listed.result["prompts"]] == [name]
    assert PROMPT.partition(b'"description"')[2] in listed.raw
    assert hinted(listed, era)
    assert b'"vendor":1.0' in got.raw
    assert got.result["messages"][0]["content"]["uri"] == outward(hub, library, door, "note:///1")
    [asked] = library.asked("prompts/get")
    assert (asked["params"]["name"], asked["params"]["arguments"]) == ("greet", {"a": "b"})
    [record] = await hub.records(ada, method="prompts/get")
    assert (record.tool, record.outcome) == ("greet", Outcome.OK)
    assert json.loads(await hub.payload(record, "request"))["name"] == "greet"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("door", ["one", "all"])
async def test_resources_are_listed_and_read(hub: Hub, ada: Person, library: Library, era: Era, door: str) -> None:
    client = await assistant(hub, ada, library, era, door)
    note, page = outward(hub, library, door, "note:///1"), "https://pages.example/2"

    listed = await client.ask("resources/list", {})
    uris = [each["uri"] for each in listed.result["resources"]]
    while "nextCursor" in listed.result:
        assert door == "one"  # a service's own pages, as they are; on /mcp they are put together
        listed = await client.ask("resources/list", {"cursor": listed.result["nextCursor"]})
        uris += [each["uri"] for each in listed.result["resources"]]
    templates = await client.ask("resources/templates/list", {})
    read = await client.ask("resources/read", {"uri": note})
    filled = await client.ask("resources/read", {"uri": outward(hub, library, door, "note:///") + "77"})
    read_page = await client.ask("resources/read", {"uri": page})

    assert uris == [note, page]
    assert hinted(listed, era)
    assert hinted(read, era)
    assert templates.result["resourceTemplates"][0]["uriTemplate"] == outward(hub, library, door, "note:///{id}")
    assert read.result["contents"][0]["uri"] == note
    assert b'"vendor":-0}' in read.raw
    assert filled.result["contents"][0]["uri"] == outward(hub, library, door, "note:///77")
    assert read_page.result["contents"][0]["uri"] == page
    assert [each["params"]["uri"] for each in library.asked("resources/read")] == ["note:///1", "note:///77", page]
    assert library.seen[-1].token == "adas-token"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("door", ["one", "all"])
async def test_a_resource_that_is_not_there_is_told_in_the_clients_words(
    hub: Hub, ada: Person, library: Library, era: Era, door: str
) -> None:
    client = await assistant(hub, ada, library, era, door)
    uri = outward(hub, library, door, "note:///missing")

    got = await client.ask("resources/read", {"uri": uri})
    nobodys = await client.ask("resources/read", {"uri": "vk+somebody+note:///1"}) if door == "all" else got

    assert got.error["code"] == (-32602 if era == "modern" else -32002)
    assert got.status == (400 if era == "modern" else 200)
    if era == "modern":
        assert got.error["data"] == {"uri": uri}
    assert nobodys.error["code"] in (-32602, -32002)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("door", ["one", "all"])
async def test_completion_is_about_the_services_own_names(
    hub: Hub, ada: Person, library: Library, era: Era, door: str
) -> None:
    client = await assistant(hub, ada, library, era, door)
    prompt = {"type": "ref/prompt", "name": prefix(hub, library, door) + "greet"}
    template = {"type": "ref/resource", "uri": outward(hub, library, door, "note:///{id}")}
    argument = {"name": "city", "value": "p"}

    for reference in (prompt, template):
        got = await client.ask("completion/complete", {"ref": reference, "argument": argument})
        assert got.result["completion"] == {"values": ["paris"]}

    theirs = [each["params"]["ref"] for each in library.asked("completion/complete")]
    assert [each.get("name", each.get("uri")) for each in theirs] == ["greet", "note:///{id}"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("door", ["one", "all"])
async def test_links_apps_and_what_nobody_knows_survive_a_call(
    hub: Hub, ada: Person, library: Library, era: Era, door: str
) -> None:
    client = await assistant(hub, ada, library, era, door)
    name = prefix(hub, library, door) + "board"

    tool = next(tool for tool in (await client.tools()).result["tools"] if tool["name"] == name)
    got = await client.call(name)

    app = outward(hub, library, door, "ui://board/main.html")
    assert tool["_meta"]["ui"] == {"resourceUri": app, "visibility": ["app"]}
    assert tool["_meta"]["ui/resourceUri"] == app
    assert tool["inputSchema"]["$anchor"] == "top"
    link, embedded, unknown = got.result["content"]
    assert link["uri"] == embedded["resource"]["uri"] == outward(hub, library, door, "note:///1")
    assert unknown["uri"] == "note:///not-ours-to-know"
    assert b'"shape":[1e400,{"$defs":{}}]' in got.raw
    assert b'"n":12345678901234567890123' in got.raw


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("door", ["one", "all"])
async def test_only_what_can_be_relayed_is_advertised(
    hub: Hub, ada: Person, library: Library, era: Era, door: str
) -> None:
    client = await assistant(hub, ada, library, era, door)

    said = (await (client.ask("server/discover", {}) if era == "modern" else client.initialize())).result[
        "capabilities"
    ]

    assert {"tools", "prompts", "resources", "completions", "logging", "extensions"} == set(said)
    assert said["resources"] == {"listChanged": True, "subscribe": True}
    tasks = {"io.modelcontextprotocol/tasks"} if era == "modern" else set()
    assert set(said["extensions"]) == {"io.modelcontextprotocol/ui"} | tasks


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("door", ["one", "all"])
async def test_what_a_service_does_not_have_is_no_method_of_its_endpoint(
    hub: Hub, ada: Person, library: Library, era: Era, door: str
) -> None:
    library.capabilities = {"tools": {}}
    client = await assistant(hub, ada, library, era, door)

    said = (await (client.ask("server/discover", {}) if era == "modern" else client.initialize())).result[
        "capabilities"
    ]
    got = await client.ask("prompts/list", {})

    assert set(said) == {"tools"}
    if door == "one":
        assert got.error["code"] == -32601
        assert got.status == (404 if era == "modern" else 200)
    else:
        assert got.result["prompts"] == []
    assert library.asked("prompts/list") == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_401_is_renewed_once_on_every_method(hub: Hub, ada: Person, library: Library, era: Era) -> None:
    client = await assistant(hub, ada, library, era, "one")
    connection = (await hub.connections.list(ada.id))[0]
    library.accepted = {"newer-token"}

    async def renew(_connection_id: str) -> bool:
        await hub.give_token(ada, connector(hub, library), connection, "newer-token")
        return True

    hub.credentials.renew = renew

    got = await client.ask("resources/read", {"uri": "note:///1"})

    assert got.result["contents"][0]["text"] == "hi"
    assert hub.credentials.refused_times == 1


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("door", ["one", "all"])
async def test_a_blocked_connector_is_not_asked_for_anything(
    hub: Hub, ada: Person, library: Library, era: Era, door: str
) -> None:
    client = await assistant(hub, ada, library, era, door)
    await hub.connectors.set_state(connector(hub, library).id, "blocked")
    before = len(library.seen)

    read = await client.ask("resources/read", {"uri": outward(hub, library, door, "note:///1")})

    assert read.error["code"] == -32603
    assert len(library.seen) == before


async def test_nobodys_resource_is_read_with_somebody_elses_account(hub: Hub, ada: Person, library: Library) -> None:
    """Grace knows the URI from Ada's assistant; the account in it is looked up among her own."""
    grace = await hub.person("grace")
    client = await hub.client(grace)
    before = len(library.seen)

    got = await client.ask("resources/read", {"uri": outward(hub, library, "all", "note:///1")})

    assert got.error["code"] == -32602
    assert len(library.seen) == before


@pytest.mark.parametrize("era", ERAS)
async def test_a_service_that_is_slow_or_down_takes_nothing_from_the_others(
    hub: Hub, ada: Person, library: Library, era: Era
) -> None:
    other = Library("modern")
    await other.start()
    await hub.connect(ada, other, "adas-other-token", label="second")
    client = await assistant(hub, ada, library, era, "all")
    await other.stop()

    listed = await client.ask("prompts/list", {})

    assert [each["name"] for each in listed.result["prompts"]] == [prefix(hub, library, "all") + "greet"]
    [mark] = listed.result["_meta"]["valetkey/partial"]
    assert mark["connector"] == connector(hub, other).slug
    if era == "modern":
        assert listed.result["ttlMs"] == 0


async def test_a_list_is_kept_as_long_as_its_service_says(hub: Hub, ada: Person, library: Library) -> None:
    library.ttl_ms = 5000
    client = await assistant(hub, ada, library, "modern", "all")
    for _ in range(3):
        await client.ask("prompts/list", {})
    kept = len(library.asked("prompts/list"))
    hub.clock.advance(6)
    await client.ask("prompts/list", {})

    assert kept == (1 if library.era == "modern" else 3)  # older services do not say
    assert len(library.asked("prompts/list")) == kept + 1


@pytest.mark.parametrize("cursor", ["", "vkc_", "vkc_LTE=", "vkc_OTk5OQ==", "vkc_MDA=", "x", 7, "vkc_" + "OQ" * 50])
async def test_a_cursor_that_is_not_ours_is_refused(hub: Hub, ada: Person, library: Library, cursor: object) -> None:
    client = await assistant(hub, ada, library, "modern", "all")

    got = await client.ask("resources/list", {"cursor": cursor})

    assert got.error["code"] == -32602


async def test_a_long_list_comes_in_pages_of_ours(hub: Hub, ada: Person, library: Library) -> None:
    library.pages["resources/list"] = [[NOTE.replace(b"note:///1", b"note:///%d" % n) for n in range(700)]]
    client = await assistant(hub, ada, library, "modern", "all")

    first = await client.ask("resources/list", {})
    second = await client.ask("resources/list", {"cursor": first.result["nextCursor"]})

    assert (len(first.result["resources"]), len(second.result["resources"])) == (500, 200)
    assert "nextCursor" not in second.result


async def test_a_web_address_that_two_accounts_list_is_listed_once(hub: Hub, ada: Person, library: Library) -> None:
    """It has no account in front, so it can only be one thing: that of the account that came first."""
    await hub.connect(ada, library, "adas-other-token", label="second")
    client = await assistant(hub, ada, library, "modern", "all")

    listed = [each["uri"] for each in (await client.ask("resources/list", {})).result["resources"]]

    slug = connector(hub, library).slug
    assert listed == [f"vk+{slug}+note:///1", "https://pages.example/2", f"vk+{slug}.second+note:///1"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_level_of_log_messages_crosses_in_the_services_words(
    hub: Hub, ada: Person, library: Library, era: Era
) -> None:
    client = await assistant(hub, ada, library, era, "one")
    own = {"_meta": {"io.modelcontextprotocol/logLevel": "warning"}} if era == "modern" else {}
    if era == "legacy":
        assert (await client.ask("logging/setLevel", {"level": "warning"})).result == {}
        assert (await client.ask("logging/setLevel", {"level": "loud"})).error["code"] == -32602

    await client.call("board", **own)

    if library.era == "modern":
        meta = library.asked("tools/call")[-1]["params"]["_meta"]
        assert meta["io.modelcontextprotocol/logLevel"] == "warning"
    else:
        assert [each["params"]["level"] for each in library.asked("logging/setLevel")] == ["warning"]


@pytest.mark.parametrize("library", ["modern"], indirect=True)
async def test_tasks_reach_a_client_that_knows_them_under_ids_of_ours(hub: Hub, ada: Person, library: Library) -> None:
    library.called = b'{"taskId":"t1","status":"working"}'
    knows: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    client = await assistant(hub, ada, library, "modern", "all", capabilities=knows)
    library.on_anything = _as_task(library)

    made = await client.call(prefix(hub, library, "all") + "board")
    got = await client.ask("tasks/get", {"taskId": made.result["taskId"]})
    plain = await assistant(hub, ada, library, "modern", "all")

    assert made.result["resultType"] == "task"
    assert made.result["taskId"] == f"{connector(hub, library).slug}+t1"
    assert got.result["taskId"] == made.result["taskId"]
    assert library.asked("tasks/get")[0]["params"]["taskId"] == "t1"
    declared = library.asked("tools/call")[-1]["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
    assert declared == knows
    assert (await plain.call(prefix(hub, library, "all") + "board")).result["isError"] is True


def _as_task(library: Library) -> Any:
    before = library.on_anything

    async def answer(seen: Any) -> Any:
        given = await before(seen)
        if given is not None and b'"tools/call"' in seen.body:
            given.body = given.body.replace(b'"resultType":"complete"', b'"resultType":"task"')
        return given

    return answer
