"""Nothing but the dialer connects (T23): the hook sees what happens; the sources are read for what it cannot see."""

from __future__ import annotations

import ast
import asyncio
import socket
from pathlib import Path

import pytest

import valetkey
from tests.net.conftest import Start
from tests.net.egress_hook import Egress, outside_world, watch
from tests.net.servers import response, says
from valetkey.net.outbound import Outbound

SOURCES = Path(valetkey.__file__).parent

# Words that open a connection, or name a client that does.
CONNECTING = {
    "create_connection", "open_connection", "sock_connect", "connect_tcp", "connect_ex", "create_datagram_endpoint",
    "urlopen", "urlretrieve", "HTTPConnection", "HTTPSConnection", "getaddrinfo", "gethostbyname",
}  # fmt: skip
CLIENTS = {
    "httpx", "httpx2", "httpcore", "httpcore2", "requests", "aiohttp", "urllib3", "urllib.request", "http.client",
    "ftplib", "smtplib", "poplib", "imaplib", "telnetlib", "xmlrpc", "websockets", "dns", "niquests",
}  # fmt: skip
# Rooms that talk to something else than the world, by name (design.md 3): programs of ours that are clients of the
# hub or play the outside, the database, and the providers of the root key.
EXCEPTED = ("net/", "cli/", "demo/", "store/", "vault/root_keys/")


def offences(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in CONNECTING:
            found.append(node.attr)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name in CLIENTS]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found += [node.module] if node.module in CLIENTS or node.module.split(".")[0] in CLIENTS else []
            found += [alias.name for alias in node.names if f"{node.module}.{alias.name}" in CLIENTS]
    return found


def test_only_the_dialer_uses_the_words_that_connect() -> None:
    guilty = {}
    for path in SOURCES.rglob("*.py"):
        name = path.relative_to(SOURCES).as_posix()
        if not name.startswith(EXCEPTED) and (found := offences(path.read_text())):
            guilty[name] = found

    assert guilty == {}


def test_within_net_only_the_dialer_opens_sockets() -> None:
    words = {"create_connection", "sock_connect", "getaddrinfo", "connect"}
    users = {
        path.name
        for path in (SOURCES / "net").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in words
        and not (isinstance(node.func.value, ast.Attribute) and node.func.value.attr == "_dialer")
    }  # fmt: skip

    assert users == {"dialer.py"}


async def test_a_call_and_a_fetch_are_dialed_by_the_dialer(start: Start, outbound: Outbound, egress: Egress) -> None:
    upstream = await start(says(response(b"{}")))

    await outbound.calls.post(upstream.url(), (), b"{}", credential=None, pool="p")
    await outbound.web.get(upstream.url())

    assert egress.dialed == [("127.0.0.1", upstream.port)] * 2
    assert egress.violations == []


async def test_any_other_connect_is_seen(start: Start) -> None:
    upstream = await start(says(response(b"{}")))
    seen = watch()
    seen.violations.clear()

    def connect() -> None:
        with socket.create_connection(("127.0.0.1", upstream.port)):
            pass

    connect()
    _, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    writer.transport.abort()
    await asyncio.to_thread(connect)

    assert len(seen.violations) == 3
    seen.watching = False


async def test_a_datagram_is_seen_too() -> None:
    seen = watch()
    seen.violations.clear()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"?", ("127.0.0.1", 9))

    assert len(seen.violations) == 1
    seen.watching = False


async def test_the_tests_own_clients_and_unix_sockets_are_let_be(start: Start, egress: Egress, tmp_path: Path) -> None:
    upstream = await start(says(response(b"{}")))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()

    with outside_world():
        _, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    with listener, socket.socket(socket.AF_UNIX) as unix:
        unix.connect(str(tmp_path / "s"))

    assert egress.violations == []
    writer.transport.abort()


def test_a_strict_watch_makes_the_connect_fail() -> None:
    seen = watch(strict=True)

    with pytest.raises(PermissionError, match=r"127\.0\.0\.1:9"):
        socket.create_connection(("127.0.0.1", 9))

    seen.watching = seen.strict = False
