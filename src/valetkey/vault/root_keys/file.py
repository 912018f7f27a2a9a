"""The root key in a file of its own: 32 random bytes that only the hub's user can read.

The rules are security.md 2.4. Each bad state has its own sentence, because the operator who reads it at three in the
morning has nothing else to go by.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from valetkey.kernel.errors import StartRefused
from valetkey.vault.envelope import KEY_SIZE, wipe
from valetkey.vault.model import WrongKey
from valetkey.vault.root_keys.held import HeldKeys

_RESTORE = "Put the key back from your backup of it."


class FileRootKey(HeldKeys):
    """Root keys read from files: version 1 from `path`, each later one from a file beside it, `path` and `.VERSION`."""

    scheme = "file"

    def __init__(self, key: bytearray, *, path: Path, created: bool, version: int = 1) -> None:
        super().__init__()
        self.hold(key, version=version)
        self._making = asyncio.Lock()
        self.path = path
        self.created = created
        """Whether this start made the key: then the operator is told to back it up, apart from the data."""

    @property
    def place(self) -> str:
        return str(self.path)

    def file_of(self, version: int) -> Path:
        """Where the key of that version lies."""
        return _file_of(self.path, version)

    async def rotate(self) -> int:
        """A new key in a file of its own, on the disk before it wraps anything. The hub never removes a key file."""
        async with self._making:
            self._take_newer()  # one that a cut-off rotation, or another process, made
            version = self.version + 1
            await asyncio.to_thread(_create, self.file_of(version))  # calls do not wait for the disk
            key = _read(self.file_of(version))
            try:
                self.hold(key, version=version)
            finally:
                wipe(key)
            return version

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytearray:
        try:
            return await super().unwrap(wrapped, context=context)
        except WrongKey:
            if not self._take_newer():
                raise
        return await super().unwrap(wrapped, context=context)

    def _take_newer(self) -> bool:
        """Reads the key files made since we started; whether there was one."""
        newer = [version for version in _versions(self.path) if version not in self.versions]
        for version in newer:
            key = _read(self.file_of(version))
            try:
                self.hold(key, version=version)
            finally:
                wipe(key)
        return bool(newer)


def open_or_create(path: Path, *, forbidden_below: Sequence[Path], may_create: bool) -> FileRootKey:
    """The root key in the file at `path`, made there if it is missing and `may_create` (a first start, no keyring yet).

    `forbidden_below` are the data and backup directories: a key beside what it opens protects nothing. Raises
    `StartRefused`, with a sentence of its own for each thing that can be wrong.
    """
    _check_place(path, forbidden_below)
    versions = _versions(path)
    created = False
    if not versions:
        if not may_create:
            raise StartRefused(
                f"The root key {path} is missing, but this deployment already has keys that only it opens.",
                hint=f"{_RESTORE} A new key would open nothing.",
            )
        _create(path)
        versions, created = [1], True
    opened: FileRootKey | None = None
    for version in versions:
        key = _read(_file_of(path, version))
        try:
            if opened is None:
                opened = FileRootKey(key, path=path, created=created, version=version)
            else:
                opened.hold(key, version=version)
        finally:
            wipe(key)
    assert opened is not None
    return opened


def _file_of(path: Path, version: int) -> Path:
    return path if version == 1 else path.with_name(f"{path.name}.{version}")


def _versions(path: Path) -> list[int]:
    """Which versions have a file (or whatever stands in its place: reading it says what is wrong with that)."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except FileNotFoundError:
        return []
    later = re.compile(re.escape(path.name) + r"\.([1-9][0-9]{0,5})")
    found = [int(match[1]) for name in names if (match := later.fullmatch(name)) and match[1] != "1"]
    return sorted([1, *found] if path.name in names else found)


def _read(path: Path) -> bytearray:
    """The key in the file at `path`, for the caller to wipe."""
    descriptor = _open(path)
    try:
        _check_file(path, os.fstat(descriptor))
        key = bytearray(KEY_SIZE)
        if os.readv(descriptor, [key]) != KEY_SIZE:
            raise StartRefused(f"The root key {path} changed while it was read.", hint="Start again.")
    finally:
        os.close(descriptor)
    try:
        _check_content(path, key)
    except StartRefused:
        wipe(key)
        raise
    return key


def _check_place(path: Path, forbidden_below: Sequence[Path]) -> None:
    real = path.parent.resolve() / path.name  # the last part is never followed
    for directory in forbidden_below:
        if real.is_relative_to(directory.resolve()):
            raise StartRefused(
                f"The root key {path} lies below {directory}, beside what it opens.",
                hint="Move it out, so that a copy of the data is not a copy of the key, and say where with --root-key.",
            )
    try:
        parent = path.parent.stat()
    except FileNotFoundError:
        return  # made with the key, or the key is missing
    except NotADirectoryError:
        _refuse_parent(path)
    except PermissionError as error:
        raise StartRefused(
            f"The directory of the root key, {path.parent}, cannot be looked into.",
            hint="Let the hub's user search every directory on the way to it (chmod u+x).",
        ) from error
    if not stat.S_ISDIR(parent.st_mode):
        _refuse_parent(path)
    if parent.st_uid not in (os.geteuid(), 0):
        raise StartRefused(
            f"The directory of the root key, {path.parent}, belongs to another user, who could exchange the key.",
            hint=f"chown {os.geteuid()} {path.parent}",
        )
    if parent.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StartRefused(
            f"Others may write in the directory of the root key, {path.parent}, and so exchange the key.",
            hint=f"chmod go-w {path.parent}",
        )


def _refuse_parent(path: Path) -> NoReturn:
    raise StartRefused(
        f"The root key cannot be at {path}: {path.parent} is not a directory.", hint="Say where with --root-key."
    )


def _open(path: Path) -> int:
    try:
        # O_NONBLOCK: a named pipe put in the key's place must not make the start hang.
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise StartRefused(f"The root key {path} went away while it was read.", hint=_RESTORE) from error
    except PermissionError as error:
        raise StartRefused(
            f"The root key {path} cannot be read by the hub's user.",
            hint=f"chown {os.geteuid()} {path} && chmod 600 {path}",
        ) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StartRefused(
                f"The root key {path} is a symbolic link.",
                hint="Put the file itself there, or point --root-key at the file.",
            ) from error
        raise StartRefused(
            f"The root key {path} cannot be opened: {os.strerror(error.errno or 0)}.", hint="Check the path and disk."
        ) from error


def _check_file(path: Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise StartRefused(f"The root key {path} is a directory.", hint="Name the key file itself with --root-key.")
    if not stat.S_ISREG(found.st_mode):
        raise StartRefused(
            f"The root key {path} is not a regular file.", hint="Devices, pipes and sockets are not keys; put a file."
        )
    if found.st_uid != os.geteuid():
        raise StartRefused(
            f"The root key {path} belongs to user {found.st_uid}, not to the hub's user {os.geteuid()}.",
            hint=f"chown {os.geteuid()} {path}",
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode != 0o600:
        raise StartRefused(
            f"The root key {path} has mode {mode:04o}; it must be readable by its owner alone (0600).",
            hint=f"chmod 600 {path} and, if others could read it, make a new one and rotate.",
        )
    if found.st_nlink > 1:
        raise StartRefused(
            f"The root key {path} has {found.st_nlink} names (hard links), so a copy of it is somewhere else.",
            hint=f"find / -xdev -samefile {path}    and remove the others.",
        )
    if found.st_size == 0:
        raise StartRefused(
            f"The root key {path} is empty.", hint=f"{_RESTORE} If the very first start was cut off, remove the file."
        )
    if found.st_size != KEY_SIZE:
        raise StartRefused(f"The root key {path} is {found.st_size} bytes long, not {KEY_SIZE}.", hint=_RESTORE)


def _check_content(path: Path, key: bytearray) -> None:
    if len(set(key)) == 1:
        raise StartRefused(
            f"The root key {path} is one byte repeated, not a key.", hint="Remove it and let the hub make one."
        )
    if all(0x20 <= byte < 0x7F or byte in b"\t\r\n" for byte in key):
        # Chance that 32 random bytes look like this: one in 10¹⁴. A placeholder or a password does always.
        raise StartRefused(
            f"The root key {path} is text (a placeholder?), not {KEY_SIZE} random bytes.",
            hint="Remove it and let the hub make one.",
        )


def _create(path: Path) -> None:
    """Writes a new key, on the disk (file and directory entry) before anything is wrapped under it."""
    key = bytearray(os.urandom(KEY_SIZE))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)  # whatever the umask took away
            if os.write(descriptor, key) != KEY_SIZE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except FileExistsError:
        return  # another start was quicker: its key is read like any other
    except OSError as error:
        raise StartRefused(
            f"No root key could be written at {path}: {os.strerror(error.errno or 0)}.",
            hint="Give the hub's user a directory it can write in, or say another place with --root-key.",
        ) from error
    finally:
        wipe(key)
