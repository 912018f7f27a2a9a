"""The journal: what must survive `kill -9`, appended to a file before the act and dropped once the database has it.

A file begins with a magic and is a sequence of frames: length and CRC-32 of the payload (4 bytes each, little-endian),
then the payload, and zeros after the last one. It is mapped into memory, so a frame is in the kernel when it has been
copied there, without a call of the system; it is on the disk within 50 ms (design.md 5). Room is reserved before it is
needed: on a full disk that fails, and nothing is written. Each process writes files of its own and holds a lock on
them; files nobody holds are those of the dead, and are replayed at the next start.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import structlog

from valetkey.kernel.errors import NotRecorded
from valetkey.kernel.ids import new_id

MAGIC = b"VKJ1\n"
_HEAD = struct.Struct("<II")
_NO_HEAD = bytes(_HEAD.size)
_SYNC_AFTER = 0.025  # seconds; with a slow disk's own time still within 50 ms
_ROLL_AT = 4 * 1024 * 1024
_EMPTY_AT = 64 * 1024
_RESERVED_AT_ONCE = 512 * 1024
_ZEROS = bytes(64 * 1024)
_MAKE_ROOM = "Make room on the disk of the data directory."

Reserve = Callable[[int, int, int], None]
"""Takes a descriptor, an offset and a length; makes sure that the disk has room there, or raises `OSError`."""


def write_zeros(descriptor: int, at: int, length: int) -> None:
    """Reserves room. Not by `fallocate`: a page whose blocks are known costs and stalls less when it is touched."""
    while length:
        written = os.pwrite(descriptor, _ZEROS[: min(length, len(_ZEROS))], at)
        at, length = at + written, length - written


class Segment:
    """One file. `waiting` counts the frames in it whose record is not in the database yet."""

    __slots__ = ("descriptor", "is_dirty", "is_new", "memory", "path", "reserved", "size", "waiting")

    def __init__(self, path: Path, descriptor: int, memory: mmap.mmap) -> None:
        self.path = path
        self.descriptor = descriptor
        self.memory = memory
        self.size = self.reserved = len(MAGIC)
        self.waiting = 0
        self.is_dirty = True
        self.is_new = True
        """Its name in the directory is not known to be on the disk."""

    def empty(self) -> None:
        """Overwrites all frames with zeros."""
        at = len(MAGIC)
        while at < self.size:
            end = min(self.size, at + len(_ZEROS))
            self.memory[at:end] = _ZEROS[: end - at]
            at = end
        self.size = len(MAGIC)


class Journal:
    """An open journal in `directory`.

    The event loop appends, rolls and lets go; a thread does everything that waits for the disk (fsync, unlink), so the
    loop never does. Only threads take the lock.
    """

    def __init__(self, directory: Path, *, reserve: Reserve = write_zeros) -> None:
        self._directory = directory
        self._reserve = reserve
        self._active: Segment | None = None
        self._full: list[Segment] = []
        self._done: list[Segment] = []
        self._broken = ""
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._disk = threading.Lock()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Begins a file. Raises `OSError` when that is not possible."""
        self._active = self._begin()
        self._wake.set()  # the file's name is to reach the disk, and a new file counts as dirty
        self._thread = threading.Thread(target=self._keep_on_disk, name="journal", daemon=True)
        self._thread.start()

    def append(self, payload: bytes) -> Segment:
        """Writes one frame, which survives the process from here on. Raises `NotRecorded`: then nothing was written."""
        frame = _HEAD.pack(len(payload), crc32(payload)) + payload
        active = self._active
        if active is None or self._broken or active.size + len(frame) > active.reserved:
            active = self._with_room(len(frame))
        end = active.size + len(frame)
        active.memory[active.size : end] = frame
        active.size = end
        active.waiting += 1
        if not active.is_dirty:
            active.is_dirty = True
            self._wake.set()
        return active

    def tidy(self, *, idle: bool = False) -> None:
        """Lets go of files that the database has whole, and begins a new one when this one is long.

        When `idle`, empties the active file as well: no payload stays here longer than it is needed.
        """
        for segment in [full for full in self._full if full.waiting == 0]:
            self._full.remove(segment)
            self._done.append(segment)
            self._wake.set()
        active = self._active
        if active is None:
            return
        if active.waiting == 0 and active.size > (len(MAGIC) if idle else _EMPTY_AT):
            active.empty()
            if not active.is_dirty:
                active.is_dirty = True
                self._wake.set()
        elif active.size >= _ROLL_AT:
            self._roll()

    def sync(self) -> None:
        """Returns when everything appended so far is on the disk. Blocks: call it in a thread. Raises `NotRecorded`."""
        self._sync()
        if self._broken:
            raise NotRecorded(f"The journal cannot be written: {self._broken}.")

    def close(self) -> None:
        """Stops the thread; files that the database has whole are removed, the others wait for the next start."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        with self._disk:
            files = [*self._done, *self._full, *([self._active] if self._active else [])]
            self._done, self._full, self._active = [], [], None
            for segment in files:
                segment.memory.close()
                if segment.waiting == 0:
                    segment.path.unlink(missing_ok=True)
                else:
                    os.ftruncate(segment.descriptor, segment.size)
                os.close(segment.descriptor)

    # --- files ------------------------------------------------------------------------------------------------------

    def _begin(self, room: int = 0) -> Segment:
        while True:
            path = self._directory / f"{new_id('jnl')}.journal"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets go of it, however we end
                if os.write(descriptor, MAGIC) != len(MAGIC):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                length = len(MAGIC) + max(_ROLL_AT, room)
                os.ftruncate(descriptor, length)  # no room yet: that is reserved step by step
                memory = mmap.mmap(descriptor, length)
            except BlockingIOError:
                os.close(descriptor)  # another start took it for a dead process's: it is that one's now
                continue
            except OSError:
                path.unlink(missing_ok=True)
                os.close(descriptor)
                raise
            return Segment(path, descriptor, memory)

    def _with_room(self, size: int) -> Segment:
        """The file in use, with room for a frame of `size` bytes. Raises `NotRecorded`."""
        active = self._active
        if active is not None and (self._broken or active.size + size > len(active.memory)):
            self._roll(size)
            active = self._active
        if active is None or self._broken or active.size + size > len(active.memory):
            raise NotRecorded(f"The journal cannot be written: {self._broken or 'there is no open file'}.")
        missing = active.size + size - active.reserved
        if missing > 0:
            length = min(max(missing, _RESERVED_AT_ONCE), len(active.memory) - active.reserved)
            try:
                self._reserve(active.descriptor, active.reserved, length)
            except OSError as error:
                raise NotRecorded(f"The journal cannot be written: {_reason(error)}.", hint=_MAKE_ROOM) from error
            active.reserved += length
        return active

    def _roll(self, room: int = 0) -> None:
        try:
            fresh = self._begin(room)
        except OSError as error:
            structlog.get_logger(__name__).error("no new journal file", reason=_reason(error))
            return
        if self._active is not None:
            self._full.append(self._active)
        self._active, self._broken = fresh, ""
        self._wake.set()

    # --- the thread -------------------------------------------------------------------------------------------------

    def _keep_on_disk(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._stop.wait(_SYNC_AFTER)  # whoever appends meanwhile shares this fsync
            self._wake.clear()
            self._sync()

    def _sync(self) -> None:
        with self._disk:
            active = self._active
            for segment in [*self._full, *([active] if active else [])]:
                try:
                    self._sync_one(segment)
                except OSError as error:
                    # The kernel may have dropped the pages and say "fine" next time: this file is not trusted again.
                    self._broken = f"the disk failed ({_reason(error)})"
            while self._done:
                segment = self._done.pop()
                segment.memory.close()
                segment.path.unlink(missing_ok=True)  # before the lock on it goes: nobody is to replay it
                os.close(segment.descriptor)

    def _sync_one(self, segment: Segment) -> None:
        if segment.is_dirty:
            segment.is_dirty = False  # before the sync: what is appended during it sets it again
            os.fdatasync(segment.descriptor)
        if segment.is_new:
            sync_directory(self._directory)
            segment.is_new = False


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0)


def sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def left_behind(directory: Path) -> Iterator[list[Path]]:
    """The files of processes that are gone, oldest first, held so that no other start replays them too."""
    held: list[int] = []
    paths: list[Path] = []
    try:
        for path in sorted(directory.glob("*.journal")):
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # its process is alive and was done with it
            held.append(descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if os.fstat(descriptor).st_nlink:
                paths.append(path)
        yield paths
    finally:
        for descriptor in held:
            os.close(descriptor)


def read_frames(content: bytes) -> tuple[list[bytes], bytes]:
    """The whole frames of a file, and the rest after the last one: zeros, or what a crash or the disk made of it."""
    if not content.startswith(MAGIC):
        return [], content
    frames, end = whole_frames(content, at=len(MAGIC))
    return frames, content[end:]


def whole_frames(content: bytes, *, at: int = 0) -> tuple[list[bytes], int]:
    """The whole frames that stand one after the other in `content`, from `at` on; where the last one ends."""
    frames = []
    while at + _HEAD.size <= len(content):
        length, checksum = _HEAD.unpack_from(content, at)
        payload = content[at + _HEAD.size : at + _HEAD.size + length]
        # A length of 0 is never written; zeros are what a file system leaves of a write that power loss cut off.
        if not length or len(payload) != length or crc32(payload) != checksum:
            break
        frames.append(payload)
        at += _HEAD.size + length
    return frames, at


def is_blank(content: bytes, at: int) -> bool:
    """Whether nothing was written yet from `at` on, as far as `content` tells: there is no more to be read for now."""
    return content[at : at + _HEAD.size] == _NO_HEAD


def missing_of(content: bytes) -> int:
    """How many bytes the first frame needs beyond `content`; 0 if it is whole, or there is none."""
    if len(content) < _HEAD.size:
        return 0
    length, _ = _HEAD.unpack_from(content)
    return max(0, _HEAD.size + length - len(content)) if length else 0


def is_damaged(rest: bytes) -> bool:
    """Whether `rest` may hold more than one torn frame: then records after the bad place could not be read."""
    if len(rest) < _HEAD.size or not rest.strip(b"\0"):
        return False
    length, _ = _HEAD.unpack_from(rest)
    return bool(length) and bool(rest[_HEAD.size + length :].strip(b"\0"))
