"""What a connection's server listed last is kept byte for byte, and what changed is never served from memory."""

from __future__ import annotations

import pytest

from tests.conftest import FakeClock
from tests.directory.rows import add_connection, add_person
from valetkey.directory.snapshots import Snapshots
from valetkey.kernel.errors import NotFound
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

LIST = b'{ "name": "list", "annotations": {"readOnlyHint": true}, "x-vendor": [1.50] }'
DELETE = b'{"name":"delete"}'


@pytest.fixture
async def snapshots(database: Database, clock: FakeClock) -> Snapshots:
    await add_person(database, "ada", organization_id="org_a")
    await add_connection(database, "cn_1")
    return Snapshots(database, Notifications(database), clock=clock)


async def test_a_snapshot_comes_back_as_it_was_put(snapshots: Snapshots, clock: FakeClock) -> None:
    put = await snapshots.put("cn_1", [LIST, DELETE], b'{"serverInfo":{}}', 60)

    found = await snapshots.get("cn_1")

    assert found == put
    assert [tool.raw for tool in found.tools] == [LIST, DELETE]
    assert (found.fetched_at, (found.fresh_until - found.fetched_at).total_seconds()) == (clock.now(), 60)
    assert found.tool("list") is not None
    assert found.tool("LIST") is None


async def test_tools_that_cannot_be_pinned_are_left_out_and_the_first_of_a_name_stands(snapshots: Snapshots) -> None:
    put = await snapshots.put("cn_1", [b"{}", LIST, b'{"name":"list","description":"other"}', b"nonsense"], b"{}", 60)

    assert [tool.raw for tool in put.tools] == [LIST]
    assert await snapshots.get("cn_1") == put


async def test_memory_answers_without_waiting_until_the_snapshot_changes(snapshots: Snapshots) -> None:
    assert snapshots.get_now("cn_1") is None
    await snapshots.put("cn_1", [LIST], b"{}", 60)
    await snapshots.get("cn_1")
    held = snapshots.get_now("cn_1")
    assert held is not None
    assert [tool.name for tool in held.tools] == ["list"]

    changed = await snapshots.put("cn_1", [DELETE], b"{}", 60)

    assert snapshots.get_now("cn_1") is None
    assert await snapshots.get("cn_1") == changed


async def test_a_forgotten_snapshot_is_gone(snapshots: Snapshots) -> None:
    await snapshots.put("cn_1", [LIST], b"{}", 60)
    await snapshots.get("cn_1")

    await snapshots.forget("cn_1")

    assert snapshots.get_now("cn_1") is None
    assert await snapshots.get("cn_1") is None


async def test_a_snapshot_of_no_connection_cannot_be_put(snapshots: Snapshots) -> None:
    with pytest.raises(NotFound):
        await snapshots.put("cn_gone", [LIST], b"{}", 60)
