"""Writing down that a service said a person's credential back: where the person and whoever watches the trail see it.

The credential was masked before anybody got it. But a service that repeats credentials may repeat them elsewhere, too.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

import structlog

from valetkey.audit.log_repository import StoreFailed
from valetkey.audit.trail import Trail
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import ValetkeyError
from valetkey.vault.model import Binding

QUIET: Final = 3600.0
"""Seconds in which a connection's echoes are one event: a tool that always repeats its request would fill the trail."""
_MOST: Final = 10_000


class Echoes:
    """Hears of echoes, where nobody can wait, and writes them down beside."""

    def __init__(self, trail: Trail, *, clock: Clock) -> None:
        self._trail = trail
        self._clock = clock
        self._said: OrderedDict[str, float] = OrderedDict()
        self._writing: set[asyncio.Task[None]] = set()

    def heard(self, binding: Binding, call_id: str) -> None:
        """`vault.echoes` calls this; the record of the call says it each time."""
        now = self._clock.monotonic()
        if now < self._said.get(binding.subject, 0.0):
            return
        self._said[binding.subject] = now + QUIET
        self._said.move_to_end(binding.subject)
        if len(self._said) > _MOST:
            self._said.popitem(last=False)
        task = asyncio.get_running_loop().create_task(self._write(binding, call_id))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def stop(self) -> None:
        """Returns when what was heard is written down."""
        await asyncio.gather(*self._writing)

    async def _write(self, binding: Binding, call_id: str) -> None:
        log = structlog.get_logger()
        log.warning("credential_echoed", connection=binding.subject, call=call_id)
        try:
            await self._trail.write(
                "credential.echoed",
                actor="system",
                organization_id=binding.tenant,
                person_id=binding.person,
                object=binding.subject,
                detail={"call": call_id, "origin": binding.origin, "connector": binding.connector},
            )
        except (ValetkeyError, StoreFailed, OSError) as error:
            self._said.pop(binding.subject, None)  # the next one is written, then
            log.warning("echo_not_written", why=type(error).__name__)
