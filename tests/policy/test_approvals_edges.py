"""What an approval's limits and moments are exactly, and who is told of what (T51)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.conftest import FakeClock
from tests.policy.rooms import Keys, Told, seed
from tests.policy.test_approvals import asked
from valetkey.kernel.errors import Refused
from valetkey.policy import approvals as module
from valetkey.policy.approval_model import State
from valetkey.policy.approvals import TOPIC, Approvals
from valetkey.store.database import Database
from valetkey.store.notify import Notifications


class Room:
    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.told, self.heard = Told(), list[str]()
        notifications = Notifications(database)
        notifications.subscribe(TOPIC, self.heard.append)
        self.approvals = Approvals(database, notifications, clock=clock, keys=Keys(), trail=self.told)

    def events(self, name: str) -> list[dict[str, object]]:
        return [detail for event, _actor, detail in self.told.events if event == name]


@pytest.fixture
async def room(sqlite_database: Database, clock: FakeClock) -> Room:
    await seed(sqlite_database, clock)
    return Room(sqlite_database, clock)


async def test_the_same_act_goes_on_under_another_record_and_nothing_else_does(room: Room) -> None:
    approvals = room.approvals
    await approvals.approve(await approvals.ask(asked()), session_id="s_1")
    taken = await approvals.take(asked(), "call_1")
    assert taken is not None

    assert await approvals.go_on(asked(), "call_1", "call_2") == taken.id
    assert await approvals.go_on(asked(), "call_unheard_of", "call_3") == ""
    assert await approvals.go_on(asked(b"another call"), "call_1", "call_4") == ""

    used = [await approvals.used_for(f"call_{number}") for number in range(1, 5)]
    assert [one.approval_id if one else "" for one in used] == [taken.id, taken.id, "", ""]
    assert await approvals.take(asked(), "call_5") is None


async def test_five_wait_and_twenty_are_asked_in_an_hour(room: Room, clock: FakeClock) -> None:
    approvals = room.approvals
    waiting = [await approvals.ask(asked(b"%d" % n)) for n in range(5)]
    with pytest.raises(Refused) as refused:
        await approvals.ask(asked(b"one more"))
    assert refused.value.rule == "too_many_pending"
    for n in range(5, 20):
        await approvals.deny(waiting.pop(), session_id="s_1")
        waiting.append(await approvals.ask(asked(b"%d" % n)))
    for question in waiting:
        await approvals.deny(question, session_id="s_1")
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await approvals.ask(asked(b"and one more"))
        assert refused.value.rule == "too_many_asked"

    assert room.events("approval.too_many") == [{"asked_in_an_hour": 20, "tool": "delete"}]
    clock.advance(3600)
    assert await approvals.ask(asked(b"and one more"))


async def test_what_was_not_answered_in_time_is_expired_when_the_next_is_asked_for(
    room: Room, clock: FakeClock
) -> None:
    approvals = room.approvals
    first = await approvals.ask(asked())
    clock.advance(599)
    await approvals.ask(asked(b"another"))
    assert (await approvals.get("ada", first.id)).state is State.PENDING
    clock.advance(1)

    await approvals.ask(asked(b"a third"))

    assert (await approvals.get("ada", first.id)).state is State.EXPIRED
    assert await approvals.waiting("ada") == 2


async def test_thirty_days_later_it_is_gone(room: Room, clock: FakeClock) -> None:
    approvals = room.approvals
    first = await approvals.ask(asked())
    for days, left in ((30, 2), (31, 2)):
        clock.advance((first.created_at + timedelta(days=days, seconds=1) - clock.now()).total_seconds() - (days == 30))
        await approvals.ask(asked(b"%d" % days))
        assert len(await approvals.list("ada")) == left


async def test_the_trail_is_warned_once_an_hour_for_each_connection_and_remembers_a_few(
    room: Room, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WARNED", 2)
    warn = room.approvals._warn

    for seconds, count in ((0, 1), (3599, 1), (1, 2)):
        clock.advance(seconds)
        await warn(asked(), 20)
        assert len(room.events("approval.too_many")) == count
    for connection, count in (("cn_2", 3), ("cn_1", 3), ("cn_3", 4), ("cn_2", 4), ("cn_1", 5)):
        await warn(asked(connection_id=connection), 20)
        assert len(room.events("approval.too_many")) == count, connection


async def test_words_and_names_are_kept_short_and_the_person_hears_of_each_answer(room: Room) -> None:
    approvals = room.approvals
    question = await approvals.ask(asked(tool="t" * 150))
    room.heard.clear()

    denied = await approvals.deny(question, session_id="s_1", words="w" * 300)

    assert room.heard == ["ada"]
    assert len(denied.words) == 201
    (detail,) = room.events("approval.denied")
    assert len(str(detail["tool"])) == 101
    assert (detail["how"], detail["class"]) == ("click", "H")
    room.heard.clear()
    proven = await approvals.approve(await approvals.ask(asked(b"x")), session_id="s_1", proof=b"{}")
    taken = await approvals.take(asked(b"x"), "call_1")
    await approvals.nobody_knows(proven.id, "ada")
    assert taken is not None
    assert room.events("approval.given")[0]["how"] == "passkey"
    assert room.heard == ["ada"] * 4
