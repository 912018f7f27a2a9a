"""What one person's call, session, page or task is known by is nothing to anybody else or at another account (T31)."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.gateway.asking import ALL, FORM, NAMED
from tests.gateway.client import Client
from tests.gateway.conftest import Front, Hub
from tests.gateway.library import Library
from tests.gateway.service import Answer, Seen
from valetkey.identity.model import Person, Role
from valetkey.identity.organizations import Organizations

LABELS = ("", "second")
SECOND = "vkc_MQ=="
"""Where anybody's list on `/mcp` goes on after its first item."""
CONTENT = re.compile(r"content of ([a-z]+-[a-z]*)")
TOKEN = "token-of-"


@pytest.fixture
def front() -> Front:
    return "fast"


@pytest.fixture
async def library() -> AsyncIterator[Library]:
    """A service that says in everything whose it is, and that anybody may keep it for an hour."""
    started = Library("modern")
    started.ttl_ms = 3_600_000
    before = started.on_anything

    async def answer(seen: Seen) -> Answer | None:
        if not seen.body or (said := _said(seen)) is None:
            return await before(seen)
        kept = {"resultType": "complete", "ttlMs": 3_600_000, "cacheScope": "public"}
        return started._result(seen.message["id"], json.dumps(kept | said).encode())

    started.on_anything = answer
    await started.start()
    yield started
    await started.stop()


def _said(seen: Seen) -> dict[str, Any] | None:
    whose, params = seen.token.removeprefix(TOKEN), seen.message.get("params", {})
    match seen.message.get("method"):
        case "tools/call" if "requestState" not in params:
            return {"resultType": "input_required", "inputRequests": {"q": FORM}, "requestState": f"state of {whose}"}
        case "tools/call":
            return {"content": [{"type": "text", "text": f"content of {whose}, {params['requestState']}"}]}
        case "prompts/list":
            return {"prompts": [{"name": f"p{n}", "description": f"content of {whose}"} for n in range(2)]}
        case "resources/read":
            return {"contents": [{"uri": params["uri"], "text": f"content of {whose}"}]}
        case "tasks/get":
            return {"taskId": params["taskId"], "status": "completed", "result": f"content of {whose}"}
    return None


@dataclass(frozen=True)
class Owner:
    """One account of one person, with what it is known by to its own clients. `here` is the door to it alone."""

    name: str
    person: Person
    here: Client
    everything: Client
    legacy: Client
    state: str
    uri: str
    task: str


async def owners(hub: Hub, library: Library) -> list[Owner]:
    """Two organizations, two people in each, two accounts of each at one service."""
    found: list[Owner] = []
    for org in ("one", "two"):
        organization = await Organizations(hub.database, clock=hub.clock).create(org, "organization")
        hub._added.clear()  # the other organization adds a connector of its own to the same service
        for login in (f"ada{org}", f"eve{org}"):
            person = await hub.people.create(
                login=login, display_name=login, organization_id=organization.id, role=Role.MEMBER
            )
            for label in LABELS:
                await hub.connect(person, library, f"{TOKEN}{login}-{label}", label=label)
            slug = hub.connector(library).slug
            everything = await hub.client(person, capabilities=ALL)
            legacy = await hub.client(person, version="2025-11-25")
            for label in LABELS:
                here = await hub.client(person, path=f"/c/{slug}{label and '/' + label}/mcp", capabilities=ALL)
                account = slug + (label and f".{label}")
                uri, task, state = f"vk+{account}+note:///1", f"{account}+t1", await _asked(here)
                found.append(Owner(f"{login}-{label}", person, here, everything, legacy, state, uri, task))
    return found


async def _asked(client: Client) -> str:
    got = await client.call("echo", {"text": "pay"})
    return str(got.result["requestState"])


def _contents(raw: bytes) -> set[str]:
    """Whose things stand in an answer."""
    return set(CONTENT.findall(raw.decode()))


@pytest.mark.parametrize("rounds", [1, pytest.param(16, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
async def test_nothing_crosses_between_two_people_two_organizations_and_two_accounts(
    hub: Hub, library: Library, rounds: int
) -> None:
    """Each account comes with what every account is known by: 320 attempts, or 5,120."""
    attempts = 0
    everyone = await owners(hub, library)
    theirs = {one.name: {other.name for other in everyone if other.person.id == one.person.id} for one in everyone}
    for _ in range(rounds):
        for mine, other in itertools.product(everyone, everyone):
            attempts += await _attempt(mine, other, theirs)
        for mine in everyone:  # and each state is as good as ever where it belongs
            got = await mine.here.call("echo", {"text": "pay"}, inputResponses={"q": NAMED}, requestState=mine.state)
            assert got.text == f"content of {mine.name}, state of {mine.name}"
        everyone = [await _anew(one) for one in everyone]

    assert attempts == 320 * rounds


async def _anew(one: Owner) -> Owner:
    return Owner(**{**one.__dict__, "state": await _asked(one.here)})


async def _attempt(mine: Owner, other: Owner, theirs: Mapping[str, set[str]]) -> int:
    own = theirs[mine.name]
    if mine is not other:
        state = await mine.here.call("echo", {"text": "pay"}, inputResponses={"q": NAMED}, requestState=other.state)
        assert (state.status, state.error["code"]) == (400, -32602)

    page = await mine.everything.ask("prompts/list", {"cursor": SECOND})
    assert _contents(page.raw) == own

    read = await mine.everything.ask("resources/read", {"uri": other.uri})
    task = await mine.everything.ask("tasks/get", {"taskId": other.task})
    for got in (read, task):
        assert len(_contents(got.raw)) <= 1
        assert _contents(got.raw) <= own
        if other.person.id == mine.person.id:
            assert _contents(got.raw) == {other.name}

    session, mine.legacy.session = mine.legacy.session, other.legacy.session
    pinged = await mine.legacy.ask("ping", {})
    mine.legacy.session = session
    assert pinged.status == (200 if mine.person.id == other.person.id else 404)
    return 5
