"""When a service asks before it answers: the question goes to the client, and the call goes on with the answer.

Four ways, by the eras of both sides:

- modern client, modern service: `input_required` is passed on, its `requestState` wrapped in ours;
- modern client, legacy service: the service's call is parked, and taken up by the client's next request;
- legacy client, modern service: its questions are put on the client's stream, then the service is called again;
- legacy client, legacy service: questions and answers cross with ids of our own.

Our `requestState` is sealed, and bound to person, client, connection, method and parameters; it is late after a while,
and good once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from valetkey.gateway.asked import ELSEWHERE, Asked
from valetkey.gateway.model import Client
from valetkey.gateway.parking import Conversation, Parked
from valetkey.gateway.questions import QuestionRefused, Questions
from valetkey.gateway.spent import Spent
from valetkey.gateway.turns import QuestionExpired, StateRefused, Turn, Undeclared, Waiting, binding
from valetkey.kernel.clock import Clock
from valetkey.protocol.asks import (
    ELICITATION,
    QUESTIONS,
    Answered,
    Asks,
    Question,
    Required,
    Told,
    answers_object,
    declaration,
    needed,
    read_missing,
    read_required,
    read_required_error,
    required_error,
    required_result,
)
from valetkey.protocol.errors import INVALID_PARAMS
from valetkey.protocol.jsonrpc import error_object
from valetkey.protocol.versions import Era
from valetkey.upstream.client import Upstreams
from valetkey.upstream.model import Asker, Carried, Relay, TicketFor
from valetkey.vault.handles import HandleExpired, Handles, Opened
from valetkey.vault.model import Tampered

MAX_ROUNDS: Final = 8
"""How often a service may ask anew within one call of a legacy client; a modern one decides for itself."""
STATE_SECONDS: Final = 900.0
"""How long the answers to a modern service's question may take; nothing is held meanwhile."""
OWN_KEYS: Final = frozenset({"connect", "approve"})
"""The keys of our own questions (connect first, please confirm); their answers are no service's business."""
_PARKED, _WRAPPED, _AGAIN, _CONFIRM = b"P", b"W", b"A", b"C"
_BACKOFF: Final = 0.5
_REFUSED: Final = error_object(INVALID_PARAMS, "The client is not asked this.")


More = Mapping[str, bytes]
Send = Callable[[Asker, More, TicketFor, Relay], Awaitable[Carried]]
"""Sends the request to the service: who is asked, further members of `params` (raw), tickets, and who hears."""


class _Declared(msgspec.Struct, frozen=True, gc=False):
    """Stands for a client towards a service that asks by `input_required` only."""

    asks: Asks

    async def __call__(self, question: Question) -> Told:
        return Told(error=_REFUSED)


class _OnStream(msgspec.Struct, frozen=True, gc=False):
    """A legacy client, asked on the stream of its call."""

    turn: Turn
    asked: Asked
    questions: Questions

    @property
    def asks(self) -> Asks:
        return self.turn.client.asks

    async def __call__(self, question: Question) -> Told:
        turn = self.turn
        try:
            shown = self.questions.for_client(question, connector=turn.account.connector, client=turn.client)
        except QuestionRefused as error:
            return Told(error=error_object(INVALID_PARAMS, error.message))
        return await self.asked.ask(turn.who.person_id, turn.client, turn.notify, shown)


class Continuations:
    """Carries requests of clients that can be asked, and those that bring answers."""

    def __init__(
        self, upstreams: Upstreams, handles: Handles, spent: Spent, questions: Questions, asked: Asked, *, clock: Clock
    ) -> None:
        self._upstreams = upstreams
        self._handles = handles
        self._spent = spent
        self._questions = questions
        self._clock = clock
        self.asked = asked
        self.parked = Parked()

    async def carry(self, turn: Turn, send: Send) -> Carried:
        """What the request came to; a `Waiting` when the client has to answer something first.

        Raises `StateRefused`, `QuestionExpired`, `Undeclared`, `QuestionRefused`, and what `send` raises.
        """
        if not turn.client.is_modern:
            return await self._with_stream(turn, send)
        if not turn.answered.state:
            knows_answers = self._upstreams.speaks_modern(turn.account.target)
            return await self._begin(turn, send, _own_key_dropped(turn.answered) if knows_answers else {})
        kind, inner = await self._opened(turn)
        if kind == _PARKED:
            return await self._go_on(turn, inner)
        more: dict[str, bytes] = {}
        if kind == _WRAPPED:
            more["inputResponses"] = turn.answered.raw or b"{}"
            if inner:
                more["requestState"] = inner
        return await self._begin(turn, send, more)

    async def before(self, turn: Turn) -> str:
        """The record of the call to whose question of a service this turn brings the answer; empty if it is none.

        The state is looked at, and not spent. Raises as `carry`.
        """
        opened = await self._looked_at(turn)
        before, _, _ = opened.value[1:].partition(b"\0")
        return "" if opened.value[:1] == _CONFIRM else before.decode()

    async def confirmation(self, turn: Turn, approval_id: str) -> str:
        """The state that goes with our own question for a person's yes. It is a courtesy to clients that expect one:

        the yes is found by the call itself, and nothing that a client brings stands for it.
        """
        return await self._sealed(turn, _CONFIRM, approval_id.encode(), seconds=STATE_SECONDS)

    async def stop(self) -> None:
        """Gives up what is parked."""
        await self.parked.stop()

    # --- a modern client --------------------------------------------------------------------------------------------

    async def _begin(self, turn: Turn, send: Send, more: More) -> Carried:
        if self._upstreams.speaks_modern(turn.account.target) or not turn.client.asks & QUESTIONS:
            carried = await send(_Declared(turn.client.asks), more, turn.tickets, turn.notify)
            return await self._passed_on(turn, carried)

        async def beside(conversation: Conversation) -> Carried:
            return await send(conversation, more, conversation.ticket, conversation.notify)

        conversation = Conversation(turn.account, turn.who.person_id, turn.client.asks, turn.leg, beside)
        return await self._listen(turn, conversation)

    async def _listen(self, turn: Turn, conversation: Conversation) -> Carried:
        outcome = await conversation.outcome()
        if isinstance(outcome, Carried):
            return await self._passed_on(turn, outcome)
        shown: dict[str, Question] = {}
        for key, question in outcome.items():
            try:
                shown[key] = self._shown(turn, question)
            except QuestionRefused as error:
                conversation.answer({key: Told(error=error_object(INVALID_PARAMS, error.message))})
        if not shown:
            return await self._listen(turn, conversation)
        place = self.parked.put(conversation)
        state = await self._sealed(turn, _PARKED, place, seconds=self.parked.seconds)
        return Waiting(Era.MODERN, required_result(shown, state), b"")

    async def _go_on(self, turn: Turn, place: bytes) -> Carried:
        conversation = self.parked.take(place, turn.who.person_id)
        if conversation is None:
            raise QuestionExpired(
                f"{turn.account.connector.name} does not wait for this answer any more. Call again.", rule="expired"
            )
        conversation.resume(turn.leg)
        conversation.answer({key: Told(result=raw) for key, raw in turn.answered.by_key().items()})
        return await self._listen(turn, conversation)

    async def _passed_on(self, turn: Turn, carried: Carried) -> Carried:
        """A service's own `input_required`, or its error that says so, as the client gets it; all else as it is."""
        kind, required = _WRAPPED, None
        if carried.error:
            if (pages := read_required_error(carried.error)) is not None and Asks.URLS in turn.client.asks:
                kind, required = _AGAIN, Required(pages, b"")
        elif b'"input_required"' in carried.result:
            required = read_required(carried.result)
        if required is None:
            return carried
        shown = {key: self._shown(turn, question) for key, question in required.questions.items()}
        state = await self._sealed(turn, kind, required.state, seconds=STATE_SECONDS)
        return Waiting(Era.MODERN, required_result(shown, state), b"")

    def _shown(self, turn: Turn, question: Question) -> Question:
        missing = needed(question) & ~turn.client.asks
        if missing:
            raise Undeclared(turn.account.connector.name, declaration(missing))
        if not needed(question):
            raise QuestionRefused(f"{turn.account.connector.name} asked something that is not MCP.", rule="no_question")
        return self._questions.for_client(question, connector=turn.account.connector, client=turn.client)

    # --- a legacy client --------------------------------------------------------------------------------------------

    async def _with_stream(self, turn: Turn, send: Send) -> Carried:
        client = _OnStream(turn, self.asked, self._questions)
        more: dict[str, bytes] = {}
        for _ in range(MAX_ROUNDS):
            carried = await send(client, more, turn.tickets, turn.notify)
            if carried.error:
                return self._pages_first(turn, carried)
            required = read_required(carried.result) if b'"input_required"' in carried.result else None
            if required is None:
                return carried
            more = {"requestState": required.state} if required.state else {}
            if required.questions:
                answers = [(key, await self._told(turn, question)) for key, question in required.questions.items()]
                more["inputResponses"] = answers_object(answers)
            else:
                await self._clock.sleep(_BACKOFF)
        raise QuestionRefused(f"{turn.account.connector.name} asks on and on.", rule="asks_on")

    def _pages_first(self, turn: Turn, carried: Carried) -> Carried:
        """Error -32042 of a service, for a client of 2025-11-25 that opens pages; any other error as it is."""
        pages = read_required_error(carried.error) if Asks.URLS in turn.client.asks else None
        if pages is None:
            return carried
        return Waiting(carried.era, b"", required_error([self._shown(turn, page) for page in pages.values()]))

    async def _told(self, turn: Turn, question: Question) -> bytes:
        shown = self._shown(turn, question)
        told = await self.asked.ask(turn.who.person_id, turn.client, turn.notify, shown)
        if told.result:
            return told.result
        service = turn.account.connector.name
        if told is ELSEWHERE:
            raise QuestionExpired(
                f"The answer to {service} came to another replica of this hub. Call again.", rule="elsewhere"
            )
        if question.method == ELICITATION:
            return b'{"action":"cancel"}'
        raise QuestionRefused(f"The assistant did not answer what {service} asked.", rule="no_answer")

    # --- the state --------------------------------------------------------------------------------------------------

    async def _sealed(self, turn: Turn, kind: bytes, inner: bytes, *, seconds: float) -> str:
        return await self._handles.seal(
            kind + turn.record_id.encode() + b"\0" + inner,
            person_id=turn.who.person_id,
            tenant=turn.who.organization_id,
            bound_to=binding(turn),
            seconds=seconds,
        )

    async def _looked_at(self, turn: Turn) -> Opened:
        try:
            return await self._handles.open(
                turn.answered.state,
                person_id=turn.who.person_id,
                tenant=turn.who.organization_id,
                bound_to=binding(turn),
            )
        except HandleExpired as error:
            raise QuestionExpired("It is too late to answer this. Call again.", rule="expired") from error
        except Tampered as error:
            raise StateRefused("This requestState was not made for this call.", rule="state_refused") from error

    async def _opened(self, turn: Turn) -> tuple[bytes, bytes]:
        """What kind of state the client brought, and what was kept in it. It is spent by this."""
        opened = await self._looked_at(turn)
        if not await self._spent.spend(opened.id, until=opened.until):
            raise StateRefused("This requestState was used already.", rule="state_used")
        kind, (before, _, inner) = opened.value[:1], opened.value[1:].partition(b"\0")
        turn.tickets.record.continues = before.decode()
        return kind, inner


def _own_key_dropped(answered: Answered) -> dict[str, bytes]:
    """Answers that came without a state: a service that keeps none may know them by their keys."""
    answers = [(key, raw) for key, raw in answered.by_key().items() if key not in OWN_KEYS]
    return {"inputResponses": answers_object(answers)} if answers else {}


def checked(carried: Carried, client: Client, service: str) -> Carried:
    """What was carried over, unless it failed for want of a capability: raises `Undeclared`.

    A modern server says so itself (-32021). A legacy one asks, hears that there is no such thing, and fails.
    """
    if carried.error and (missing := read_missing(carried.error)) is not None:
        raise Undeclared(service, missing)
    if (
        carried.missed
        and client.is_modern
        and (carried.error or b'"isError":true' in carried.result.replace(b" ", b""))
    ):
        raise Undeclared(service, declaration(carried.missed))
    return carried
