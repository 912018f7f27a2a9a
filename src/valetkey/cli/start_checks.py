"""What must be so before a hub starts: a data directory that is ours alone, nobody else in it, and a free port.

Each thing that is not so has a sentence, and what to do about it; the hub then does not start (exit 78). The root key's
own checks are the vault's.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from valetkey.kernel.errors import StartRefused
from valetkey.settings import Settings

LOCK = "lock"


@contextlib.contextmanager
def holding_data_directory(path: Path) -> Iterator[None]:
    """Makes the data directory (0700) if need be, checks it, and keeps every other hub out of it meanwhile."""
    _make(path)
    check_data_directory(path)
    descriptor = _lock(path / LOCK)
    try:
        yield
    finally:
        os.close(descriptor)


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError as error:
        raise StartRefused(
            f"The data directory {path} is not a directory.", hint="Name another with --data."
        ) from error
    except OSError as error:
        raise StartRefused(
            f"The data directory {path} cannot be made: {error.strerror}.",
            hint="Let the hub's user write there, or name another with --data.",
        ) from error


def check_data_directory(path: Path) -> None:
    """Raises `StartRefused` unless the directory belongs to us, to us alone, and can be written."""
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise StartRefused(f"The data directory {path} is not a directory.", hint="Name another with --data.")
    if found.st_uid != os.geteuid():
        raise StartRefused(
            f"The data directory {path} belongs to another user.",
            hint="Run the hub as that user, or name another directory with --data.",
        )
    if found.st_mode & 0o077:
        raise StartRefused(
            f"The data directory {path} is open to other users ({stat.S_IMODE(found.st_mode):04o}).",
            hint=f"chmod 700 {path}",
        )
    if not os.access(path, os.W_OK | os.X_OK):
        raise StartRefused(f"The data directory {path} cannot be written.", hint=f"chmod 700 {path}")


def _lock(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StartRefused(
            f"The data directory {path.parent} cannot be written: {error.strerror}.",
            hint="Make room, mount it writable, or name another with --data.",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise StartRefused(
                f"Another hub is running with its data in {path.parent}.",
                hint="Stop it first; two would overwrite each other.",
            ) from error
        raise StartRefused(
            f"The data directory {path.parent} cannot be locked: {error.strerror}.",
            hint="It must be on a local file system.",
        ) from error
    return descriptor


def is_held(path: Path) -> bool:
    """Whether a hub is running with its data in `path`."""
    try:
        os.close(_lock(path / LOCK))
    except StartRefused as refusal:
        return isinstance(refusal.__cause__, OSError) and refusal.__cause__.errno in (errno.EWOULDBLOCK, errno.EACCES)
    return False


def listen(settings: Settings) -> tuple[socket.socket, Settings]:
    """A socket on the settings' address, and the settings with the port that was really taken (port 0: a free one)."""
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise StartRefused(
            f"The address {host!r} to listen on cannot be found.", hint="Give --host 127.0.0.1, say."
        ) from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise _cannot_listen(host, port, error) from error
    taken: int = listening.getsockname()[1]
    if settings.public_url == f"http://localhost:{port}":
        return listening, replace(settings, port=taken, public_url=f"http://localhost:{taken}")
    return listening, replace(settings, port=taken)


def _cannot_listen(host: str, port: int, error: OSError) -> StartRefused:
    if error.errno == errno.EADDRINUSE:
        return StartRefused(f"Port {port} on {host} is in use.", hint="Stop what uses it, or give another --port.")
    if error.errno == errno.EACCES:
        return StartRefused(
            f"Port {port} may only be taken by the system's administrator.",
            hint="Give a --port above 1023; a reverse proxy can stand in front.",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return StartRefused(f"{host} is not an address of this machine.", hint="Give --host 127.0.0.1, say.")
    return StartRefused(f"The hub cannot listen on {host} port {port}: {error.strerror}.", hint="Give another --port.")
