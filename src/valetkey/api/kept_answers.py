"""What was answered to writes that named a key, for a day, so that a write that is asked for twice is done once.

A person's answers are sealed under their key of the day, as their calls are: erasure and retention end them too. The
operator's name nothing but metadata, and lie open. An answer that shows a secret of ours once is not kept at all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from valetkey.api import repository
from valetkey.api.problems import KeyReused
from valetkey.api.repository import KeptRow
from valetkey.identity.model import Principal
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import Conflict, TooMany, VaultFailed
from valetkey.store.database import Database
from valetkey.vault.day_keys import FindsDayKeys

_FOR = timedelta(hours=24)
_MOST = 1000  # of one person at a time
LARGEST = 256 * 1024
"""Bytes of an answer that are kept."""


class StillUnknown(Conflict):
    """The same request was begun, and is under way, or nobody knows how it ended."""

    code = "idempotency_unknown"


class AlreadyDone(Conflict):
    """The same request was done, and its answer is not shown again."""

    code = "already_done"


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it was given."""

    status: int
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A write under a key: whose it is, and what it asks for."""

    principal: Principal
    key: str
    request: bytes
    """All of it that makes it this request and no other."""

    @property
    def whose(self) -> str:
        return self.principal.person_id or "operator"

    @property
    def key_hash(self) -> str:
        return hashlib.sha256(self.key.encode()).hexdigest()

    @property
    def fingerprint(self) -> str:
        # With the token: another one may not be allowed what the answer tells. And the key, which nobody can guess,
        # so that a digest of a short body tells nothing of it.
        digest = hashlib.sha256()
        for part in (self.key.encode(), self.principal.credential_id.encode(), self.request):
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()


class KeptAnswers:
    """Keeps answers for `_FOR`."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, asked: Asked, day_keys: FindsDayKeys) -> Kept | None:
        """The answer to it, or `None`: it is to be done. Raises `KeyReused`, `Conflict`, `TooMany`."""
        now = self._clock.now()
        async with self._database.write() as tx:
            await repository.forget_before(tx, now - _FOR)
            row = await repository.find(tx, asked.whose, asked.key_hash)
            if row is None:
                if await repository.count(tx, asked.whose) >= _MOST:
                    raise TooMany("Too many idempotency keys within a day.", retry_after=3600.0)
                dialect = self._database.dialect
                if await repository.begin(tx, asked.whose, asked.key_hash, asked.fingerprint, now, dialect=dialect):
                    return None
                row = await repository.find(tx, asked.whose, asked.key_hash)  # another process was quicker
        if row is None or row.fingerprint != asked.fingerprint:
            raise KeyReused(
                "This Idempotency-Key was given with another request.", hint="Each write takes a key of its own."
            )
        return await self._answer(asked, row, day_keys)

    async def _answer(self, asked: Asked, row: KeptRow, day_keys: FindsDayKeys) -> Kept:
        if row.status is None:
            raise StillUnknown(
                "This request was begun before, and has not come to an answer.",
                hint="Ask again in a while. If it stays so, look at what came of it, and use another key.",
            )
        body = row.answer
        if row.day and body is not None:
            who = asked.principal
            try:
                key = await day_keys.existing(who.person_id, who.organization_id, row.day)
                body = key.open(body, about=f"answer:{asked.fingerprint}")
            except VaultFailed:
                body = None  # the day's key was destroyed, or the person has left since
        if body is None:
            raise AlreadyDone(
                "This request was done, and its answer is not shown again.",
                hint="A secret is shown once: if it did not arrive, revoke what was made and make another.",
            )
        return Kept(row.status, row.media_type, body)

    async def keep(self, asked: Asked, answer: Kept | None, status: int, day_keys: FindsDayKeys) -> None:
        """It was done; without `answer`, that it was is all that is kept."""
        day, body = "", None if answer is None else answer.body
        if body is not None and asked.principal.person_id:
            day = self._clock.now().date().isoformat()
            key = await day_keys.key(asked.principal.person_id, asked.principal.organization_id, day)
            body = key.seal(body, about=f"answer:{asked.fingerprint}")
        media_type = "" if answer is None else answer.media_type
        async with self._database.write() as tx:
            await repository.set_answer(
                tx, asked.whose, asked.key_hash, KeptRow(asked.fingerprint, status, media_type, day, body)
            )

    async def release(self, asked: Asked) -> None:
        """Nothing was done: the same key may try again."""
        async with self._database.write() as tx:
            await repository.forget(tx, asked.whose, asked.key_hash)
