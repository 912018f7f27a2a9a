"""The four combinations, with the reference implementation on both sides: what passes is the table in docs/protocol.md.

`UPDATE_DOCS=1` writes the table instead of comparing it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from mcp.client.client import Client as ReferenceClient
from mcp_types import CreateMessageResult, ElicitResult, ListRootsResult, PromptReference, Root, TextContent
from pydantic import FileUrl

from tests.conformance.upstream import application
from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Service
from tests.gateway.test_reference import reference_client, running

PAGE: Final = Path(__file__).resolve().parents[2] / "docs/protocol.md"
# The reference implementation warns of what is deprecated, and goes on with it for a year: so do we.
pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

BEGIN, END = "<!-- matrix -->\n", "<!-- end of matrix -->\n"
COMBINATIONS: Final = [(client, service) for client in ("modern", "legacy") for service in ("modern", "legacy")]


@pytest.fixture
def front() -> Front:
    return "fast"


class Names:
    """What things are called at a door: as at the service, or with whose they are in front."""

    def __init__(self, slug: str) -> None:
        self._slug = slug

    def name(self, name: str) -> str:
        return f"{self._slug}_{name}" if self._slug else name

    def uri(self, uri: str) -> str:
        return f"vk+{self._slug}+{uri}" if self._slug else uri


class Heard:
    """What the client was told or asked beside its answers."""

    def __init__(self) -> None:
        self.logged: list[Any] = []
        self.progress: list[float] = []
        self.messages: list[str] = []

    async def log(self, params: Any) -> None:
        self.logged.append(params)

    async def told(self, message: Any) -> None:
        self.messages.append(str(getattr(message, "method", message)))

    async def count(self, progress: float, total: float | None, message: str | None) -> None:
        self.progress.append(progress)


async def elicit(_context: Any, _params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"username": "ada", "email": "a@b.example", "name": "ada"})


async def sample(_context: Any, _params: Any) -> CreateMessageResult:
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text="Paris"), model="test")


async def roots(_context: Any) -> ListRootsResult:
    return ListRootsResult(roots=[Root(uri=FileUrl("file:///home"), name="home")])


Probe = Callable[[ReferenceClient, Names, Heard], Awaitable[bool]]


async def lists_tools(client: ReferenceClient, names: Names, _heard: Heard) -> bool:
    return names.name("test_simple_text") in [tool.name for tool in (await client.list_tools()).tools]


async def calls(client: ReferenceClient, names: Names, _heard: Heard) -> bool:
    return not (await client.call_tool(names.name("test_multiple_content_types"), {})).is_error


async def progresses(client: ReferenceClient, names: Names, heard: Heard) -> bool:
    await client.call_tool(names.name("test_tool_with_progress"), {}, progress_callback=heard.count)
    return bool(heard.progress)


async def logs(client: ReferenceClient, names: Names, heard: Heard) -> bool:
    await client.call_tool(names.name("test_tool_with_logging"), {})
    return bool(heard.logged)


async def prompts(client: ReferenceClient, names: Names, _heard: Heard) -> bool:
    listed = [prompt.name for prompt in (await client.list_prompts()).prompts]
    got = await client.get_prompt(names.name("test_prompt_with_arguments"), {"arg1": "a", "arg2": "b"})
    return names.name("test_simple_prompt") in listed and bool(got.messages)


async def resources(client: ReferenceClient, names: Names, _heard: Heard) -> bool:
    listed = [str(resource.uri) for resource in (await client.list_resources()).resources]
    read = await client.read_resource(names.uri("test://static-text"))
    return names.uri("test://static-text") in listed and bool(read.contents)


async def templates(client: ReferenceClient, names: Names, _heard: Heard) -> bool:
    [template] = (await client.list_resource_templates()).resource_templates
    read = await client.read_resource(template.uri_template.replace("{id}", "7"))
    return str(read.contents[0].uri) == names.uri("test://template/7/data")


async def completes(client: ReferenceClient, names: Names, _heard: Heard) -> bool:
    reference = PromptReference(type="ref/prompt", name=names.name("test_prompt_with_arguments"))
    return (await client.complete(reference, {"name": "arg1", "value": "par"})).completion.values[0] == "paris"


async def hears_changes(client: ReferenceClient, names: Names, heard: Heard) -> bool:
    """Modern clients open a stream for it, older ones have theirs from the start.

    The hub listens at the service a moment later: what changes before that is told by the list asked for then.
    """
    call = client.call_tool(names.name("test_trigger_prompt_change"), {})
    if client.protocol_version == "2026-07-28":
        async with client.listen(prompts_list_changed=True) as stream:
            await asyncio.sleep(0.3)
            await call
            async with asyncio.timeout(10):
                async for event in stream:
                    return "Prompts" in type(event).__name__
    await asyncio.sleep(0.3)
    await call
    async with asyncio.timeout(10):
        while not any("prompts/list_changed" in message for message in heard.messages):
            await asyncio.sleep(0.02)
    return True


async def asks_forms(client: ReferenceClient, names: Names, _heard: Heard) -> bool:
    return "ada" in str(await client.call_tool(names.name("test_elicitation"), {"message": "Who?"}))


async def asks_the_model(client: ReferenceClient, names: Names, _heard: Heard) -> bool:
    return "Paris" in str(await client.call_tool(names.name("test_sampling"), {"prompt": "Where?"}))


PROBES: Final[dict[str, Probe]] = {
    "Listing tools": lists_tools,
    "Calling tools": calls,
    "Progress": progresses,
    "Log messages": logs,
    "Prompts": prompts,
    "Resources": resources,
    "Templates": templates,
    "Completion": completes,
    "Changes of lists": hears_changes,
    "A question to the person (form)": asks_forms,
    "A question to the model (sampling)": asks_the_model,
}


async def passes(hub: Hub, token: str, path: str, era: str, names: Names, probe: Probe) -> bool:
    """Whether one feature works through one endpoint."""
    heard = Heard()
    mode = "2026-07-28" if era == "modern" else "legacy"
    level = {"log_level": "debug"} if era == "modern" else {}
    async with reference_client(
        hub, token, path, mode, logging_callback=heard.log, message_handler=heard.told, elicitation_callback=elicit,
        sampling_callback=sample, list_roots_callback=roots, **level,
    ) as client:  # fmt: skip
        return await probe(client, names, heard)


async def seen(hub: Hub, login: str, client: str, service: str) -> dict[str, bool]:
    """What passes for a client of one era, at a service of one era, through its own endpoint and through `/mcp`."""
    async with running(application(legacy_only=service == "legacy")) as port:
        there = Service("modern")
        there.port = port
        ada = await hub.person(login)
        connection = await hub.connect(ada, there, "adas-token", on=())
        slug = hub.connector(there).slug
        path = f"/c/{slug}/mcp"
        tokens = {path: await hub.token(ada, path), "/mcp": await hub.token(ada, "/mcp")}
        await passes(hub, tokens[path], path, client, Names(""), lists_tools)
        snapshot = await hub.snapshots.get(connection.id)
        assert snapshot is not None
        await hub.policy.permissions.allow(connection.id, snapshot.tools)
        return {
            feature: all(
                [
                    await passes(hub, tokens[door], door, client, names, probe)
                    for door, names in ((path, Names("")), ("/mcp", Names(slug)))
                ]
            )
            for feature, probe in PROBES.items()
        }


async def test_what_passes_in_each_combination_is_what_the_docs_say(hub: Hub) -> None:
    found = [await seen(hub, f"ada{number}", *pair) for number, pair in enumerate(COMBINATIONS)]
    head = ["", *(f"{client} client, {service} service" for client, service in COMBINATIONS)]
    rows = [[feature, *("✓" if each[feature] else "–" for each in found)] for feature in PROBES]
    table = "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *rows])

    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    written, _, after = rest.partition(END)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(before + BEGIN + table + END + after)
    else:
        assert written == table
