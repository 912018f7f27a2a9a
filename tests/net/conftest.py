"""Fixtures for net: rude servers, a way out that may reach loopback, and the egress hook."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
import trustme

from tests.conftest import FakeClock
from tests.net.egress_hook import egress as egress  # a fixture, re-exported
from tests.net.servers import Answer, Upstream
from valetkey.kernel.errors import VaultFailed
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.outbound import Outbound, open_outbound

LOOPBACK = (ipaddress.ip_network("127.0.0.1/32"),)

Start = Callable[..., Awaitable[Upstream]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a server that answers as told."""
    running: list[Upstream] = []

    async def start_one(answer: Answer, **options: object) -> Upstream:
        upstream = Upstream(answer, **options)  # type: ignore[arg-type]  # keywords of Upstream, passed through
        await upstream.start()
        running.append(upstream)
        return upstream

    yield start_one
    for upstream in running:
        await upstream.stop()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def names(**answers: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A resolver that knows these names only (underscores stand for dots)."""

    async def resolve(host: str, _port: int) -> Sequence[str]:
        return answers[host.replace(".", "_").replace("-", "_")]

    return resolve


@pytest.fixture
async def outbound(clock: FakeClock, ca_file: Path) -> AsyncIterator[Outbound]:
    """A way out that may reach 127.0.0.1."""
    opened = open_outbound(AddressPolicy(LOOPBACK), clock, ca_file, resolve=names(service_test=["127.0.0.1"]))
    yield opened
    await opened.close()


class Ticket:
    """A credential as the vault's are: for one origin, written once."""

    def __init__(self, origin: str, token: str = "adas-token") -> None:
        self._origin = origin
        self._lines = f"authorization: Bearer {token}\r\n".encode()
        self.written = 0

    @property
    def origin(self) -> str:
        return self._origin

    @property
    def size(self) -> int:
        return len(self._lines)

    def write_into(self, buffer: memoryview) -> None:
        self.written += 1
        if self.written > 1:
            raise VaultFailed("This ticket was used before.")
        buffer[:] = self._lines

    def masked(self, data: bytes) -> bytes:
        return data

    @property
    def longest(self) -> int:
        return 0
