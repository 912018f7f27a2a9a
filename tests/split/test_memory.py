"""T09, T10: after many calls and renewals no stored token is in the memory of the worker or the dialer, and what they

are made of lets nobody look, leaves no core dump, and ends with the worker, however that ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.connections.outside import AuthServer, Service

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/mem").exists() or os.geteuid() != 0, reason="searches the memory of processes that forbid it"
)
_BEGIN = b"CANARY-"
MARK = "CANARY-mark-of-the-worker"


def found_in(pid: int, needles: Iterable[str]) -> list[str]:
    """Which of the needles (each begins with CANARY-) are in the readable memory of a process."""
    wanted = {needle.encode() for needle in needles}
    lengths = {len(needle) for needle in wanted}
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            addresses, permissions, *rest = line.split()
            if "r" not in permissions or (len(rest) > 3 and rest[3].startswith("[v")):
                continue
            start, end = (int(part, 16) for part in addresses.split("-"))
            try:
                memory.seek(start)
                content = memory.read(end - start)
            except (OSError, OverflowError):
                continue
            at = content.find(_BEGIN)
            while at >= 0:
                found += [content[at : at + n].decode() for n in lengths if content[at : at + n] in wanted]
                at = content.find(_BEGIN, at + 1)
    return found


async def ended(process: asyncio.subprocess.Process) -> None:
    """Whatever became of the test, nothing of it is left, and nobody waits for long."""
    try:
        async with asyncio.timeout(30):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def worker(
    service: Service, server: AuthServer, *, calls: int, refreshes: int
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int, int]]:
    """A worker that has done its work and waits, with the process ids of its dialer and its vault."""
    with tempfile.TemporaryDirectory(prefix="vk-split-", dir="/tmp") as home:
        data = Path(home) / "data"
        data.mkdir(mode=0o700)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.split.worker", str(data), service.url, str(calls), str(refreshes), MARK,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            where = (await process.stdout.readline()).decode().strip()
            process.stdin.write(json.dumps(server.consent(where)).encode() + b"\n")
            ready, dialer, vault = (await process.stdout.readline()).decode().split()
            assert ready == "READY"
            yield process, int(dialer), int(vault)
        finally:
            if process.returncode is None:
                process.stdin.write(b"\n")
                await ended(process)


@pytest.mark.parametrize(
    ("calls", "refreshes"),
    [(30, 5), pytest.param(1000, 100, marks=[pytest.mark.long, pytest.mark.timeout(900)])],
    ids=["few", "many"],
)
async def test_no_token_is_left_in_worker_or_dialer(
    service: Service, server: AuthServer, calls: int, refreshes: int
) -> None:
    async with worker(service, server, calls=calls, refreshes=refreshes) as (process, dialer, vault):
        tokens = {*server.access, *server.refreshes, *server.used_refreshes}
        secrets = {client.secret for client in server.clients.values()}

        assert len(server.access) == refreshes + 1
        assert len(tokens) == 2 * (refreshes + 1)
        assert found_in(process.pid, tokens | secrets) == []
        assert found_in(dialer, tokens | secrets) == []
        assert found_in(process.pid, [MARK]) != [], "the search finds what is there"
        for pid in (dialer, vault):
            status = Path(f"/proc/{pid}/status").read_text()
            limits = Path(f"/proc/{pid}/limits").read_text()
            assert "NoNewPrivs:\t1" in status
            assert [line.split()[4:6] for line in limits.splitlines() if "core file" in line] == [["0", "0"]]
            assert Path(f"/proc/{pid}/environ").stat().st_uid == 0  # not dumpable: what is below is root's


async def test_a_process_that_aborts_leaves_no_core_dump(service: Service, server: AuthServer) -> None:
    """T10: what is in their memory goes with them, and a new one takes over."""
    before = set(Path.cwd().glob("core*"))
    async with worker(service, server, calls=1, refreshes=1) as (process, dialer, vault):
        for pid in (dialer, vault):
            assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
            os.kill(pid, signal.SIGABRT)
        async with asyncio.timeout(20):
            while any(_is_alive(pid) for pid in (dialer, vault)):
                await asyncio.sleep(0.02)  # processes that end are waited for
        assert process.returncode is None
    assert set(Path.cwd().glob("core*")) == before


async def test_nothing_is_left_running_when_the_worker_is_killed(service: Service, server: AuthServer) -> None:
    async with worker(service, server, calls=1, refreshes=1) as (process, dialer, vault):
        process.kill()
        await process.wait()

        async with asyncio.timeout(10):
            while any(Path(f"/proc/{pid}/stat").exists() and _is_alive(pid) for pid in (dialer, vault)):
                await asyncio.sleep(0.02)  # processes that end are waited for


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
