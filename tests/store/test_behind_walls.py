"""Whole hubs behind PostgreSQL's walls: all they do they do with what their role was granted, no more (T52, ORG-20)."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.connections.outside import TOOLS, Answer, Asked
from tests.databases import migrated_postgres
from tests.store.walls import RUNTIME, as_role, ensure_role
from tests.test_canary_scan import Leaky, Life, Repeating, _begun
from tests.test_doors import ORIGIN
from valetkey import app
from valetkey.app import open_hub
from valetkey.audit.model import Everyone
from valetkey.gateway.large import MAX_RESULT
from valetkey.kernel.errors import NotFound
from valetkey.policy.approval_model import State
from valetkey.policy.terms import Terms
from valetkey.policy.tool_class import ToolClass
from valetkey.settings import Settings
from valetkey.store.database import Database
from valetkey.web.site import site_map

DELETES = next(tool["name"] for tool in TOOLS if tool["name"] != "list_notes")
GONE = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": False}]}  # fmt: skip
SECONDS = 5.0


class Waiting(Repeating):
    """Answers a call only when it is let, from when it was told to wait."""

    def __init__(self, server: Leaky) -> None:
        super().__init__(server)
        self.waits, self.came, self.let = False, asyncio.Event(), asyncio.Event()

    async def handle(self, asked: Asked) -> Answer:
        if self.waits and b"tools/call" in asked.body:
            self.came.set()
            await asyncio.wait_for(self.let.wait(), 30)
        answer = await super().handle(asked)
        if b'"large"' in asked.body and isinstance(answer.body, dict):
            answer.body["result"]["content"] = [{"type": "text", "text": "y" * MAX_RESULT}]
        return answer


@dataclass
class Two:
    """Two replicas on one database, the second with its vault and dialer in processes of their own."""

    here: Life
    there: Life
    server: Leaky
    notes: Waiting
    keyed: Repeating


@asynccontextmanager
async def opened(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Life]:
    """A hub, and the rooms behind its doors."""
    made: dict[str, Any] = {}
    for name in ("ApiServices", "Sessions", "Passwords"):
        real = getattr(app, name)

        def keep(*a: Any, _real: Any = real, _name: str = name, **k: Any) -> Any:
            made[_name] = _real(*a, **k)
            return made[_name]

        monkeypatch.setattr(app, name, keep)
    async with open_hub(settings) as hub:
        yield Life(hub.asgi, made["ApiServices"], made["Sessions"], made["Passwords"])


@pytest.fixture
async def two(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Two]:
    main, keyring = await migrated_postgres(postgres), await migrated_postgres(postgres)
    owner = Database.open(main)
    await ensure_role(owner)
    await owner.close()

    def settings(name: str, vault: str) -> Settings:
        (tmp_path / name).mkdir(mode=0o700)
        return Settings(
            data=tmp_path / name, public_url=ORIGIN, port=8484, root_key=str(tmp_path / "keys/root.key"), vault=vault,
            privacy_policy="template", allow_network=(ipaddress.ip_network("127.0.0.1/32"),),
            database=as_role(main, RUNTIME), migration_database=main,
            keyring_database=as_role(keyring, RUNTIME), migration_keyring_database=keyring,
        )  # fmt: skip

    async with AsyncExitStack() as closing:
        server = await closing.enter_async_context(Leaky())
        notes = await closing.enter_async_context(Waiting(server))
        keyed = await closing.enter_async_context(Repeating(None))
        lives = [
            await closing.enter_async_context(opened(settings(name, vault), monkeypatch))
            for name, vault in (("here", "inline"), ("there", "process"))
        ]
        yield Two(lives[0], lives[1], server, notes, keyed)


async def statuses(life: Life, cookie: str, api: str, door: str, tool: str) -> tuple[int, int, int]:
    """What a browser, a program and an assistant of somebody are answered."""
    page = await life.ask("GET", "/settings", [("cookie", f"sid={cookie}")])
    program = await life.ask("GET", "/api/v1/connections", [("authorization", f"Bearer {api}")])
    return page.status_code, program.status_code, (await life.call_named(door, tool)).status_code


async def test_behind_the_walls_hubs_do_all_they_do_and_who_is_offboarded_is_out_of_both(two: Two) -> None:
    """T52: a grant that is missing is a page of an error, or a call that fails, in one process and in three.

    ORG-20: deactivated by the directory at one replica, in the middle of a call at the other.
    """
    here, there, services = two.here, two.there, two.here.services
    [(slug, api, door)] = await _begun(here, two.server, two.notes, two.keyed, 1, set())
    person = await services.people.find("p0")
    cookie = (await here.sessions.begin(person, "password", "Firefox")).reveal().decode()
    reads = f"{slug}_list_notes"
    assert await statuses(there, cookie, api, door, reads) == (200, 200, 200)
    assert "/approvals/" in (await there.call_named(door, f"{slug}_{DELETES}", id=1)).text
    boss = await services.people.find("boss")
    owners = (await here.sessions.begin(boss, "password", "Firefox")).reveal().decode()
    pages = await drawn(there, owners, slug)
    assert [one for one in pages if one[1] >= 500] == []
    assert len([path for path, status in pages if status == 200]) > 30
    [asked] = await services.policy.approvals.list(person.id)
    assert asked.state is State.PENDING
    terms, approvals = Terms(3, 7, frozenset({"id"})), services.policy.approvals
    call = await approvals.call_of(asked)
    await approvals.approve(asked, session_id="ses_x", proof=b"{}")
    # The tool is one that is asked each time: here it is about how a standing approval ends, not how it is given.
    standing = replace(asked, may_stand=True, for_tool=False, counts_as=ToolClass.HIGH)
    await services.policy.standing.give(standing, call, terms, session_id="ses_x", proof=b"{}")
    assert len(await services.policy.standing.list(person.id)) == 1
    assert "/approvals/" in (await there.call_named(door, f"{slug}_{DELETES}", other=2)).text
    assert {one.state for one in await approvals.list(person.id)} >= {State.PENDING}
    large = re.search(r"call_\w+", (await there.call_named(door, reads, large=1)).text)
    assert large
    whole = f"/api/v1/calls/{large[0]}/result"
    assert len((await there.ask("GET", whole, [("authorization", f"Bearer {api}")])).content) > MAX_RESULT
    token, _ = await services.provisioning.tokens.create(
        person.organization_id, "directory", timedelta(days=1), by="operator"
    )
    scim = [("authorization", f"Bearer {token.reveal().decode()}"), ("content-type", "application/scim+json")]
    two.notes.waits = True
    under_way = asyncio.ensure_future(there.call_named(door, reads))
    await asyncio.wait_for(two.notes.came.wait(), 20)

    began = time.monotonic()
    left = await here.ask("PATCH", f"/scim/v2/Users/{person.id}", scim, GONE)
    async with asyncio.timeout(SECONDS):
        while await statuses(there, cookie, api, door, reads) != (303, 401, 401):
            await asyncio.sleep(0.05)
    took = time.monotonic() - began

    assert (left.status_code, took < SECONDS) == (200, True)
    two.notes.let.set()
    await under_way
    assert {hint for hint, _ in two.server.revoked} == {"refresh_token", "access_token"}
    assert not any(two.server.lets_in(one) for one in two.server.access)
    assert {one.state.value for one in await services.connections.list(person.id)} <= {"not_connected"}
    assert State.PENDING not in {one.state for one in await services.policy.approvals.list(person.id)}
    assert [one.ended_because for one in await services.policy.standing.list(person.id)] == ["disconnected"]
    assert (await there.ask("GET", whole, [("authorization", f"Bearer {api}")])).status_code == 401
    trail = await services.trail.list(Everyone(), limit=500)
    events = {one.event: one.actor for one in trail if one.person_id == person.id}
    assert events["person.disabled"].startswith("scim:")
    assert "connection.disconnected" in events
    # Deactivated, what was kept stays sealed; who is deleted leaves nothing that a key would open.
    assert await there.services.privacy.whole.has(person.id, large[0])
    assert [part async for part in await there.services.privacy.whole.open(person.id, large[0])]
    assert (await here.ask("DELETE", f"/scim/v2/Users/{person.id}", scim)).status_code == 204
    async with asyncio.timeout(SECONDS):
        while await opens(there, person.id, large[0]):
            await asyncio.sleep(0.05)


async def opens(life: Life, person_id: str, call_id: str) -> bool:
    """Whether the kept result of a call can be opened still."""
    try:
        await life.services.privacy.whole.open(person_id, call_id)
    except NotFound:
        return False
    return True


async def drawn(life: Life, cookie: str, slug: str) -> list[tuple[str, int]]:
    """Every page whose address can be told without looking it up, and how it was answered."""
    pages = {page.path.replace("{connector}", slug) for page in site_map() if page.method == "GET"}
    found = []
    for path in sorted(one for one in pages if "{" not in one):
        found.append((path, (await life.ask("GET", path, [("cookie", f"sid={cookie}")])).status_code))
    return found
