"""A token exists in memory for one socket write: a search of the whole process finds none afterwards (security.md 2.9).

The calls are made by a process of its own, because this one knows the token.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from pathlib import Path

import pytest
import trustme

from tests.net.conftest import Start, server_context
from tests.net.servers import Received, response

pytestmark = pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="searches /proc/<pid>/mem")

CALLS = 60


def copies(pid: int, needle: bytes) -> int:
    """How often the bytes occur in the readable memory of a process."""
    found = 0
    regions = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for addresses, permissions, *rest in regions:
            if "r" not in permissions or (rest and rest[-1].startswith("[v")):
                continue
            start, end = (int(part, 16) for part in addresses.split("-"))
            try:
                memory.seek(start)
                found += memory.read(end - start).count(needle)
            except OSError:
                continue
    return found


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_no_copy_of_the_token_is_left_after_the_calls(
    loop: str, tls: bool, start: Start, authority: trustme.CA, ca_file: Path
) -> None:
    token = b"CANARY-" + secrets.token_hex(60).encode()

    async def check(request: Received, writer: asyncio.StreamWriter) -> None:
        right = request.header(b"authorization") == b"Bearer " + token
        writer.write(response(b"right" if right else b"wrong"))

    context = server_context(authority, "service.test") if tls else None
    upstream = await start(check, name="service.test", tls=context)
    upstream.stalls_on = b"/stall"
    mask = secrets.token_bytes(len(token))
    masked = bytes(one ^ other for one, other in zip(mask, token, strict=True))

    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.net.memory_child", loop, upstream.url().origin, str(ca_file), str(CALLS),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdin.write(f"{mask.hex()} {masked.hex()}\n".encode())
    ready = await child.stdout.readline()
    assert ready == b"READY\n", (await child.stderr.read()).decode()

    found = [copies(child.pid, needle) for needle in (token, token[:24], token[-24:], b"Bearer CANARY")]
    still_searchable = copies(child.pid, mask)
    child.stdin.write(b"\n")
    await child.communicate()

    assert len(upstream.requests) == CALLS + 20
    assert still_searchable > 0, "the search itself finds what is there"
    assert found == [0, 0, 0, 0]
