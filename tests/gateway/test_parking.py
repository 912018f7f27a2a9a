"""Parked calls: never more than there may be, each found once and by its person only, and none is simply forgotten."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from valetkey.gateway.model import Account
from valetkey.gateway.parking import Conversation, Leg, Parked
from valetkey.gateway.tickets import CallTickets
from valetkey.kernel.errors import TooMany
from valetkey.protocol.asks import EVERYTHING, Question, Told
from valetkey.protocol.versions import Era
from valetkey.upstream.model import Carried

MOST = 4
PER_PERSON = 3
QUESTION = Question("roots/list", b"{}")


class Call:
    """A call at a service that asks `rounds` times and then gives what it was told."""

    def __init__(self, person: str, connection: str, rounds: int) -> None:
        self.told: list[bytes] = []
        self.was_told_of_the_end = False
        account = cast("Account", SimpleNamespace(connection=SimpleNamespace(id=connection)))
        self.person, self.connection, self.rounds = person, connection, rounds
        self.conversation = Conversation(account, person, EVERYTHING, leg(), self._send, together=0)

    async def _send(self, asker: Conversation) -> Carried:
        try:
            for _ in range(self.rounds):
                self.told.append((await asker(QUESTION)).result)
        except asyncio.CancelledError:
            self.was_told_of_the_end = True
            raise
        return Carried(Era.LEGACY, b"|".join(self.told), b"")


def leg() -> Leg:
    async def nobody(_message: bytes) -> None: ...

    return Leg(cast("CallTickets", None), nobody, b"")


class Parking(RuleBasedStateMachine):
    """Two people, two connections, a car park with four places."""

    places = Bundle("places")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.parked: Parked = self.run(self._make())
        self.calls: dict[bytes, Call] = {}
        self.given_up: list[Call] = []

    async def _make(self) -> Parked:
        return Parked(seconds=3600, most=MOST, per_person=PER_PERSON)

    def run(self, doing: Any) -> Any:
        async def then_settle() -> Any:
            result = await doing
            for _ in range(3):
                await asyncio.sleep(0)
            return result

        return self.loop.run_until_complete(then_settle())

    @rule(
        target=places,
        person=st.sampled_from(["ada", "eve"]),
        connection=st.sampled_from("xy"),
        rounds=st.integers(1, 3),
    )
    def a_service_asks(self, person: str, connection: str, rounds: int) -> bytes:
        return cast("bytes", self.run(self._ask(person, connection, rounds)))

    async def _ask(self, person: str, connection: str, rounds: int) -> bytes:
        call = Call(person, connection, rounds)
        outcome = await call.conversation.outcome()
        assert outcome == {"question_1": QUESTION}
        return self._park(call)

    def _park(self, call: Call) -> bytes:
        mine = [key for key, one in self.calls.items() if one.person == call.person]
        if len(mine) == PER_PERSON:
            self.given_up.append(self.calls.pop(mine[0]))
        if len(self.calls) == MOST:
            with pytest.raises(TooMany):
                self.parked.put(call.conversation)
            self.given_up.append(call)
            return b"nowhere"
        place: bytes = self.parked.put(call.conversation)
        self.calls[place] = call
        return place

    @rule(target=places, place=consumes(places), person=st.sampled_from(["ada", "eve"]), answers=st.booleans())
    def somebody_comes_back(self, place: bytes, person: str, answers: bool) -> bytes:
        return cast("bytes", self.run(self._come_back(place, person, answers)))

    async def _come_back(self, place: bytes, person: str, answers: bool) -> bytes:
        call = self.calls.get(place)
        found = self.parked.take(place, person)
        if call is None or call.person != person:
            assert found is None
            return place
        assert found is call.conversation
        assert self.parked.take(place, person) is None
        del self.calls[place]
        found.resume(leg())
        if answers:
            found.answer({f"question_{len(call.told) + 1}": Told(result=b"yes"), "question_99": Told(result=b"no")})
        outcome = await found.outcome()
        if isinstance(outcome, Carried):
            assert outcome.result == b"|".join([b"yes"] * call.rounds)
            return b"nowhere"
        assert list(outcome) == [f"question_{len(call.told) + 1}"]
        return self._park(call)

    @rule(connection=st.sampled_from("xy"))
    def a_connection_ends(self, connection: str) -> None:
        async def release() -> None:
            self.parked.release(connection)

        self.run(release())
        for place, call in list(self.calls.items()):
            if call.connection == connection:
                self.given_up.append(self.calls.pop(place))

    @rule()
    def the_hub_stops(self) -> None:
        self.run(self.parked.stop())
        self.given_up += self.calls.values()
        self.calls.clear()

    @invariant()
    def no_more_wait_than_may_and_every_other_was_given_up(self) -> None:
        assert len(self.parked) == len(self.calls) <= MOST
        assert all(call.was_told_of_the_end for call in self.given_up)
        assert not any(call.was_told_of_the_end for call in self.calls.values())

    def teardown(self) -> None:
        self.run(self.parked.stop())
        self.loop.close()


Parking.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
test_parking = Parking.TestCase


async def test_a_parked_call_is_given_up_when_its_time_is_over() -> None:
    parked = Parked(seconds=0.01)
    call = Call("ada", "x", 1)
    await call.conversation.outcome()
    place = parked.put(call.conversation)

    await call.conversation.ended()

    assert call.was_told_of_the_end
    assert parked.take(place, "ada") is None


async def test_progress_goes_to_whoever_waits_under_the_token_of_their_request() -> None:
    heard: list[bytes] = []

    async def hear(message: bytes) -> None:
        heard.append(message)

    call = Call("ada", "x", 1)
    call.conversation.leg = Leg(cast("CallTickets", None), hear, b'"one"')
    await call.conversation.outcome()
    said = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"one","progress":1}}'

    await call.conversation.notify(said)
    call.conversation.park()
    await call.conversation.notify(said)
    call.conversation.resume(Leg(cast("CallTickets", None), hear, b"7"))
    await call.conversation.notify(said)
    call.conversation.resume(Leg(cast("CallTickets", None), hear, b""))
    await call.conversation.notify(said)
    call.conversation.end()

    assert heard == [said, said.replace(b'"one"', b"7")]


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_thousand_runs_park_and_end_every_call_once() -> None:
    """T49 for what waits."""
    run_state_machine_as_test(Parking, settings=settings(max_examples=1000, stateful_step_count=20, deadline=None))
