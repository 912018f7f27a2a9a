"""The control socket takes its own user for the operator, and nobody else."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.hub import Hub
from valetkey.api import control_socket
from valetkey.api.app import create
from valetkey.api.control_socket import ControlSocket
from valetkey.cli.hub_client import HubRefused, NoHub, open_hub
from valetkey.kernel.errors import StartRefused


@pytest.fixture
async def data(hub: Hub) -> AsyncIterator[Path]:
    """A data directory with the hub's control socket in it; a short path, since socket paths end at 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="vk-", dir="/tmp") as directory:
        control = ControlSocket(create(hub.services), Path(directory))
        await control.start()
        yield Path(directory)
        await control.stop()
        assert not control.path.exists()


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VALETKEY_TOKEN", raising=False)


async def test_only_its_own_user_can_open_the_file(data: Path) -> None:
    found = (data / "control.sock").stat()

    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600


async def test_a_request_without_a_token_is_the_operators(data: Path) -> None:
    client = open_hub(url="", data=str(data))

    me = await asyncio.to_thread(client.get, "/me")

    assert me["kind"] == "operator"


async def test_a_request_with_a_token_is_its_persons_and_never_the_operators(
    hub: Hub, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALETKEY_TOKEN", await hub.token("bob", "connections:read"))
    client = open_hub(url="", data=str(data))

    me = await asyncio.to_thread(client.get, "/me")
    with pytest.raises(HubRefused) as refused:
        await asyncio.to_thread(client.get, "/people")

    assert (me["kind"], me["person_id"]) == ("personal", hub.people["bob"].id)
    assert (refused.value.status, refused.value.problem) == (403, "insufficient_scope")


async def test_a_peer_of_another_user_is_hung_up_on(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "peer_uid", lambda _transport: os.geteuid() + 1)
    reader, writer = await asyncio.open_unix_connection(data / "control.sock")

    writer.write(b"GET /api/v1/me HTTP/1.1\r\nhost: localhost\r\n\r\n")
    try:
        answer = await reader.read()
    except ConnectionResetError:
        answer = b""

    assert answer == b""
    writer.close()


async def test_the_kernel_says_who_the_peer_is(data: Path) -> None:
    mine, theirs = socket.socketpair(socket.AF_UNIX)
    with mine, theirs:
        loop = asyncio.get_running_loop()
        transport, _protocol = await loop.create_connection(asyncio.Protocol, sock=mine)

        assert control_socket.peer_uid(transport) == os.geteuid()

        transport.abort()
        await asyncio.sleep(0)


async def test_many_requests_on_one_connection_are_answered_in_turn(data: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(data / "control.sock")

    answers = []
    for _ in range(3):
        writer.write(b"GET /api/v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        answers.append(json.loads(await reader.readexactly(length))["status"])

    assert answers == ["ok", "ok", "ok"]
    writer.close()


async def test_a_file_left_over_from_a_crash_is_replaced(hub: Hub) -> None:
    with tempfile.TemporaryDirectory(prefix="vk-", dir="/tmp") as directory:
        (Path(directory) / "control.sock").write_text("left over")
        control = ControlSocket(create(hub.services), Path(directory))

        await control.start()

        assert (await asyncio.to_thread(open_hub(url="", data=directory).get, "/health"))["status"] == "ok"
        await control.stop()


async def test_a_path_too_long_for_a_socket_is_refused_in_words(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="too long"):
        await ControlSocket(create(hub.services), tmp_path / ("x" * 120)).start()


async def test_when_no_hub_is_there_the_command_line_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoHub, match="No hub is running") as refused:
        open_hub(url="", data=str(tmp_path)).get("/me")

    assert "valetkey serve" in refused.value.hint
