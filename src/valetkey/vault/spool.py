"""The spool: what a service has just given us, sealed into a file before any database is asked (security.md 2.6).

A refresh token that was exchanged exists nowhere but in the answer. Between the answer and the database lie several
writes, a database that may be down, and `kill -9`. So:

    1. before the question: a data key for this one answer, wrapped, into the keyring; without it nothing is asked
    2. after the answer: one file, sealed under that key, fsynced
    3. when the answer is in the database: the file and its key go

Who finds a file at the start, or before asking for the same connection, has an answer that was not written down. Its
key lies with the other keys of the connection: shredding them makes the file, and every backup of it, unreadable.
The files of a replica are its own; those of the processes on one host are shared.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from valetkey.kernel.clock import Clock
from valetkey.vault import repository
from valetkey.vault.envelope import check_name, key_name, new_key, open_into, seal, take_apart, wipe
from valetkey.vault.keyring import Keyring
from valetkey.vault.model import Binding, NothingSealed
from valetkey.vault.repository import DataKeyRow

PURPOSE = "spool_"
"""What the purpose of a spool's data key begins with; eight characters of its own follow."""

_NAME = re.compile(r"([a-z]+_[0-9a-z]{26})\.(spool_[0-9a-f]{8})")
_LONGEST = 256 * 1024


@dataclass(slots=True)
class Slot:
    """A place for one answer. `key` is wiped as soon as the answer is in it."""

    binding: Binding
    key: bytearray

    @property
    def named(self) -> Waiting:
        return Waiting(self.binding.subject, self.binding.purpose)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An answer that was not written down, by the names in its file's name."""

    subject: str
    purpose: str


class Spool:
    """The files in `directory`, which is made (0700) when the first is written."""

    def __init__(self, directory: Path, keyring: Keyring, *, clock: Clock) -> None:
        self.directory = directory
        self._keyring = keyring
        self._clock = clock

    async def prepare(self, bound_to: Binding) -> Slot:
        """Makes room for one answer. `bound_to` is for whom it will be; its purpose is chosen here."""
        binding = replace(bound_to, purpose=PURPOSE + secrets.token_hex(4))
        tenant_key = await self._keyring.newest(binding.tenant)
        key = new_key()
        wrapped = tenant_key.wrap(
            key,
            subject=binding.subject,
            purpose=binding.purpose,
            generation=1,
            bound_to=binding.associated_data(1),
        )
        row = DataKeyRow(
            binding.subject,
            binding.purpose,
            1,
            binding.tenant,
            tenant_key.version,
            wrapped,
            key_name(key),
            self._clock.now(),
        )
        async with self._keyring.database.write() as tx:
            await repository.add_data_keys(tx, [row])
        return Slot(binding, key)

    async def keep(self, slot: Slot, answer: bytearray) -> None:
        """`write`, in a thread. Raises `OSError`."""
        await asyncio.to_thread(self.write, slot, answer)

    def write(self, slot: Slot, answer: bytearray) -> None:
        """Puts `answer` into its slot and on the disk. Blocks: call it in a thread. Raises `OSError`."""
        try:
            sealed = seal(slot.key, answer, slot.binding.associated_data(1))
        finally:
            wipe(slot.key)
        self.directory.mkdir(mode=0o700, exist_ok=True)
        path = self._path(slot.binding.subject, slot.binding.purpose)
        unfinished = path.with_name(f"{path.name}.part")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(path)  # never half of one under its own name
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        _sync(self.directory)

    def waiting(self, subject: str = "") -> list[Waiting]:
        """The answers that were not written down: those for `subject`, or all."""
        return waiting_in(self.directory, subject)

    async def read(self, one: Waiting, *, bound_to: Binding) -> bytearray:
        """The answer, for the caller to wipe. Raises `VaultFailed` if it can be opened no more, or never could."""
        binding = replace(bound_to, subject=one.subject, purpose=one.purpose)
        try:
            sealed = take_apart(_bounded(self._path(one.subject, one.purpose)))
        except FileNotFoundError as error:
            raise NothingSealed("Somebody else has taken this answer up.") from error
        async with self._keyring.database.read() as tx:
            row = await repository.find_data_key(tx, one.subject, one.purpose)
        if row is None:
            raise NothingSealed("The connection was ended, or the answer was written down.")
        key = await self._keyring.unwrap(row, purpose=one.purpose, bound_to=binding.associated_data(1))
        try:
            check_name(sealed, key)
            answer = bytearray(sealed.length)
            open_into(AESGCM(key), sealed, binding.associated_data(1), answer)
        finally:
            wipe(key)
        return answer

    async def clear(self, subject: str) -> None:
        """The newest answer for `subject` is written down, or it has ended: all its files go, and their keys."""
        for path in self.directory.glob(f"{subject}.*"):  # those that were being written when we were killed, too
            path.unlink(missing_ok=True)
        async with self._keyring.database.write() as tx:
            gone = await repository.delete_data_keys_like(tx, subject, PURPOSE)
        if gone:
            await self._keyring.database.truncate_log()

    async def remove(self, one: Waiting) -> None:
        """This answer is of no use, or there was none: its file and its key go."""
        self._path(one.subject, one.purpose).unlink(missing_ok=True)
        async with self._keyring.database.write() as tx:
            gone = await repository.delete_data_key(tx, one.subject, one.purpose)
        if gone:
            await self._keyring.database.truncate_log()

    def _path(self, subject: str, purpose: str) -> Path:
        return self.directory / f"{subject}.{purpose}"


def waiting_in(directory: Path, subject: str) -> list[Waiting]:
    """What lies in a spool's directory, by names alone: for `subject`, or all."""
    try:
        names = [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return []
    found = [Waiting(*match.groups()) for name in sorted(names) if (match := _NAME.fullmatch(name))]
    return [one for one in found if subject in ("", one.subject)]


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LONGEST)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
