"""What a model reads of a service besides its tools, as it was accepted: prompts and templates of resources (CUS-11).

What the first listing shows, to its last page, is what a person connected to. From then on what is new or changed is
held: neither listed nor got, until somebody looked at it. Resources themselves are not pinned: they come and go as
files do, and what stands in them is content.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.exc import IntegrityError

from valetkey.directory import listed_repository as repository
from valetkey.directory.drift import differences, is_cosmetic
from valetkey.directory.fingerprint import read_listed
from valetkey.directory.listed_repository import Transaction
from valetkey.directory.model import PINNED, Drift, Kept, Tool
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput
from valetkey.store.database import Database

OnDrift = Callable[[str, Sequence[Drift]], Awaitable[None]]
"""Told of a connection and what of it is held, before anybody is shown what it lists."""
_WORD: Final[Mapping[str, str]] = {"prompts/list": "prompt", "resources/templates/list": "template"}
_MOST: Final = 2000
_FIRST_LISTING: Final = timedelta(hours=1)
"""So long may the first listing take. A service whose list never ends would never be pinned otherwise."""


def drifts(kept: Kept) -> tuple[Drift, ...]:
    """What is held, for a person to read. `tool` says what it is and its name."""
    return tuple(_drift(kept, name, now) for name, now in kept.held.items())


def _drift(kept: Kept, name: str, now: Tool) -> Drift:
    before = kept.accepted.get(name)
    found = differences(before.raw if before is not None else b"{}", now.raw)
    return Drift("new" if before is None else "changed", f"{_WORD[kept.method]}: {name}", before, now, found)


def sifted(kept: Kept, page: Sequence[Tool], *, first: bool, last: bool, now: datetime) -> tuple[Kept, list[bytes]]:
    """What of a page may be shown, as it was accepted, and what is kept from then on. Pure."""
    began = kept.began_at or now
    is_whole = kept.is_whole or now - began > _FIRST_LISTING
    accepted, held = dict(kept.accepted), {} if first else dict(kept.held)
    shown: list[bytes] = []
    for one in page:
        before = accepted.get(one.name)
        if before is None and not is_whole and len(accepted) < _MOST:
            before = accepted[one.name] = one
        if before is not None and before.fingerprint == one.fingerprint:
            shown.append(one.raw)
        elif before is not None and is_cosmetic(differences(before.raw, one.raw)):
            shown.append(before.raw)
        elif len(held) < _MOST:
            held[one.name] = one
    return replace(kept, accepted=accepted, held=held, is_whole=is_whole or last, began_at=began), shown


class Listed:
    """Keeps what was accepted of each connection's lists."""

    def __init__(self, database: Database, *, clock: Clock, on_drift: Sequence[OnDrift] = ()) -> None:
        self._on_drift = on_drift
        self._database = database
        self._clock = clock

    async def sift(
        self, connection_id: str, method: str, page: Sequence[bytes], *, first: bool, last: bool
    ) -> list[bytes]:
        """What of a page of the list may be shown. Of a connection that is gone, nothing."""
        read = _readable(page, PINNED[method])
        async with self._database.read() as tx:
            kept = await repository.find_listed(tx, connection_id, method)
        found, shown = sifted(kept, read, first=first, last=last, now=self._clock.now())
        if found == kept:
            return shown
        try:
            async with self._database.write() as tx:
                kept = await repository.find_listed(tx, connection_id, method)
                found, shown = sifted(kept, read, first=first, last=last, now=self._clock.now())
                await repository.put_listed(tx, found, self._database.dialect)
        except IntegrityError:
            return []
        if found.held:
            for tell in self._on_drift:
                await tell(connection_id, drifts(found))
        return shown

    async def holds(self, connection_id: str, method: str, name: str) -> bool:
        """Whether what this name stands for is not what was accepted."""
        async with self._database.read() as tx:
            return name in (await repository.find_listed(tx, connection_id, method)).held

    async def held(self, connection_id: str) -> tuple[Drift, ...]:
        """All of the connection's that is held."""
        async with self._database.read() as tx:
            kept = [await repository.find_listed(tx, connection_id, method) for method in PINNED]
        return tuple(drift for one in kept for drift in drifts(one))

    async def accept(self, tx: Transaction, connection_id: str, looked_at: Mapping[str, str]) -> list[Drift]:
        """Accepts those of `looked_at` (`Drift.tool` to `Drift.seen`) that are held exactly so."""
        accepted: list[Drift] = []
        for method in PINNED:
            kept = await repository.find_listed(tx, connection_id, method)
            exactly = [one for one in drifts(kept) if looked_at.get(one.tool) == one.seen]
            if not exactly:
                continue
            now = {one.new.name: one.new for one in exactly if one.new is not None}
            held = {name: tool for name, tool in kept.held.items() if name not in now}
            changed = replace(kept, accepted={**kept.accepted, **now}, held=held)
            await repository.put_listed(tx, changed, self._database.dialect)
            accepted += exactly
        return accepted


def _readable(page: Sequence[bytes], member: str) -> list[Tool]:
    """What cannot be read cannot be pinned, and what cannot be pinned is not shown."""
    read: list[Tool] = []
    for raw in page:
        try:
            read.append(read_listed(raw, member))
        except BadInput:
            continue
    return read
