"""Checkpoints as files in a directory on another mount: a network share, a write-once medium."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from valetkey.audit.checkpoint_repository import KeptCheckpoint
from valetkey.audit.sinks.address import Address
from valetkey.kernel.errors import BadInput, Conflict


class FileSink:
    """`file:///directory`: a file for each checkpoint, named by its number, on the disk when `send` returns."""

    def __init__(self, address: Address, *, forbidden_below: Path) -> None:
        self.name = address.name
        self._directory = Path(address.path)
        if address.place or not self._directory.is_absolute():
            raise BadInput("A file sink is an absolute directory.", hint="Write file:///mnt/elsewhere")
        if self._directory.resolve().is_relative_to(forbidden_below.resolve()):
            raise BadInput(
                f"The sink {self.name} lies in the data directory: who has that could rewrite both.",
                hint="Name a directory on another mount.",
            )

    async def send(self, checkpoint: KeptCheckpoint) -> None:
        await asyncio.to_thread(self._write, checkpoint)

    def _write(self, checkpoint: KeptCheckpoint) -> None:
        path = self._directory / f"{checkpoint.number:08}.checkpoint"
        written = checkpoint.note.encode()
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
        except FileExistsError:
            if path.read_bytes() == written:
                return  # we were cut off before it was noted
            raise Conflict(f"{path} holds another checkpoint of that number.", hint="Whose is it?") from None
        with os.fdopen(descriptor, "wb") as file:
            try:
                file.write(written)
                file.flush()
                os.fsync(descriptor)
            except OSError:
                path.unlink(missing_ok=True)  # half a checkpoint is none, and would be taken for another
                raise
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
