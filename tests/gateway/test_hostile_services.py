"""A service at its worst costs its own caller an error, the hub a bounded memory, and everybody else nothing (T28)."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.gateway.client import Client
from tests.gateway.conftest import Front, Hub
from tests.gateway.hostile_service import NAMES, TOOLS
from tests.gateway.service import Service
from valetkey.audit.model import Outcome

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads peaks of memory in /proc")

MIB = 1 << 20


class Hostile:
    """What the hub's fixture wants to know of a service."""

    tools = TOOLS
    instructions = ""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/mcp"


@pytest.fixture
def front() -> Front:
    return "fast"


@pytest.fixture
async def hostile() -> AsyncIterator[Service]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.gateway.hostile_service", stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    yield cast("Service", Hostile(int(await process.stdout.readline())))
    process.kill()
    await process.wait()


@pytest.fixture
async def ada(hub: Hub, hostile: Service) -> Client:
    person = await hub.person("ada")
    await hub.connect(person, hostile, "adas-token", on=NAMES)
    return await hub.client(person, hostile)


@pytest.fixture
async def grace(hub: Hub, modern: Service) -> Client:
    """Somebody else, at a service that is well."""
    person = await hub.person("grace")
    await hub.connect(person, modern, "graces-token")
    return await hub.client(person, modern)


async def test_every_worst_ends_in_an_error_of_ours_within_bounded_memory_and_holds_nobody_up(
    hub: Hub, ada: Client, grace: Client
) -> None:
    await grace.call("echo", {"text": "first"})
    before = _peak(anew=True)
    said: dict[str, Any] = {}
    longest: dict[str, float] = {}

    for name in NAMES:
        watching = asyncio.ensure_future(_longest_turn())
        got, other = await asyncio.gather(ada.call(name), grace.call("echo", {"text": name}))
        watching.cancel()
        said[name], longest[name] = got, await watching
        assert other.text == name

    assert [name for name, got in said.items() if got.result.get("isError") is not True] == []
    assert _peak() - before <= 64 * MIB
    assert max(longest.values()) < 0.06, longest
    person = await hub.people.find("ada")
    assert person is not None
    outcomes = [record.outcome for record in await hub.records(person)]
    assert len(outcomes) == len(NAMES)
    assert set(outcomes) == {Outcome.TOO_LARGE, Outcome.PROTOCOL_ERROR, Outcome.UNREACHABLE}


async def _longest_turn() -> float:
    """The most that the loop does in one turn, in seconds of its own: so long does everybody wait, on any machine."""
    longest, last = 0.0, time.thread_time()
    try:
        while True:
            await asyncio.sleep(0)
            longest, last = max(longest, time.thread_time() - last), time.thread_time()
    except asyncio.CancelledError:
        return longest


def _peak(*, anew: bool = False) -> int:
    """The most memory this process had (bytes, resident) since it was last asked for anew."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
