"""The control socket: the same API on a unix socket in the data directory, for whoever runs the hub.

The file is 0600 in a 0700 directory, and each peer's user is asked of the kernel besides: who is not the hub's own user
(or root) is hung up on. A request that comes in here without a token is the operator's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from pathlib import Path
from typing import Any, cast

from starlette.applications import Starlette
from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from valetkey.api.asking import AUDIENCE, as_operator
from valetkey.api.mount import Below
from valetkey.kernel.errors import StartRefused

NAME = "control.sock"
_LONGEST_PATH = 107  # bytes, of sun_path on Linux, without the final zero
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
_SECONDS_TO_FINISH = 5.0


class ControlSocket:
    """Serves `api` on `<data>/control.sock` from `start` to `stop`."""

    def __init__(self, api: ASGIApp, data: Path) -> None:
        self._api = api
        self.path = data / NAME
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listens. A file left over from before is replaced: the caller holds the lock on the data directory."""
        if len(os.fsencode(self.path)) > _LONGEST_PATH:
            raise StartRefused(
                f"The path of the data directory is too long for a socket in it ({self.path}).",
                hint=f"Choose one so that the socket's path has at most {_LONGEST_PATH} bytes.",
            )
        site = Starlette(routes=[Below(AUDIENCE, as_operator(self._api))])
        config = Config(site, lifespan="off", log_config=None, access_log=False, ws="none", server_header=False)
        config.load()
        self.path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Bound under a umask, so that there is no moment at which others could connect.
            before = os.umask(0o177)
            try:
                listening.bind(str(self.path))
            finally:
                os.umask(before)
            listening.setblocking(False)
            self._server = await asyncio.get_running_loop().create_unix_server(
                lambda: _OperatorsOnly(config, self._state, {}), sock=listening
            )
        except OSError as error:
            listening.close()
            raise StartRefused(
                f"The control socket {self.path} cannot be made: {error.strerror}.",
                hint="The data directory must be on a file system that takes sockets.",
            ) from error

    async def stop(self) -> None:
        """Takes no more requests, lets those under way finish, and removes the file."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS_TO_FINISH):
                await asyncio.gather(*self._state.tasks, return_exceptions=True)
        self.path.unlink(missing_ok=True)


class _OperatorsOnly(HttpToolsProtocol):
    """HTTP for peers of our own user or root, by the kernel's word."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base class
        if peer_uid(transport) not in (os.geteuid(), 0):
            transport.abort()
            return
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.transport is not None:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:
            super().connection_lost(exc)


def peer_uid(transport: asyncio.BaseTransport) -> int:
    """The user at the other end of a unix socket (SO_PEERCRED, or what BSD and macOS have for it)."""
    connected = cast("Any", transport.get_extra_info("socket"))
    if hasattr(socket, "SO_PEERCRED"):
        _pid, uid, _gid = _CREDENTIALS.unpack(
            connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        return int(uid)
    # LOCAL_PEERCRED (1) on SOL_LOCAL (0): struct xucred begins with a version and the uid.
    return int(struct.unpack_from("II", connected.getsockopt(0, 1, 76))[1])
