"""Switching on and off is remembered, seen at once, and bound to the definition that was shown."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import FakeClock
from tests.directory.rows import add_connection, add_person
from valetkey.directory.fingerprint import read_tool
from valetkey.kernel.errors import NotFound
from valetkey.policy.decide import Facts, decide
from valetkey.policy.model import Effect
from valetkey.policy.permissions import Permissions
from valetkey.policy.tool_class import Classified, ToolClass
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

TOOLS = {name: read_tool(b'{"name":"%s"}' % name.encode()) for name in ("list", "delete", "send")}

WRITES = Classified(ToolClass.LOW_WRITE, ToolClass.LOW_WRITE, "It writes.")


@pytest.fixture
async def permissions(database: Database, clock: FakeClock) -> Permissions:
    await add_person(database, "ada", organization_id="org_a")
    await add_connection(database, "cn_1", label="main")
    await add_connection(database, "cn_2", label="work")
    return Permissions(database, Notifications(database), clock=clock)


async def test_nothing_is_switched_on_at_first(permissions: Permissions) -> None:
    assert await permissions.given("cn_1") == {}


async def test_what_is_switched_on_is_on_for_that_connection_only(permissions: Permissions, clock: FakeClock) -> None:
    await permissions.allow("cn_1", [TOOLS["list"]])

    given = (await permissions.given("cn_1"))["list"]
    assert (given.fingerprint, given.set_at) == (TOOLS["list"].fingerprint, clock.now())
    assert await permissions.given("cn_2") == {}


async def test_switching_on_again_takes_the_new_definition(permissions: Permissions) -> None:
    changed = read_tool(b'{"name":"list","description":"new"}')
    await permissions.allow("cn_1", [TOOLS["list"]])

    await permissions.allow("cn_1", [changed])

    assert (await permissions.given("cn_1"))["list"].fingerprint == changed.fingerprint


async def test_switching_off_is_seen_at_once_by_who_had_it_in_memory(permissions: Permissions) -> None:
    await permissions.allow("cn_1", [TOOLS["list"], TOOLS["delete"]])
    await permissions.given("cn_1")
    assert set(permissions.given_now("cn_1") or {}) == {"list", "delete"}

    await permissions.withdraw("cn_1", ["delete", "never was on"])

    assert permissions.given_now("cn_1") is None
    assert set(await permissions.given("cn_1")) == {"list"}


async def test_a_forgotten_connection_has_nothing_switched_on(permissions: Permissions) -> None:
    await permissions.allow("cn_1", [TOOLS["list"]])
    await permissions.allow("cn_2", [TOOLS["list"]])

    await permissions.forget("cn_1")

    assert await permissions.given("cn_1") == {}
    assert set(await permissions.given("cn_2")) == {"list"}


async def test_nothing_can_be_switched_on_where_there_is_no_connection(permissions: Permissions) -> None:
    with pytest.raises(NotFound):
        await permissions.allow("cn_gone", [TOOLS["list"]])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(on=st.sets(st.sampled_from(sorted(TOOLS))), off=st.sets(st.sampled_from(sorted(TOOLS))))
async def test_switching_off_never_allows_more(permissions: Permissions, on: set[str], off: set[str]) -> None:
    await permissions.forget("cn_1")
    await permissions.allow("cn_1", [TOOLS[name] for name in sorted(on)])
    before = await allowed(permissions)

    await permissions.withdraw("cn_1", sorted(off))

    assert before == on
    assert await allowed(permissions) == before - off


async def allowed(permissions: Permissions) -> set[str]:
    switched_on = await permissions.given("cn_1")
    return {
        name
        for name, tool in TOOLS.items()
        if decide(Facts(tool, WRITES, "github", permission=switched_on.get(name))).effect is Effect.ALLOW
    }
