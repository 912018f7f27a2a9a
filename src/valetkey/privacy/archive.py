"""An archive as a file: a zip of JSON Lines, written while it is read: however much there is, little is held."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any


class _Outgoing(io.RawIOBase):
    """What the zip writes, until it is taken. Cannot be gone back in, and says so."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


class Archive:
    """Gets the parts in order, and gives the bytes of the zip as they come."""

    def __init__(self, made_at: datetime) -> None:
        self._at = made_at.timetuple()[:6]
        self._out = _Outgoing()
        self._zip = zipfile.ZipFile(self._out, "w")
        self._name = ""
        self._file: Any = None

    def add(self, file: str, lines: Sequence[Mapping[str, Any]]) -> bytes:
        """More lines of a file; another name begins the next one."""
        if file != self._name:
            self._close()
            entry = zipfile.ZipInfo(f"{file}.jsonl", self._at)
            entry.compress_type = zipfile.ZIP_DEFLATED
            self._file, self._name = self._zip.open(entry, "w", force_zip64=True), file
        for line in lines:
            self._file.write(json.dumps(line, ensure_ascii=True).encode() + b"\n")
        return self._out.take()

    def finish(self) -> bytes:
        """The last bytes."""
        self._close()
        self._zip.close()
        return self._out.take()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
