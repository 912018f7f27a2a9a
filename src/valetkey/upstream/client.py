"""Carrying requests over to a connector's server, and listing its tools, whichever era it is of."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import msgspec

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import ValetkeyError
from valetkey.kernel.secret import Credential
from valetkey.net.limits import ASK, LISTEN, Limits
from valetkey.net.model import Answer
from valetkey.protocol.asks import EVERYTHING, QUESTIONS, Asks, Told
from valetkey.protocol.jsonrpc import Notification, Request
from valetkey.protocol.messages import ToolCall, server_facts
from valetkey.protocol.onward import Onward, page_onward, tool_call_onward
from valetkey.protocol.versions import Era
from valetkey.store.database import Database
from valetkey.upstream import legacy, modern
from valetkey.upstream.eras import PROGRAM_PATIENCE, Eras
from valetkey.upstream.errand import Errand, Heed, declined
from valetkey.upstream.legacy import LegacySessions, Session, SessionLost
from valetkey.upstream.lines import Lines
from valetkey.upstream.model import (
    NOBODY,
    STDIO,
    Asker,
    Carried,
    EraChanged,
    HttpFailed,
    Listing,
    LocalServer,
    Relay,
    Target,
    TicketFor,
    Verdict,
)
from valetkey.upstream.pages import certified, read_all
from valetkey.upstream.standing import Standing
from valetkey.upstream.streamable_http import CALL_LIMITS, Calls, Headers, ask

WITH_QUESTIONS: Final = 600.0
"""Seconds that a call may take in all when its client can be asked: the time that a person takes is not the service's.

Without a word from the service it ends after 240 s all the same."""
NO_LOCAL_SERVERS: Final[Mapping[str, LocalServer]] = {}
_OF_A_CALL: Final = ("notifications/progress", "notifications/message", "notifications/cancelled")

News = Callable[[str, Notification], None]
"""Takes the id of a connection, and what its server says."""


class _Tickets:
    """The first ticket is at hand already; each further one is asked for."""

    __slots__ = ("_first", "_further", "_taken")

    def __init__(self, first: Credential | None, further: TicketFor) -> None:
        self._first = first
        self._further = further
        self._taken = False

    async def __call__(self) -> Credential | None:
        if self._taken:
            return await self._further()
        self._taken = True
        return self._first


class Upstreams:
    """Our MCP client for all connectors. One object for the process; sessions and sockets are per connection.

    `limits` are those of a tool call; `local` are the programs the operator offers, by name.
    """

    def __init__(
        self,
        calls: Calls,
        database: Database,
        clock: Clock,
        *,
        limits: Limits = CALL_LIMITS,
        local: Mapping[str, LocalServer] = NO_LOCAL_SERVERS,
        program_patience: float = PROGRAM_PATIENCE,
    ) -> None:
        self.limits = limits
        self.limits_with_questions = replace(limits, total=max(WITH_QUESTIONS, limits.total))
        self._calls = calls
        self._ids = itertools.count(1)  # one counter: a retried call never repeats an id (SEP-2322)
        self._lines = Lines(calls, clock=clock, local=local)
        self._eras = Eras(database, self._lines, self._ids, clock, program_patience=program_patience)
        self._legacy = LegacySessions(self._lines, self._ids, clock)
        self._farewells: set[asyncio.Task[None]] = set()
        self._standing = Standing(self._legacy, self._hear, clock=clock)
        self._under_way: dict[int, list[Heed]] = {}
        self.news: list[News] = []
        """Who hears what a legacy server says on a session's standing stream and belongs to no call."""

    def speaks_modern(self, target: Target) -> bool:
        """Whether the target's server is known to be modern: it asks by `input_required`, never within a stream."""
        verdict = self._eras.now(target.url.text)
        return verdict is not None and verdict.era is Era.MODERN

    async def call(
        self,
        target: Target,
        call: ToolCall,
        *,
        params: Headers,
        ticket: Credential | None,
        further_tickets: TicketFor,
        relay: Relay,
        asker: Asker = NOBODY,
    ) -> Carried:
        """Carries one tool call over. `params` are the `Mcp-Param-*` headers a modern server wants. Raises as `ask`."""
        limits = self.limits if not asker.asks else self.limits_with_questions
        tickets = _Tickets(ticket, further_tickets)
        return await self._ask(Errand(target, tool_call_onward(call), params, tickets, relay, limits, asker))

    async def ask(
        self,
        target: Target,
        onward: Onward,
        *,
        ticket: Credential | None,
        further_tickets: TicketFor,
        relay: Relay,
        limits: Limits,
        asker: Asker = NOBODY,
    ) -> Carried:
        """Carries any request of a client over, in the server's era.

        `relay` gets progress and log messages, fit for the client, while the request is under way; `asker` is asked
        what a legacy server asks. Raises
        `Unauthorized`, `Forbidden403`, `HttpFailed` and what `net` raises. A lost session or a changed era is repaired
        once, silently: the server rejected the request before doing anything.
        """
        return await self._ask(Errand(target, onward, (), _Tickets(ticket, further_tickets), relay, limits, asker))

    async def list_tools(self, target: Target, *, ticket: Credential | None, further_tickets: TicketFor) -> Listing:
        """All tools of the connector, whole: at most 50 pages, 2,000 tools, 8 MiB. Raises as `ask`."""
        tickets = _Tickets(ticket, further_tickets)

        async def page_at(cursor: bytes) -> Carried:
            return await self._ask(Errand(target, page_onward("tools/list", cursor), (), tickets, _unheard, ASK))

        listed = await read_all(page_at, lambda: self._server(target, tickets))
        return certified(listed, self._calls.issuer(target.connection_id))

    async def listen(
        self,
        target: Target,
        wants: bytes,
        uris: Sequence[str],
        *,
        ticket: Credential | None,
        further_tickets: TicketFor,
    ) -> None:
        """Hears of changes until the server ends it, or for long enough; `news` gets each. Cancel it to stop.

        `wants` is the filter of `subscriptions/listen`, raw; `uris` are those in it, for a server of the older kind.
        Raises as `ask`.
        """
        tickets = _Tickets(ticket, further_tickets)
        verdict = self._eras.now(target.url.text) or await self._eras.get(target, tickets)
        if verdict.era is Era.MODERN:
            onward = Onward("subscriptions/listen", b'{"notifications":%b}' % wants)
            await self._carry(verdict, Errand(target, onward, (), tickets, _unheard, LISTEN))
            return
        session = self._legacy.now(target.connection_id) or await self._open_session(target, tickets)
        await self._standing.enter(target, session, tickets)
        try:
            for uri in uris:
                onward = Onward("resources/subscribe", b'{"uri":%b}' % msgspec.json.encode(uri))
                await self._ask(Errand(target, onward, (), tickets, _unheard, ASK))
            with suppress(TimeoutError):
                async with asyncio.timeout(LISTEN.total):
                    await asyncio.Event().wait()
        finally:
            self._standing.leave(session)

    def heard(self, target: Target, message: Notification) -> None:
        """A server said something that belongs to no request."""
        for hear in self.news:
            hear(target.connection_id, message)

    async def close(self, connection_id: str) -> None:
        """Forgets the connection's sessions. Their sockets are closed by `net`, which owns them."""
        self._legacy.forget(connection_id)
        self._standing.forget(connection_id)
        self._lines.close_pool(connection_id)

    async def stop(self) -> None:
        """Closes standing streams and lines, and gives up on cancellations still being sent."""
        await self._standing.stop()
        await self._lines.stop()
        for task in self._farewells:
            task.cancel()
        await asyncio.gather(*self._farewells, return_exceptions=True)

    async def _changed_from(self, verdict: Verdict, changed: EraChanged, target: Target, tickets: TicketFor) -> Verdict:
        """The new verdict after the old one failed; re-raises when it did not change after all."""
        await self._eras.forget(target)
        now = await self._eras.probe(target, tickets)
        if now.era is verdict.era:
            raise HttpFailed(changed.message, status=changed.status) from changed
        self._legacy.forget(target.connection_id)
        self._standing.forget(target.connection_id)
        return now

    async def _ask(self, errand: Errand) -> Carried:
        target, tickets = errand.target, errand.tickets
        verdict = self._eras.now(target.url.text) or await self._eras.get(target, tickets)
        try:
            return await self._carry(verdict, errand)
        except EraChanged as changed:
            verdict = await self._changed_from(verdict, changed, target, tickets)
        return await self._carry(verdict, errand)

    async def _carry(self, verdict: Verdict, errand: Errand) -> Carried:
        target, tickets = errand.target, errand.tickets
        if verdict.era is Era.MODERN:
            request = modern.passed_on(next(self._ids), errand.onward, errand.headers, errand.declares)
            heed = Heed(self, errand, request.id, None)
            try:
                calls = self._calls if target.url.scheme != STDIO else self._lines
                heard = await ask(calls, target, request, ticket=await tickets(), limits=errand.limits, heed=heed)
            except HttpFailed as error:
                if modern.is_rejection(error):
                    raise EraChanged(error.message, status=error.status) from error
                raise
            response = modern.accepted(heard).response
            return Carried(Era.MODERN, response.result, response.error)
        asks = errand.declares & ~Asks.TASKS
        session = self._legacy.now(target.connection_id, asks) or await self._open_session(target, tickets, asks)
        carry = self._carry_legacy if not errand.asker.asks & QUESTIONS else self._carry_legacy_asking
        try:
            return await carry(session, errand)
        except SessionLost:
            self._legacy.forget_lost(target.connection_id, session)
        return await carry(await self._open_session(target, tickets, asks), errand)

    async def _carry_legacy(self, session: Session, errand: Errand, heed: Heed | None = None) -> Carried:
        target, tickets = errand.target, errand.tickets
        if errand.onward.log_level:
            await self._legacy.set_level(target, session, errand.onward.log_level, tickets)
        request = legacy.passed_on(session, next(self._ids), errand.onward)
        if heed is None:
            heed = Heed(self, errand, request.id, session)
        else:
            heed.request_id = request.id
        try:
            heard = await ask(
                self._lines,
                target,
                request,
                ticket=await tickets(),
                limits=errand.limits,
                heed=heed,
                takes_up=heed.take_up,
            )
        except HttpFailed as error:
            if legacy.is_lost(error, session):
                raise SessionLost(error.message) from error
            raise
        except asyncio.CancelledError:
            self._say_farewell(target, session, request.id, tickets)
            raise
        response = legacy.accepted(heard, session).response
        return Carried(Era.LEGACY, response.result, response.error, heed.missed)

    async def _carry_legacy_asking(self, session: Session, errand: Errand) -> Carried:
        """The same for a client that can be asked; the server may do so on the call's stream or on the standing one."""
        heed = Heed(self, errand, 0, session)
        await self._standing.enter(errand.target, session, errand.tickets)
        self._under_way.setdefault(id(session), []).append(heed)
        try:
            return await self._carry_legacy(session, errand, heed)
        finally:
            heed.end()
            heeds = self._under_way[id(session)]
            heeds.remove(heed)
            if not heeds:
                del self._under_way[id(session)]
            self._standing.leave(session)

    async def _hear(
        self, target: Target, session: Session, message: Notification | Request, tickets: TicketFor
    ) -> None:
        """What comes on a standing stream. A question belongs to the one call under way; with several, nobody knows."""
        heeds = self._under_way.get(id(session), ())
        if len(heeds) == 1 and (isinstance(message, Request) or message.method in _OF_A_CALL):
            await heeds[0](message)
        elif isinstance(message, Request):
            await self.answer(target, session, message, declined(message), tickets)
        else:
            self.heard(target, message)

    async def _open_session(self, target: Target, tickets: TicketFor, asks: Asks = Asks.NOTHING) -> Session:
        session = await self._legacy.get(target, tickets, asks)
        await self._eras.keep(target, Verdict(Era.LEGACY, session.version))
        return session

    async def _server(self, target: Target, tickets: TicketFor) -> bytes:
        """What the server says of itself: at its handshake, or now."""
        verdict = await self._eras.get(target, tickets)
        if verdict.era is Era.LEGACY:
            asks = EVERYTHING & ~Asks.TASKS  # the session in which the tools were listed
            session = self._legacy.now(target.connection_id, asks) or await self._open_session(target, tickets, asks)
            return session.server
        request = modern.discover(next(self._ids))
        heard = await ask(self._lines, target, request, ticket=await tickets(), limits=ASK, heed=None)
        facts = server_facts(heard.response.result) if heard.response.result else None
        return facts.summary() if facts is not None else b"{}"

    def _say_farewell(self, target: Target, session: Session, request_id: int, tickets: TicketFor) -> None:
        """Cancels at the server, beside the flow: who cancelled does not wait, and a failure changes nothing."""

        async def cancel() -> None:
            try:
                await self._legacy.cancel(target, session, request_id, tickets)
            except ValetkeyError:
                return

        task = asyncio.get_running_loop().create_task(cancel())
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    async def answer(self, target: Target, session: Session, request: Request, told: Told, tickets: TicketFor) -> None:
        """Answers a server's own request; that the answer could not be delivered changes nothing."""
        try:
            await self._legacy.answer(target, session, request, told, tickets)
        except ValetkeyError:
            return

    async def take_up(self, heed: Heed, last_id: bytes, wait: float, limits: Limits) -> Answer:
        """Goes on with the stream of a legacy call that ended before its answer."""
        assert heed.session is not None
        errand = heed.errand
        return await self._legacy.take_up(errand.target, heed.session, last_id, wait, limits, errand.tickets)


async def _unheard(_message: bytes) -> None:
    """Progress of a request that nobody follows."""
