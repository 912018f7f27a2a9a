"""Approvals against a model: however one asks, answers, waits and races, there is one call for each yes (T49, I8)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests.machines import Machine, play, several
from tests.policy.rooms import Keys, Told, seed
from tests.policy.test_approvals import asked
from valetkey.kernel.errors import Conflict, Refused
from valetkey.policy.approval_model import State
from valetkey.policy.approvals import MOST_AN_HOUR, MOST_PENDING, Approvals, Denied
from valetkey.policy.binding import Asked
from valetkey.policy.tool_class import ToolClass
from valetkey.store.notify import Notifications

CALLS = [asked(b"%d" % number, kind) for number in range(3) for kind in (ToolClass.READ, ToolClass.HIGH)]
CALLS += [asked(b"9", ToolClass.VERTICAL)]
calls = st.sampled_from(CALLS)


@dataclass
class Question:
    id: str
    call: Asked
    asked_at: float
    until: float
    state: State = State.PENDING
    times: int = 1
    uses: int = 0


class ApprovalsMachine(Machine):
    @initialize()
    def begin(self) -> None:
        database = self.store()
        self.run(seed(database, self.clock))
        self.approvals = Approvals(
            database, Notifications(database), clock=self.clock, keys=Keys(), trail=Told()
        )  # fmt: skip
        self.questions: list[Question] = []
        self.yes = 0
        self.taken = 0

    def newest(self, call: Asked) -> Question | None:
        """The one that says something about the call still."""
        telling = (State.PENDING, State.APPROVED, State.DENIED)
        found = [
            one for one in self.questions
            if one.call is call and one.state in telling and one.until > self.clock.time()
        ]  # fmt: skip
        return found[-1] if found else None

    @rule(call=calls)
    def ask(self, call: Asked) -> None:
        now, known = self.clock.time(), self.newest(call)
        if known is not None and known.state is State.PENDING:
            assert self.run(self.approvals.ask(call)).id == known.id
            known.times += 1
            return
        if known is not None and known.state is State.DENIED:
            self.refused(call, Denied)
            return
        if known is not None:
            known.state = State.EXPIRED
        lately = [one for one in self.questions if one.asked_at > now - 3600]
        waiting = [one for one in lately if one.state is State.PENDING and one.until > now]
        if len(waiting) >= MOST_PENDING or len(lately) >= MOST_AN_HOUR:
            self.refused(call, Refused)
            return
        new = self.run(self.approvals.ask(call))
        assert new.id not in {one.id for one in self.questions}
        self.questions.append(Question(new.id, call, now, now + 600))

    def refused(self, call: Asked, error: type[Refused]) -> None:
        try:
            self.run(self.approvals.ask(call))
        except error:
            return
        raise AssertionError(f"{call} was asked for, and not {error.__name__}")

    @precondition(lambda self: self.questions)
    @rule(data=st.data(), is_yes=st.booleans(), is_ada=st.sampled_from([True, True, True, False]))
    def answer(self, data: st.DataObject, is_yes: bool, is_ada: bool) -> None:
        question = data.draw(st.sampled_from(self.questions))
        found = self.run(self.approvals.get("ada", question.id))
        found = found if is_ada else replace(found, person_id="grace")
        may = is_ada and question.state is State.PENDING and question.until > self.clock.time()
        try:
            self.run((self.approvals.approve if is_yes else self.approvals.deny)(found, session_id="s_1"))
        except Conflict:
            assert not may
            return
        assert may
        question.state = State.APPROVED if is_yes else State.DENIED
        if is_yes:
            kind = question.call.counts_as
            question.uses = question.times if kind == ToolClass.READ else 1
            question.until = self.clock.time() + (120 if kind == ToolClass.VERTICAL else 300)
            self.yes += question.uses

    @rule(call=calls, at_once=st.sampled_from([1, 1, 3]))
    def take(self, call: Asked, at_once: int) -> None:
        known = self.newest(call)
        left = known.uses if known is not None and known.state is State.APPROVED else 0

        async def race() -> list[object]:
            names = [f"call_{self.taken}_{number}" for number in range(at_once)]
            return list(await asyncio.gather(*(self.approvals.take(call, name) for name in names)))

        got = sum(one is not None for one in self.run(race()))
        assert got == min(left, at_once)
        self.taken += got
        if known is not None and got:
            known.uses -= got
            known.state = State.APPROVED if known.uses else State.CONSUMED

    @rule(call=calls, change=st.sampled_from([{"person_id": "grace"}, {"label": "b"}, {"call": b"{}"}]))
    def a_changed_call_gets_nothing(self, call: Asked, change: dict[str, Any]) -> None:
        assert self.run(self.approvals.take(replace(call, **change), "call_x")) is None

    @rule()
    def the_connection_ends(self) -> None:
        self.run(self.approvals.forget("cn_1"))
        for one in self.questions:
            if one.state in (State.PENDING, State.APPROVED):
                one.state = State.EXPIRED

    @rule(seconds=st.sampled_from([1, 119, 121, 301, 601, 3601]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def there_are_no_more_calls_than_were_allowed(self) -> None:
        if hasattr(self, "taken"):
            assert self.taken <= self.yes


@several
def test_there_is_one_call_for_each_yes(runs: int) -> None:
    play(ApprovalsMachine, runs=runs, steps=30)
