"""Sweeping out what has expired: links, challenges, sessions, codes, tokens, and clients nobody let in."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import structlog

from valetkey.identity import (
    client_repository,
    clients,
    families,
    family_repository,
    session_repository,
    sessions,
    token_repository,
)
from valetkey.identity.repository import StoreFailed
from valetkey.identity.signin import repository as signin_repository
from valetkey.identity.signin.openid import repository as openid_repository
from valetkey.identity.tokens import Tokens
from valetkey.kernel.clock import Clock
from valetkey.store.database import Database

_USED_EVERY = 10.0
_SWEEP_EVERY = 600.0
_LISTED_AFTER_EXPIRY = timedelta(days=30)


class Sweeper:
    """Sweeps every ten minutes, and writes down every ten seconds when tokens were last used."""

    def __init__(self, database: Database, *, clock: Clock, tokens: Tokens) -> None:
        self._database = database
        self._clock = clock
        self._tokens = tokens
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Writes what is still to be written."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._tokens.write_used()

    async def sweep(self) -> None:
        """One sweep. Tombstones stay as long as what they stand for would have lived."""
        now = self._clock.now()
        async with self._database.write() as tx:
            await signin_repository.purge(tx, now, now - timedelta(hours=1))
            await openid_repository.purge(tx, now)
            await session_repository.purge(tx, now, now - sessions.IDLE)
        async with self._database.write() as tx:
            await token_repository.purge(tx, now, now - _LISTED_AFTER_EXPIRY)
            await family_repository.purge(
                tx, now, ended_before=now - families.IDLE, unredeemed_before=now - timedelta(hours=1)
            )
            await client_repository.purge_pending(tx, now - clients.PENDING_LIFETIME)

    async def _run(self) -> None:
        log = structlog.get_logger(__name__)
        waited = _SWEEP_EVERY
        while True:
            try:
                await self._tokens.write_used()
                if waited >= _SWEEP_EVERY:
                    await self.sweep()
                    waited = 0.0
            except (OSError, StoreFailed) as error:
                log.warning("sweeping failed, trying again", reason=type(error).__name__)
            await self._clock.sleep(_USED_EVERY)
            waited += _USED_EVERY
