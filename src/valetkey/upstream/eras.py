"""Which era a connector's server is of: asked once, remembered, and asked again when it answers otherwise.

Only an answer about the protocol is a verdict. A 401 or 403, a server error, a timeout or a broken line is none
(SEP-2575, streamable HTTP: backward compatibility). A program over pipes is asked the same question, but one that says
nothing to it, or ends, is of the handshake eras (2026-07-28, stdio: backward compatibility).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from valetkey.kernel.clock import Clock
from valetkey.net.limits import ASK
from valetkey.net.model import BadAnswer, TimedOut, Unreachable
from valetkey.protocol.errors import (
    HEADER_MISMATCH,
    MISSING_CLIENT_CAPABILITY,
    UNSUPPORTED_VERSION,
    Rejected,
)
from valetkey.protocol.jsonrpc import read_error
from valetkey.protocol.messages import server_facts
from valetkey.protocol.versions import LEGACY, MODERN, Era
from valetkey.store.database import Database
from valetkey.upstream import modern, repository
from valetkey.upstream.model import STDIO, HttpFailed, Target, TicketFor, Verdict
from valetkey.upstream.streamable_http import Calls, ask

MODERN_VERDICT: Final = Verdict(Era.MODERN, MODERN)
_ASK_LEGACY_AGAIN: Final = timedelta(days=1)
"""A server that learns the modern revision still answers the old one, so only asking finds out."""
_REMEMBERED: Final = 10_000
_ALWAYS: Final = float("inf")
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)

PROGRAM_PATIENCE: Final = 10.0
"""Seconds that a program is given to say what it is; starting may take it some of them."""


class _Supported(msgspec.Struct, gc=False):
    supported: tuple[str, ...] = ()


class Eras:
    """Finds out and remembers. `tickets` are asked for only when a server has to be asked."""

    def __init__(
        self,
        database: Database,
        calls: Calls,
        ids: Iterator[int],
        clock: Clock,
        *,
        program_patience: float = PROGRAM_PATIENCE,
    ) -> None:
        self._database = database
        self._calls = calls
        self._ids = ids
        self._clock = clock
        self._program_limits = replace(ASK, total=program_patience)
        self._held: OrderedDict[str, tuple[Verdict, float]] = OrderedDict()

    def now(self, url: str) -> Verdict | None:
        """The verdict, if it is in memory and needs no asking again."""
        held = self._held.get(url)
        if held is None or (held[1] is not _ALWAYS and held[1] <= self._clock.monotonic()):
            return None
        return held[0]

    async def get(self, target: Target, tickets: TicketFor) -> Verdict:
        """The verdict on the target's server: from memory, the database, or the server itself."""
        url = target.url.text
        if (held := self.now(url)) is not None:
            return held
        before = await self._stored(target)
        if before is not None:
            verdict, seen_at = before
            if verdict.era is Era.MODERN or seen_at + _ASK_LEGACY_AGAIN > self._clock.now():
                self._hold(url, verdict, seen_at)
                return verdict
        verdict = await self.probe(target, tickets)
        if before is not None and before[0].era is verdict.era is Era.LEGACY:
            verdict = before[0]
            await self.keep(target, verdict)  # still what it was: sessions go on, and it is asked again in a day
        return verdict

    async def probe(self, target: Target, tickets: TicketFor) -> Verdict:
        """Asks the server. A modern verdict is kept at once, a legacy one when the handshake worked (`keep`)."""
        is_program = target.url.scheme == STDIO
        limits = self._program_limits if is_program else ASK
        try:
            request = modern.discover(next(self._ids))
            heard = await ask(self._calls, target, request, ticket=await tickets(), limits=limits, heed=None)
        except HttpFailed as error:
            if error.status in (401, 403, 429) or error.status >= 500:
                raise
            return Verdict(Era.LEGACY, LEGACY[0])
        except BadAnswer:
            return Verdict(Era.LEGACY, LEGACY[0])  # an answer, but not one a modern server would give
        except (TimedOut, Unreachable) as error:
            if is_program and error.sent:
                return Verdict(Era.LEGACY, LEGACY[0])
            raise
        era = _era_of_error(heard.response.error) if heard.response.error else _era_of_result(heard.response.result)
        if era is Era.LEGACY:
            return Verdict(Era.LEGACY, LEGACY[0])
        await self.keep(target, MODERN_VERDICT)
        return MODERN_VERDICT

    async def keep(self, target: Target, verdict: Verdict) -> None:
        """Remembers what the server proved to be; of a program only in memory, since its command may change."""
        if self.now(target.url.text) == verdict:
            return
        now = self._clock.now()
        if target.url.scheme != STDIO:
            async with self._database.write() as tx:
                await repository.put_era(tx, target.url.text, verdict, now, self._database.dialect)
        self._hold(target.url.text, verdict, now)

    async def forget(self, target: Target) -> None:
        """Forgets the verdict: the server has shown that it does not hold any more."""
        self._held.pop(target.url.text, None)
        async with self._database.write() as tx:
            await repository.delete_era(tx, target.url.text)

    async def _stored(self, target: Target) -> tuple[Verdict, datetime] | None:
        """What was kept, however old."""
        if target.url.scheme == STDIO:
            held = self._held.get(target.url.text)
            return (held[0], _LONG_AGO) if held is not None else None
        async with self._database.read() as tx:
            return await repository.find_era(tx, target.url.text)

    def _hold(self, url: str, verdict: Verdict, seen_at: datetime) -> None:
        left = (seen_at + _ASK_LEGACY_AGAIN - self._clock.now()).total_seconds()
        self._held[url] = (verdict, _ALWAYS if verdict.era is Era.MODERN else self._clock.monotonic() + left)
        while len(self._held) > _REMEMBERED:
            self._held.popitem(last=False)


def _era_of_result(result: bytes) -> Era:
    facts = server_facts(result)
    return Era.MODERN if facts is not None and MODERN in facts.versions else Era.LEGACY


def _era_of_error(error: bytes) -> Era:
    """Raises `BadAnswer` for a server that speaks only revisions we have never heard of."""
    try:
        said = read_error(error)
    except Rejected:
        return Era.LEGACY
    if said.code in (HEADER_MISMATCH, MISSING_CLIENT_CAPABILITY):
        return Era.MODERN  # and a fault of ours; falling back would hide it
    if said.code != UNSUPPORTED_VERSION:
        return Era.LEGACY  # -32601 too: a modern server must know server/discover
    try:
        supported = msgspec.json.decode(said.data, type=_Supported).supported
    except msgspec.MsgspecError:
        supported = ()
    if MODERN in supported:
        return Era.MODERN
    if supported and not any(version in LEGACY for version in supported):
        raise BadAnswer("The server speaks only revisions of MCP that this hub does not know.")
    return Era.LEGACY
