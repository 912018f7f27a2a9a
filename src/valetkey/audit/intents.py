"""Reading, in one process, what another has written down: the intents of calls, in the journal that they share.

The vault goes by this in a process of its own: not by what a worker says, but by what it has put on record, where it
stays. What was copied into a file's memory there can be read here at once: the kernel keeps one copy for both.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import Final

import msgspec

from valetkey.audit.journal import MAGIC, is_blank, missing_of, whole_frames
from valetkey.audit.model import CallEnding, CallIntent

_MOST: Final = 50_000
_MOST_FILES: Final = 64
_AT_ONCE: Final = 4 * 1024  # several calls' intents and endings; copied for each ticket
_LONGEST: Final = 64 * 1024 * 1024
_decoder: Final[msgspec.msgpack.Decoder[CallIntent | CallEnding]] = msgspec.msgpack.Decoder(CallIntent | CallEnding)


class _File:
    """One file of the journal, read as far as it was written. Not mapped: its owner may make it shorter."""

    __slots__ = ("at", "descriptor", "inode")

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        self.inode = os.fstat(self.descriptor).st_ino
        self.at = len(MAGIC)

    def read(self) -> list[CallIntent | CallEnding]:
        """What was appended since the last time."""
        found: list[CallIntent | CallEnding] = []
        while True:
            size = _AT_ONCE
            content = os.pread(self.descriptor, size, self.at)
            while (missing := missing_of(content)) and len(content) == size and size < _LONGEST:
                size = min(size + missing, _LONGEST)
                content = os.pread(self.descriptor, size, self.at)
            frames, taken = whole_frames(content)
            self.at += taken
            for frame in frames:
                try:
                    found.append(_decoder.decode(frame))
                except (msgspec.MsgspecError, UnicodeDecodeError):  # of another version: no ground to give anything
                    continue
            if not frames or is_blank(content, taken):
                return found

    def close(self) -> None:
        os.close(self.descriptor)


class WrittenIntents:
    """The intents in the journal's directory that have not ended. Implements `vault.release.FindsIntents`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, _File] = {}
        self._open: OrderedDict[str, CallIntent] = OrderedDict()

    def intent_of(self, call_id: str) -> CallIntent | None:
        """The intent, if it is written down and not ended."""
        self._read_on()
        found = self._open.get(call_id)
        if found is None:
            self._look_again()  # a file was begun, or emptied and is written from its beginning
            found = self._open.get(call_id)
        return found

    def _read_on(self) -> None:
        for file in self._files.values():
            self._take(file)

    def _look_again(self) -> None:
        names = {}
        for path in self._directory.glob("*.journal"):
            try:
                names[path.name] = path.stat().st_ino
            except FileNotFoundError:
                continue
        for name in [name for name, file in self._files.items() if names.get(name) != file.inode]:
            self._files.pop(name).close()
        for name in sorted(names)[-_MOST_FILES:]:
            file = self._files.get(name)
            if file is None:
                try:
                    file = self._files[name] = _File(self._directory / name)
                except OSError:  # gone meanwhile
                    continue
            file.at = len(MAGIC)
            self._take(file)

    def _take(self, file: _File) -> None:
        for value in file.read():
            if isinstance(value, CallIntent):
                self._open[value.id] = value
                if len(self._open) > _MOST:
                    self._open.popitem(last=False)
            else:
                self._open.pop(value.id, None)
