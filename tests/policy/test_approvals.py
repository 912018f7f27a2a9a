"""A yes is for one call, for a moment, once; and it is nobody's who is not its person."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.conftest import FakeClock
from tests.policy.rooms import Keys, Told, seed
from valetkey.kernel.errors import Conflict, NotFound, Refused
from valetkey.policy.approval_model import Approval, State
from valetkey.policy.approvals import MOST_AN_HOUR, MOST_PENDING, Approvals, Denied
from valetkey.policy.binding import Asked
from valetkey.policy.model import Decision, Effect, How
from valetkey.policy.tool_class import Classified, ToolClass
from valetkey.store.database import Database
from valetkey.store.notify import Notifications


def asked(
    call: bytes = b'{"name":"delete","arguments":{"id":1}}', kind: ToolClass = ToolClass.HIGH, **more: Any
) -> Asked:
    decision = Decision(
        Effect.ASK, "class_h", "It is hard to take back.", How.PASSKEY, Classified(kind, kind, "It deletes."),
        for_tool=more.pop("for_tool", False),
    )  # fmt: skip
    values = {
        "person_id": "ada", "organization_id": "org_a", "client_id": "https://claude.ai/client",
        "client_name": "Claude", "connection_id": "cn_1", "connector": "notes", "connector_version": 1,
        "origin": "https://notes.example", "label": "main", "tool": "delete", "fingerprint": "f" * 64, "call": call,
        "decision": decision, "policy_version": "v1",
    }  # fmt: skip
    return Asked(**{**values, **more})


@pytest.fixture
async def approvals(database: Database, clock: FakeClock) -> Approvals:
    await seed(database, clock)
    return Approvals(database, Notifications(database), clock=clock, keys=Keys(), trail=Told())


async def approved(approvals: Approvals, what: Asked) -> None:
    await approvals.approve(await approvals.ask(what), session_id="s_1", proof=b"{}")


async def test_of_many_who_use_it_at_once_one_gets_it(approvals: Approvals) -> None:
    """T36, small; `long` does a thousand."""
    await approved(approvals, asked())

    got = await asyncio.gather(*(approvals.take(asked(), f"call_{n}") for n in range(40)))

    assert sum(one is not None for one in got) == 1
    assert await approvals.take(asked(), "call_again") is None


@pytest.mark.long
async def test_of_a_thousand_who_use_it_at_once_one_gets_it(approvals: Approvals) -> None:
    """T36."""
    await approved(approvals, asked())

    got = await asyncio.gather(*(approvals.take(asked(), f"call_{n}") for n in range(1000)))

    assert sum(one is not None for one in got) == 1


async def test_the_use_is_for_the_call_it_was_taken_for(approvals: Approvals) -> None:
    await approved(approvals, asked())

    taken = await approvals.take(asked(), "call_1")

    used = await approvals.used_for("call_1")
    assert taken is not None
    assert used is not None
    assert (used.approval_id, used.connection_id, used.tool) == (taken.id, "cn_1", "delete")
    assert await approvals.used_for("call_2") is None


@pytest.mark.parametrize(
    "other",
    [
        {"call": b'{"name":"delete","arguments":{"id":2}}'},
        {"call": b'{"name":"delete","arguments":{"id": 1}}'},
        {"client_id": "https://other.example"},
        {"fingerprint": "e" * 64},
        {"origin": "https://other.example"},
        {"connector_version": 2},
        {"label": "work"},
        {"tool": "delete2"},
        {"kind": ToolClass.VERTICAL},
        {"policy_version": "v2"},
        {"person_id": "grace"},
    ],
)
async def test_any_change_and_the_yes_is_for_something_else(approvals: Approvals, other: dict[str, Any]) -> None:
    """S-27 (b)."""
    await approved(approvals, asked())

    assert await approvals.take(asked(**other), "call_1") is None


@pytest.mark.parametrize(("kind", "seconds"), [(ToolClass.HIGH, 300), (ToolClass.VERTICAL, 120)])
async def test_a_yes_lasts_minutes(approvals: Approvals, clock: FakeClock, kind: ToolClass, seconds: float) -> None:
    await approved(approvals, asked(kind=kind))
    clock.advance(seconds - 1)
    assert (await approvals.list("ada"))[0].state_at(clock.now()) is State.APPROVED

    clock.advance(1)

    assert await approvals.take(asked(kind=kind), "call_1") is None
    assert (await approvals.list("ada"))[0].state_at(clock.now()) is State.EXPIRED


async def test_a_question_lasts_ten_minutes_and_is_asked_anew_after(approvals: Approvals, clock: FakeClock) -> None:
    """PERM-06."""
    first = await approvals.ask(asked())
    assert (await approvals.ask(asked())).id == first.id

    clock.advance(600)

    with pytest.raises(Conflict):
        await approvals.approve(first, session_id="s_1")
    assert (await approvals.ask(asked())).id != first.id


async def test_it_is_decided_once(approvals: Approvals) -> None:
    question = await approvals.ask(asked())
    await approvals.deny(question, session_id="s_1", words="Not today.")

    with pytest.raises(Conflict):
        await approvals.approve(question, session_id="s_1")
    with pytest.raises(Denied, match="Not today"):
        await approvals.ask(asked())
    assert await approvals.take(asked(), "call_1") is None


async def test_nobody_else_finds_it(approvals: Approvals) -> None:
    question = await approvals.ask(asked())

    with pytest.raises(NotFound):
        await approvals.get("grace", question.id)
    with pytest.raises(Conflict):
        await approvals.approve(replace(question, person_id="grace"), session_id="s_2")


async def test_a_person_is_not_asked_without_end(approvals: Approvals, clock: FakeClock) -> None:
    for n in range(MOST_PENDING):
        await approvals.ask(asked(b"%d" % n))
    with pytest.raises(Refused) as refused:
        await approvals.ask(asked(b"one more"))
    assert refused.value.rule == "too_many_pending"

    for n in range(MOST_AN_HOUR - MOST_PENDING):
        for waiting in await approvals.list("ada"):
            if waiting.state is State.PENDING:
                await approvals.deny(waiting, session_id="s_1")
        await approvals.ask(asked(b"later %d" % n))
    for waiting in await approvals.list("ada"):
        if waiting.state is State.PENDING:
            await approvals.deny(waiting, session_id="s_1")
    with pytest.raises(Refused) as refused:
        await approvals.ask(asked(b"and again"))
    assert refused.value.rule == "too_many_asked"
    clock.advance(3601)
    assert await approvals.ask(asked(b"and again"))


async def test_a_read_asked_for_often_is_one_question_and_a_write_never_is(approvals: Approvals) -> None:
    """PERM-14."""
    read, write = asked(b"read", ToolClass.READ), asked(b"write", ToolClass.LOW_WRITE)
    for what in (read, write):
        questions = {(await approvals.ask(what)).id for _ in range(3)}
        assert len(questions) == 1
        await approvals.approve(await approvals.get("ada", questions.pop()), session_id="s_1")

    reads = [await approvals.take(read, f"call_r{n}") for n in range(4)]
    writes = [await approvals.take(write, f"call_w{n}") for n in range(4)]

    assert [one is not None for one in reads] == [True, True, True, False]
    assert [one is not None for one in writes] == [True, False, False, False]


async def test_reads_that_come_at_once_are_one_question_counted_as_often_as_they_came(approvals: Approvals) -> None:
    """PERM-14: on PostgreSQL each of them may find nothing to join, and be late to add its own."""
    read = asked(b"read", ToolClass.READ)

    questions = {one.id for one in await asyncio.gather(*(approvals.ask(read) for _ in range(20)))}

    assert len(questions) == 1
    assert (await approvals.get("ada", questions.pop())).times == 20


async def test_what_left_without_an_answer_is_uncertain_and_not_used_again(approvals: Approvals) -> None:
    await approved(approvals, asked())
    taken = await approvals.take(asked(), "call_1")
    assert taken is not None

    await approvals.nobody_knows(taken.id, "ada")

    assert (await approvals.get("ada", taken.id)).state is State.UNCERTAIN
    assert await approvals.take(asked(), "call_2") is None


async def test_the_arguments_are_not_in_the_database_in_clear(approvals: Approvals, database: Database) -> None:
    question = await approvals.ask(asked(b'{"name":"delete","arguments":{"id":"very-private"}}'))

    assert b"very-private" not in question.call
    assert b"very-private" in await approvals.call_of(question)


async def test_when_the_connection_ends_nothing_that_was_said_holds(approvals: Approvals) -> None:
    await approved(approvals, asked())

    await approvals.forget("cn_1")

    assert await approvals.take(asked(), "call_1") is None


async def test_who_is_told_that_something_waits_is_told_once(database: Database, clock: FakeClock) -> None:
    """A question that is asked again while it waits is the same one."""
    await seed(database, clock)
    told: list[str] = []

    async def tell(approval: Approval) -> None:
        told.append(approval.id)

    approvals = Approvals(
        database, Notifications(database), clock=clock, keys=Keys(), trail=Told(), on_asked=[tell]
    )  # fmt: skip

    first = await approvals.ask(asked())
    await approvals.ask(asked())

    assert told == [first.id]
