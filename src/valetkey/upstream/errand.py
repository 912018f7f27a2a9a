"""One request on its way at a service, and what comes on its stream before the response.

That is relayed, put to the client, declined, or passed over.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import msgspec

from valetkey.net.limits import Limits
from valetkey.net.model import Answer
from valetkey.protocol.asks import EVERYTHING, Asks, Question, Told, needed
from valetkey.protocol.errors import INTERNAL_ERROR
from valetkey.protocol.jsonrpc import Notification, Request, error_object, members, notification_message
from valetkey.protocol.onward import Onward, is_as_severe
from valetkey.protocol.translate import REQUESTS, progress
from valetkey.upstream.legacy import Session
from valetkey.upstream.model import NOBODY, Asker, Relay, Target, TicketFor
from valetkey.upstream.streamable_http import Headers

MAX_DECLINES: Final = 8
"""Questions of a server within one call that get a *no*; a server that asks on and on is not heard."""
MAX_ASKED: Final = 8
"""Questions of a server within one call that wait for an answer."""
MAX_ASKED_IN_ALL: Final = 64
_TOO_MANY: Final = error_object(INTERNAL_ERROR, "Too many questions wait for an answer already.")


class Answers(Protocol):
    """What is needed of the client of servers."""

    async def answer(
        self, target: Target, session: Session, request: Request, told: Told, tickets: TicketFor
    ) -> None: ...

    def heard(self, target: Target, message: Notification) -> None: ...

    async def take_up(self, heed: Heed, last_id: bytes, wait: float, limits: Limits) -> Answer: ...


class Errand(msgspec.Struct, frozen=True, gc=False):
    """One request of a client: where to, what, with which further headers and tickets, and who hears meanwhile."""

    target: Target
    onward: Onward
    headers: Headers
    tickets: TicketFor
    relay: Relay
    limits: Limits
    asker: Asker = NOBODY

    @property
    def declares(self) -> Asks:
        """What the service is told that it can ask: what the client of this request declared.

        A list is one for all of a person's assistants, and what they switch on is chosen from it: so it is asked for
        with all that the hub relays, or a tool that wants a capability would stay unseen. Nobody is asked within it.
        """
        row = REQUESTS.get(self.onward.method)
        return EVERYTHING if row is not None and row.items else self.asker.asks


class Heed(msgspec.Struct, gc=False, eq=False):
    """What comes on the stream of a request before its response: relayed, put to the client, declined, passed over.

    `asked` has the server's questions that wait for an answer, by their ids, `answering` those whose answer is on its
    way; both are made with the first one.
    """

    upstreams: Answers
    errand: Errand
    request_id: int
    session: Session | None
    requests: int = 0
    missed: Asks = Asks.NOTHING
    asked: dict[bytes, asyncio.Task[None]] | None = None
    answering: set[asyncio.Task[None]] | None = None

    async def __call__(self, message: Notification | Request) -> None:
        errand = self.errand
        if isinstance(message, Request):
            self.requests += 1
            if self.session is not None:  # a modern server must not ask at all: it gets no answer
                await self._asked(message, self.session)
        elif message.method == "notifications/progress":
            ours, theirs = self.request_id, errand.onward.progress_token
            if (params := progress(message.params, ours=ours, theirs=theirs)) is not None:
                await errand.relay(notification_message(message.method, params))
        elif message.method == "notifications/message":
            await self._logged(message.params)
        elif message.method == "notifications/cancelled" and self.asked:
            self._withdrawn(message)
        else:
            self.upstreams.heard(errand.target, message)

    async def _logged(self, params: bytes) -> None:
        onward = self.errand.onward
        if onward.wants_log and is_as_severe(params, onward.log_level):
            await self.errand.relay(notification_message("notifications/message", params))

    async def take_up(self, last_id: bytes, wait: float, limits: Limits) -> Answer:
        return await self.upstreams.take_up(self, last_id, wait, limits)

    async def _asked(self, request: Request, session: Session) -> None:
        """A question is put to the client beside the stream, which is read on: others may come, or it be withdrawn."""
        question = Question(request.method, request.params)
        wanted = needed(question)
        if not wanted or wanted & ~self.errand.asker.asks:
            self.missed |= wanted & ~self.errand.asker.asks
            if self.requests <= MAX_DECLINES:
                await self._answer(request, session, declined(request))
            return
        if self.asked is None or self.answering is None:
            self.asked, self.answering = {}, set()
        if request.id in self.asked or self.requests > MAX_ASKED_IN_ALL:
            return  # an id that is still in use, or a server that asks on and on: not heard
        if len(self.asked) >= MAX_ASKED:
            await self._answer(request, session, Told(error=_TOO_MANY))
            return
        task = asyncio.get_running_loop().create_task(self._put(request, question, session))
        self.asked[request.id] = task

    async def _put(self, request: Request, question: Question, session: Session) -> None:
        told = await self.errand.asker(question)
        # From here on the id is free: a server may ask anew under it before we hear that the answer reached it.
        if self.asked is not None and self.answering is not None:
            task = self.asked.pop(request.id)
            self.answering.add(task)
            task.add_done_callback(self.answering.discard)
        await self._answer(request, session, told)

    async def _answer(self, request: Request, session: Session, told: Told) -> None:
        await self.upstreams.answer(self.errand.target, session, request, told, self.errand.tickets)

    def _withdrawn(self, message: Notification) -> None:
        request_id = bytes(members(message.params).get("requestId", b"")) if message.params else b""
        if self.asked and (task := self.asked.pop(request_id, None)) is not None:
            task.cancel()

    def end(self) -> None:
        """The request is over: what was still asked needs no answer."""
        for task in (*(self.asked or {}).values(), *(self.answering or ())):
            task.cancel()
        self.asked = self.answering = None


def declined(request: Request) -> Told:
    """A ping gets its pong; anything else that nobody can be asked is *no such method*."""
    return Told(result=b"{}") if request.method == "ping" else Told()
