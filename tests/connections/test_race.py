"""A thousand callers in each of four processes at the instant of expiry: one token request, nobody fails (T42)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import FakeClock
from tests.connections.conftest import Hub
from tests.connections.nursery import Nursery, Play
from tests.connections.outside import AuthServer, Service
from valetkey.connections import repository
from valetkey.connections.model import State
from valetkey.identity.model import BrowserSession

PROCESSES = 4


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def clock() -> FakeClock:
    """Two hours behind the children, for whom what Ada connects has expired."""
    return FakeClock(datetime.now(UTC) - timedelta(hours=2))


@pytest.fixture(scope="module")
def children() -> Iterator[Nursery]:
    one = Nursery()
    yield one
    one.close()


@pytest.mark.parametrize(
    ("callers", "trials"), [(50, 1), pytest.param(1000, 10, marks=pytest.mark.long)], ids=["some", "all"]
)
async def test_at_expiry_many_callers_in_many_processes_make_one_request(
    hub: Hub,
    ada: BrowserSession,
    children: Nursery,
    service: Service,
    server: AuthServer,
    stores: tuple[str, str],
    tmp_path: Path,
    callers: int,
    trials: int,
) -> None:
    """The server ends the whole family when a refresh token comes twice."""
    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)
    play = Play(
        "call", *stores, str(tmp_path / "keys" / "root.key"), str(hub.spool), connection.person_id, connection.id,
        callers=callers, processes=PROCESSES,
    )  # fmt: skip

    for trial in range(trials):
        async with hub.main.write() as tx:
            await repository.set_connection(tx, connection.id, expires_at=hub.clock.now())
        asked = len(server.posts("/token"))
        began = time.monotonic()
        statuses = await children.play(play)
        requests = len(server.posts("/token")) - asked
        print(f"trial {trial + 1}: {requests} request, {time.monotonic() - began:.1f} s, statuses {statuses}")
        assert (statuses, requests) == ([0] * PROCESSES, 1)
        assert all(grant.is_live for grant in server.access.values())

    assert (await hub.now(connection)).state is State.CONNECTED
