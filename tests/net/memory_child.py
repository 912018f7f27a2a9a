"""A process that makes calls with a ticket, then waits while its memory is searched. Run by test_memory.py.

memory_child.py LOOP URL CA_FILE CALLS        the token's key stream comes in on stdin, XORed: never in clear here
"""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import sys
from collections.abc import Sequence
from pathlib import Path

from valetkey.kernel.clock import SystemClock
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.limits import Limits
from valetkey.net.model import TimedOut
from valetkey.net.outbound import Outbound, open_outbound
from valetkey.net.url import parse_url

HEAD = b"authorization: Bearer "


class Masked:
    """A ticket that holds its token masked, and unmasks it byte by byte into the buffer it is given."""

    def __init__(self, origin: str, mask: bytes, masked: bytes) -> None:
        self._origin, self._mask, self._masked = origin, mask, masked

    @property
    def origin(self) -> str:
        return self._origin

    @property
    def size(self) -> int:
        return len(HEAD) + len(self._masked) + 2

    def write_into(self, buffer: memoryview) -> None:
        buffer[: len(HEAD)] = HEAD
        for index, (one, other) in enumerate(zip(self._mask, self._masked, strict=True), len(HEAD)):
            buffer[index] = one ^ other
        buffer[-2:] = b"\r\n"

    def masked(self, data: bytes) -> bytes:
        return data

    @property
    def longest(self) -> int:
        return 0


async def resolve(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def run(url_text: str, ca_file: str, calls: int, mask: bytes, masked: bytes) -> Outbound:
    policy = AddressPolicy([ipaddress.ip_network("127.0.0.1/32")])
    outbound = open_outbound(policy, SystemClock(), Path(ca_file), resolve=resolve)
    url = parse_url(url_text)

    async def call(path: str, size: int, limits: Limits) -> None:
        target = parse_url(url.origin + path)
        ticket = Masked(url.origin, mask, masked)
        answer = await outbound.calls.post(target, (), b"x" * size, credential=ticket, pool="p", limits=limits)
        assert (answer.status, answer.body) == (200, b"right"), answer

    for number in range(calls):
        await call("/echo", 4_000_000 if number % 10 == 9 else 100, Limits())
    await asyncio.gather(*(call("/echo", 100, Limits()) for _ in range(min(calls, 20))))
    # A server that reads nothing: the request is cut off in the middle, with the rest still queued.
    try:
        await call("/stall", 40_000_000, Limits(first_byte=0.3, total=0.3))
    except TimedOut:
        pass
    else:
        raise AssertionError("the stalled call was answered")
    return outbound


async def main() -> None:
    _, _, url, ca_file, calls = sys.argv
    line = sys.stdin.readline().split()
    outbound = await run(url, ca_file, int(calls), bytes.fromhex(line[0]), bytes.fromhex(line[1]))
    gc.collect()
    print("READY", flush=True)
    sys.stdin.readline()
    await outbound.close()


if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
