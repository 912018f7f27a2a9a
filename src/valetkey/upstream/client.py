"""Carrying requests over to a connector's server, and listing its tools, whichever era it is of."""

from __future__ import annotations

import asyncio
import itertools
from typing import Final

import msgspec

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import OutboundFailed, VaultFailed
from valetkey.kernel.secret import Credential
from valetkey.net.limits import ASK, Limits
from valetkey.protocol.jsonrpc import Notification, Request, notification_message
from valetkey.protocol.messages import ToolCall, server_facts
from valetkey.protocol.onward import Onward, page_onward, tool_call_onward
from valetkey.protocol.translate import progress
from valetkey.protocol.versions import Era
from valetkey.store.database import Database
from valetkey.upstream import legacy, modern
from valetkey.upstream.eras import Eras
from valetkey.upstream.legacy import LegacySessions, Session, SessionLost
from valetkey.upstream.model import Carried, EraChanged, HttpFailed, Listing, Relay, Target, TicketFor, Verdict
from valetkey.upstream.pages import read_all
from valetkey.upstream.streamable_http import CALL_LIMITS, Calls, Headers, ask

MAX_DECLINES: Final = 8
"""Questions of a server within one call that get an answer; a server that asks on and on is not heard."""


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

    `limits` are those of a tool call.
    """

    def __init__(self, calls: Calls, database: Database, clock: Clock, *, limits: Limits = CALL_LIMITS) -> None:
        self.limits = limits
        self._calls = calls
        self._ids = itertools.count(1)  # one counter: a retried call never repeats an id (SEP-2322)
        self._eras = Eras(database, calls, self._ids, clock)
        self._legacy = LegacySessions(calls, self._ids, clock)
        self._farewells: set[asyncio.Task[None]] = set()

    async def call(
        self,
        target: Target,
        call: ToolCall,
        *,
        params: Headers,
        ticket: Credential | None,
        further_tickets: TicketFor,
        relay: Relay,
    ) -> Carried:
        """Carries one tool call over. `params` are the `Mcp-Param-*` headers a modern server wants. Raises as `ask`."""
        errand = _Errand(target, tool_call_onward(call), params, _Tickets(ticket, further_tickets), relay, self.limits)
        return await self._ask(errand)

    async def ask(
        self,
        target: Target,
        onward: Onward,
        *,
        ticket: Credential | None,
        further_tickets: TicketFor,
        relay: Relay,
        limits: Limits,
    ) -> Carried:
        """Carries any request of a client over, in the server's era.

        `relay` gets progress and log messages, fit for the client, while the request is under way. Raises
        `Unauthorized`, `Forbidden403`, `HttpFailed` and what `net` raises. A lost session or a changed era is repaired
        once, silently: the server rejected the request before doing anything.
        """
        return await self._ask(_Errand(target, onward, (), _Tickets(ticket, further_tickets), relay, limits))

    async def list_tools(self, target: Target, *, ticket: Credential | None, further_tickets: TicketFor) -> Listing:
        """All tools of the connector, whole: at most 50 pages, 2,000 tools, 8 MiB. Raises as `ask`."""
        tickets = _Tickets(ticket, further_tickets)

        async def page_at(cursor: bytes) -> Carried:
            return await self._ask(_Errand(target, page_onward("tools/list", cursor), (), tickets, _unheard, ASK))

        return await read_all(page_at, lambda: self._server(target, tickets))

    async def close(self, connection_id: str) -> None:
        """Forgets the connection's session. Its sockets are closed by `net`, which owns them."""
        self._legacy.forget(connection_id)

    async def stop(self) -> None:
        """Gives up on cancellations still being sent."""
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
        return now

    async def _ask(self, errand: _Errand) -> Carried:
        target, tickets = errand.target, errand.tickets
        verdict = self._eras.now(target.url.text) or await self._eras.get(target, tickets)
        try:
            return await self._carry(verdict, errand)
        except EraChanged as changed:
            verdict = await self._changed_from(verdict, changed, target, tickets)
        return await self._carry(verdict, errand)

    async def _carry(self, verdict: Verdict, errand: _Errand) -> Carried:
        target, tickets = errand.target, errand.tickets
        if verdict.era is Era.MODERN:
            request = modern.passed_on(next(self._ids), errand.onward, errand.headers)
            heed = _Heed(self, errand, request.id, None)
            try:
                heard = await ask(self._calls, target, request, ticket=await tickets(), limits=errand.limits, heed=heed)
            except HttpFailed as error:
                if modern.is_rejection(error):
                    raise EraChanged(error.message, status=error.status) from error
                raise
            response = modern.accepted(heard).response
            return Carried(Era.MODERN, response.result, response.error)
        session = self._legacy.now(target.connection_id) or await self._open_session(target, tickets)
        try:
            return await self._carry_legacy(session, errand)
        except SessionLost:
            self._legacy.forget(target.connection_id, session)
        return await self._carry_legacy(await self._open_session(target, tickets), errand)

    async def _carry_legacy(self, session: Session, errand: _Errand) -> Carried:
        target, tickets = errand.target, errand.tickets
        request = legacy.passed_on(session, next(self._ids), errand.onward)
        heed = _Heed(self, errand, request.id, session)
        try:
            heard = await ask(self._calls, target, request, ticket=await tickets(), limits=errand.limits, heed=heed)
        except HttpFailed as error:
            if legacy.is_lost(error, session):
                raise SessionLost(error.message) from error
            raise
        except asyncio.CancelledError:
            self._say_farewell(target, session, request.id, tickets)
            raise
        response = legacy.accepted(heard, session).response
        return Carried(Era.LEGACY, response.result, response.error)

    async def _open_session(self, target: Target, tickets: TicketFor) -> Session:
        session = await self._legacy.get(target, tickets)
        await self._eras.keep(target, Verdict(Era.LEGACY, session.version))
        return session

    async def _server(self, target: Target, tickets: TicketFor) -> bytes:
        """What the server says of itself: at its handshake, or now."""
        verdict = await self._eras.get(target, tickets)
        if verdict.era is Era.LEGACY:
            return (self._legacy.now(target.connection_id) or await self._open_session(target, tickets)).server
        request = modern.discover(next(self._ids))
        heard = await ask(self._calls, target, request, ticket=await tickets(), limits=ASK, heed=None)
        facts = server_facts(heard.response.result) if heard.response.result else None
        return facts.summary() if facts is not None else b"{}"

    def _say_farewell(self, target: Target, session: Session, request_id: int, tickets: TicketFor) -> None:
        """Cancels at the server, beside the flow: who cancelled does not wait, and a failure changes nothing."""

        async def cancel() -> None:
            try:
                await self._legacy.cancel(target, session, request_id, tickets)
            except (OutboundFailed, VaultFailed):
                return

        task = asyncio.get_running_loop().create_task(cancel())
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    async def decline(self, target: Target, session: Session, request: Request, tickets: TicketFor) -> None:
        """Answers a server's own request within a call; that the answer could not be delivered changes nothing."""
        try:
            await self._legacy.decline(target, session, request, tickets)
        except (OutboundFailed, VaultFailed):
            return


class _Errand(msgspec.Struct, frozen=True, gc=False):
    """One request of a client: where to, what, with which further headers and tickets, and who hears meanwhile."""

    target: Target
    onward: Onward
    headers: Headers
    tickets: TicketFor
    relay: Relay
    limits: Limits


async def _unheard(_message: bytes) -> None:
    """Progress of a request that nobody follows."""


class _Heed(msgspec.Struct, gc=False):
    """What comes on the stream of a request before its response: relayed, declined, or passed over."""

    upstreams: Upstreams
    errand: _Errand
    request_id: int
    session: Session | None
    declines: int = 0

    async def __call__(self, message: Notification | Request) -> None:
        errand = self.errand
        if isinstance(message, Request):
            self.declines += 1
            # A modern server must not ask at all: it gets no answer.
            if self.session is not None and self.declines <= MAX_DECLINES:
                await self.upstreams.decline(errand.target, self.session, message, errand.tickets)
        elif message.method == "notifications/progress":
            ours, theirs = self.request_id, errand.onward.progress_token
            if (params := progress(message.params, ours=ours, theirs=theirs)) is not None:
                await errand.relay(notification_message(message.method, params))
        elif message.method == "notifications/message" and errand.onward.wants_log:
            await errand.relay(notification_message(message.method, message.params))
