"""Who is at the other end of a unix socket: the kernel says whose process it is, and a word of this start which one.

The socket lies in a directory that is ours alone. Another user who gets that far is refused by the user id that the
kernel vouches for; another program of our own user, by the word it does not know.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import socket
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from valetkey.beside.frames import BadFrame

_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_PEERCRED: Final = getattr(socket, "SO_PEERCRED", None)
LONGEST_PATH: Final = 100
"""Bytes; the kernel takes 107, some take fewer."""
_BACKLOG: Final = 2048


def new_word() -> bytes:
    """What a process of this start says first, and no other knows."""
    return secrets.token_bytes(32)


def is_ours(sock: socket.socket) -> bool:
    """Whether the process at the other end runs as our own user, as the kernel says (unix(7), SO_PEERCRED).

    Where the kernel cannot be asked, the directory's mode and the word are what is left.
    """
    if _PEERCRED is None:
        return True
    _pid, uid, _gid = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, _PEERCRED, _CREDENTIALS.size))
    return bool(uid == os.geteuid())


def check_word(said: memoryview, word: bytes) -> None:
    """Raises `BadFrame` for another word."""
    if not hmac.compare_digest(said, word):
        raise BadFrame


async def listen(path: Path, factory: Callable[[], asyncio.BaseProtocol]) -> asyncio.Server:
    """Listens at `path`, in a directory that is nobody else's; one that was left behind is replaced."""
    return await asyncio.get_running_loop().create_unix_server(factory, sock=_bound(path), backlog=_BACKLOG)


def _bound(path: Path) -> socket.socket:
    if stat.S_IMODE(path.parent.stat().st_mode) & 0o077:
        raise PermissionError(f"{path.parent} is open to others")
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o177)
        try:
            listening.bind(str(path))
        finally:
            os.umask(before)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening
