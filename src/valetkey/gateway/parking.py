"""Calls at legacy services that wait for a client to come back with answers (design.md 4).

Such a service asks on the stream of the call and waits there. A modern client gets the question as the answer to its
request and makes another one. In between the stream is parked here: a bounded number, for a bounded time, in this
process only.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from valetkey.gateway.model import Account, Notify
from valetkey.gateway.tickets import CallTickets
from valetkey.kernel.errors import TooMany
from valetkey.kernel.secret import Credential
from valetkey.protocol.asks import Asks, Question, Told
from valetkey.protocol.jsonrpc import members, notification_message
from valetkey.protocol.messages import object_of
from valetkey.upstream.model import Carried

PARKED_SECONDS: Final = 240.0
MAX_PARKED: Final = 1000
MAX_PER_PERSON: Final = 16
"""Beyond it the person's oldest goes: most likely nobody comes back to it."""
TOGETHER: Final = 0.02
"""Seconds in which further questions are put together with the first one."""


class Leg(msgspec.Struct, frozen=True, gc=False):
    """One request of the client within a conversation: its tickets, its stream, and its progress token (raw)."""

    tickets: CallTickets
    notify: Notify
    progress_token: bytes


Send = Callable[["Conversation"], Awaitable[Carried]]


class Conversation:
    """One call at a legacy service, in a task of its own. To the service it is the one who is asked."""

    def __init__(
        self, account: Account, person_id: str, asks: Asks, leg: Leg, send: Send, *, together: float = TOGETHER
    ) -> None:
        self._together = together
        self.account = account
        self.person_id = person_id
        self.asks = asks
        self.leg = leg
        self._has_listener = True
        self._was_resumed = False
        self._questions: dict[str, tuple[Question, asyncio.Future[Told]]] = {}
        self._counted = 0
        self._news: asyncio.Future[None] | None = None
        self._task = asyncio.get_running_loop().create_task(self._run(send))
        self._task.add_done_callback(self._tell)

    # --- what the service's side needs ------------------------------------------------------------------------------

    async def __call__(self, question: Question) -> Told:
        """Waits until the client has answered."""
        self._counted += 1
        key = f"question_{self._counted}"
        future: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._questions[key] = (question, future)
        self._tell()
        try:
            return await future
        finally:
            self._questions.pop(key, None)

    async def ticket(self) -> Credential | None:
        """A ticket for the request that is under way, or was last."""
        return await self.leg.tickets()

    async def notify(self, message: bytes) -> None:
        """Progress for whoever waits, under the token of their request; nobody waits while it is parked."""
        if not self._has_listener:
            return
        if self._was_resumed and b'"notifications/progress"' in message:
            if not self.leg.progress_token:
                return
            params = members(bytes(members(message)["params"]))
            params["progressToken"] = msgspec.Raw(self.leg.progress_token)
            message = notification_message("notifications/progress", object_of(params.items()))
        await self.leg.notify(message)

    # --- what the client's requests do ------------------------------------------------------------------------------

    async def outcome(self) -> Carried | Mapping[str, Question]:
        """What the call came to, or the questions that have to be answered first. Raises what the call raised."""
        try:
            while not self._task.done() and not self._questions:
                self._news = asyncio.get_running_loop().create_future()
                await self._news
            if not self._task.done():
                await asyncio.wait({self._task}, timeout=self._together)
            if self._questions and not self._task.done():
                return {key: question for key, (question, _) in self._questions.items()}
            return self._task.result()
        except asyncio.CancelledError:
            self.end()  # a modern client that hangs up cancels its call
            raise
        finally:
            self._news = None

    def answer(self, answers: Mapping[str, Told]) -> None:
        """Answers what was asked; answers to anything else are passed over, and what is not answered is asked again."""
        for key, told in answers.items():
            if (entry := self._questions.get(key)) is not None and not entry[1].done():
                entry[1].set_result(told)
                del self._questions[key]

    def question(self, key: str) -> Question | None:
        """What was asked under this key, as long as it is not answered."""
        entry = self._questions.get(key)
        return entry[0] if entry is not None else None

    def park(self) -> None:
        """Nobody listens until the client comes back."""
        self._has_listener = False

    def resume(self, leg: Leg) -> None:
        """The client is back, with another request."""
        self.leg = leg
        self._has_listener = self._was_resumed = True

    def end(self) -> None:
        """Gives the call up; the service is told."""
        self._has_listener = False
        self._task.cancel()

    async def ended(self) -> None:
        """Waits until the call is given up."""
        await asyncio.wait({self._task})

    async def _run(self, send: Send) -> Carried:
        return await send(self)

    def _tell(self, _task: asyncio.Task[Carried] | None = None) -> None:
        if _task is not None and not _task.cancelled():
            _task.exception()  # whoever comes back for it hears of it; it may be that nobody does
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class Parked:
    """The conversations that wait."""

    def __init__(
        self, *, seconds: float = PARKED_SECONDS, most: int = MAX_PARKED, per_person: int = MAX_PER_PERSON
    ) -> None:
        self.seconds = seconds
        self._most = most
        self._per_person = per_person
        self._waiting: dict[bytes, tuple[Conversation, asyncio.TimerHandle]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, conversation: Conversation) -> bytes:
        """Parks it; the id is good for one `take`. Raises `TooMany`, and then the call was given up."""
        mine = [key for key, (one, _) in self._waiting.items() if one.person_id == conversation.person_id]
        if len(mine) >= self._per_person:
            self._release(mine[0])
        if len(self._waiting) >= self._most:
            self._end(conversation)
            raise TooMany("Too many calls wait for an answer already.", retry_after=self.seconds)
        place = secrets.token_bytes(16)
        conversation.park()
        timer = asyncio.get_running_loop().call_later(self.seconds, self._release, place)
        self._waiting[place] = (conversation, timer)
        return place

    def take(self, place: bytes, person_id: str) -> Conversation | None:
        """What is parked there, if it is this person's; it is not parked any more."""
        entry = self._waiting.get(place)
        if entry is None or entry[0].person_id != person_id:
            return None
        entry[1].cancel()
        return self._waiting.pop(place)[0]

    def release(self, connection_id: str) -> None:
        """Gives up what waits at this connection: it was disconnected."""
        for place, (conversation, _) in list(self._waiting.items()):
            if conversation.account.connection.id == connection_id:
                self._release(place)

    async def stop(self) -> None:
        """Gives everything up."""
        for place in list(self._waiting):
            self._release(place)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _release(self, place: bytes) -> None:
        entry = self._waiting.pop(place, None)
        if entry is not None:
            entry[1].cancel()
            self._end(entry[0])

    def _end(self, conversation: Conversation) -> None:
        conversation.end()
        ending = asyncio.get_running_loop().create_task(conversation.ended())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
