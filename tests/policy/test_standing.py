"""A yes that stands is for so many calls of one tool, account and assistant, until a date; never for class V."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.conftest import FakeClock
from tests.policy.rooms import Keys, Told, seed
from tests.policy.test_approvals import asked as asked_once
from valetkey.directory.fingerprint import read_tool
from valetkey.directory.model import Drift
from valetkey.kernel.errors import BadInput, Conflict, Forbidden, NotFound, VaultFailed
from valetkey.policy.approvals import Approvals
from valetkey.policy.binding import Asked
from valetkey.policy.ceilings import Ceilings
from valetkey.policy.model import Setting
from valetkey.policy.standing import Standings
from valetkey.policy.standing_model import Standing, StandingApproval
from valetkey.policy.terms import MOST_CALLS_HIGH, Terms, covers
from valetkey.policy.tool_class import ToolClass
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

WEEK = Terms(3, 7)
CALL = b'{"name":"delete","arguments":{"id":1,"why":"old"}}'


def call(**arguments: Any) -> bytes:
    return json.dumps({"name": "delete", "arguments": arguments}).encode()


class Erasable(Keys):
    """Keys, until somebody erases them."""

    erased = False

    async def existing(self, person_id: str, tenant: str, day: str) -> Any:
        if self.erased:
            raise VaultFailed("The key of that day was destroyed.")
        return await super().existing(person_id, tenant, day)


class Room:
    """The parts that a standing approval needs; `again` is the same on connections of its own."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        notifications = Notifications(database)
        self.database, self.clock = database, clock
        self.trail, self.keys = Told(), Erasable()
        self.ceilings = Ceilings(database, notifications, clock=clock, trail=self.trail)
        self.approvals = Approvals(database, notifications, clock=clock, keys=self.keys, trail=self.trail)
        self.standings = Standings(database, self.ceilings, clock=clock, keys=self.keys, trail=self.trail)

    async def asked(self, call: bytes = CALL, kind: ToolClass = ToolClass.HIGH, **more: Any) -> Asked:
        limits = await self.ceilings.of("org_a")
        made = asked_once(call, kind, **{"policy_version": limits.version, **more})
        return replace(made, decision=replace(made.decision, may_stand=kind is not ToolClass.VERTICAL))

    async def given(self, terms: Terms = WEEK, *, proof: bytes = b"{}", **more: Any) -> StandingApproval:
        approval = await self.approvals.ask(await self.asked(**more))
        return await self.standings.give(
            approval, more.get("call", CALL), terms, session_id="s_1", proof=proof
        )  # fmt: skip

    async def take(self, call_id: str, *, since: Any = None, **more: Any) -> StandingApproval | None:
        return await self.standings.take(
            await self.asked(**more), call_id, await self.ceilings.of("org_a"), since=since
        )

    async def state(self) -> Standing:
        [one] = await self.standings.list("ada")
        return one.state_at(self.clock.now())


@pytest.fixture
async def room(database: Database, clock: FakeClock) -> Room:
    await seed(database, clock)
    return Room(database, clock)


@pytest.fixture
async def other(room: Room, clock: FakeClock) -> AsyncIterator[Room]:
    """Another replica: the same database, over connections of its own."""
    url = room.database.url.render_as_string(hide_password=False)
    database = Database.open(url)
    yield Room(database, clock)
    await database.close()


async def test_it_is_used_as_often_as_it_was_given_for_and_each_use_is_in_the_trail(room: Room) -> None:
    given = await room.given(Terms(3, 7))

    taken = [await room.take(f"call_{n}") for n in range(5)]

    assert [one.uses_left if one else None for one in taken] == [2, 1, 0, None, None]
    assert await room.state() is Standing.USED_UP
    used = [(actor, detail) for event, actor, detail in room.trail.events if event == "standing.used"]
    assert [(detail["call"], detail["left"]) for _, detail in used] == [("call_0", 2), ("call_1", 1), ("call_2", 0)]
    assert {actor for actor, _ in used} == {"client:https://claude.ai/client"}
    use = await room.approvals.used_for("call_1")
    assert use is not None
    assert (use.approval_id, use.connection_id, use.tool) == (given.id, "cn_1", "delete")


async def test_of_many_on_two_replicas_who_use_it_at_once_as_many_get_it_as_it_has_uses(
    room: Room, other: Room
) -> None:
    await room.given(Terms(7, 7))

    got = await asyncio.gather(
        *(replica.take(f"call_{name}{n}") for n in range(20) for name, replica in (("a", room), ("b", other)))
    )

    assert sum(one is not None for one in got) == 7
    assert sorted(one.uses_left for one in got if one) == list(range(7))


@pytest.mark.long
async def test_of_a_thousand_on_two_replicas_as_many_get_it_as_it_has_uses(room: Room, other: Room) -> None:
    """T36, for what stands."""
    await room.given(Terms(37, 7))

    got = await asyncio.gather(
        *(replica.take(f"call_{name}{n}") for n in range(500) for name, replica in (("a", room), ("b", other)))
    )

    assert sum(one is not None for one in got) == 37


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "https://other.example"},
        {"connection_id": "cn_2"},
        {"fingerprint": "e" * 64},
        {"origin": "https://other.example"},
        {"connector_version": 2},
        {"label": "work"},
        {"tool": "delete2"},
        {"kind": ToolClass.MEDIUM},
        {"kind": ToolClass.VERTICAL},
        {"person_id": "grace"},
        {"organization_id": "org_b"},
        {"call": call(id=2, why="old")},
    ],
)
async def test_any_change_and_the_yes_is_for_something_else(room: Room, change: dict[str, Any]) -> None:
    await room.given()

    assert await room.take("call_1", **change) is None
    assert await room.take("call_2") is not None


async def test_it_ends_on_its_day(room: Room) -> None:
    await room.given(Terms(3, 7))
    room.clock.advance(7 * 86400 - 1)
    assert await room.take("call_1") is not None

    room.clock.advance(1)

    assert await room.take("call_2") is None
    assert await room.state() is Standing.RAN_OUT


# --- the arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "free", "is_covered"),
    [
        (call(id=1, why="old"), set(), True),
        (b'{"arguments": {"why":"\\u006fld" , "id":1}, "name":"delete"}', set(), True),
        (call(id=2, why="old"), set(), False),
        (call(id=2, why="old"), {"id"}, True),
        (call(id=2, why="new"), {"id"}, False),
        (call(id=1), set(), False),
        (call(id=1), {"why"}, True),
        (call(id=1, why="old", to="eve"), set(), False),
        (call(id=1, why="old", to="eve"), {"id", "why"}, False),
        (call(id=1, why="old", Id=2), set(), False),
        (call(id="1", why="old"), set(), False),
        (call(id=True, why="old"), set(), False),
        (b'{"name":"delete","arguments":{"id":1.0,"why":"old"}}', set(), False),
        (b'{"name":"delete","arguments":{"id":["number","1"],"why":"old"}}', set(), False),
        (b'{"name":"delete","arguments":[1]}', {"id", "why"}, False),
        (b'{"name":"delete"}', {"id", "why"}, True),
        (b"nonsense", {"id", "why"}, False),
    ],
)
def test_an_argument_is_as_it_was_shown_unless_it_was_freed(now: bytes, free: set[str], is_covered: bool) -> None:
    assert covers(CALL, frozenset(free), now) is is_covered


async def test_what_was_freed_may_differ_and_nothing_else(room: Room) -> None:
    await room.given(Terms(9, 7, frozenset({"why"})))

    assert await room.take("call_1", call=call(id=1, why="anything")) is not None
    assert await room.take("call_2", call=call(id=2, why="old")) is None


async def test_the_arguments_are_not_in_the_database_in_clear_and_go_with_their_day(room: Room) -> None:
    given = await room.given(call=call(secret="very-private"))
    assert b"very-private" not in given.scope
    assert (await room.standings.scope_of(given)).shown == call(secret="very-private")

    room.keys.erased = True

    assert await room.take("call_1", call=call(secret="very-private")) is None


# --- giving it --------------------------------------------------------------------------------------------------------


async def test_class_v_never_stands_and_nothing_that_may_not(room: Room) -> None:
    vertical = await room.approvals.ask(await room.asked(kind=ToolClass.VERTICAL))
    # As it would be if somebody forgot to say so when it was asked.
    for approval in (vertical, replace(vertical, may_stand=True), replace(vertical, counts_as="H")):
        with pytest.raises(Forbidden):
            await room.standings.give(approval, CALL, Terms(1, 1), session_id="s_1", proof=b"{}")

    assert await room.standings.list("ada") == []


async def test_what_takes_a_passkey_takes_one_to_stand(room: Room) -> None:
    with pytest.raises(Forbidden, match="passkey"):
        await room.given(proof=b"")

    assert await room.standings.list("ada") == []


@pytest.mark.parametrize("terms", [Terms(0, 7), Terms(MOST_CALLS_HIGH + 1, 7), Terms(1, 0), Terms(1, 31)])
async def test_it_has_limits(room: Room, terms: Terms) -> None:
    with pytest.raises(BadInput):
        await room.given(terms)


# --- ending it --------------------------------------------------------------------------------------------------------


async def test_revoked_is_revoked_by_its_person_alone(room: Room) -> None:
    given = await room.given()
    with pytest.raises(NotFound):
        await room.standings.revoke("grace", given.id, actor="person:grace")
    assert await room.take("call_1") is not None

    await room.standings.revoke("ada", given.id, actor="person:ada")

    assert await room.take("call_2") is None
    assert await room.state() is Standing.ENDED
    with pytest.raises(NotFound):
        await room.standings.revoke("ada", given.id, actor="person:ada")
    assert ("standing.ended", "person:ada") in [(event, actor) for event, actor, _ in room.trail.events]


async def test_a_rule_about_the_tool_voids_it_and_a_rule_about_another_does_not(room: Room) -> None:
    await room.given()
    await room.ceilings.set("org_a", Setting.ASK, actor="person:o", connector="mail")
    await room.ceilings.set("org_a", Setting.ASK, actor="person:o", tool="send")
    assert await room.take("call_1") is not None

    await room.ceilings.set("org_a", Setting.ALLOW, actor="person:o", connector="notes")

    assert await room.take("call_2") is None


async def test_a_rule_that_came_between_the_question_and_the_yes_is_heard(room: Room) -> None:
    approval = await room.approvals.ask(await room.asked())
    await room.ceilings.set("org_a", Setting.ASK, actor="person:o")

    with pytest.raises(Conflict):
        await room.standings.give(approval, CALL, Terms(1, 1), session_id="s_1", proof=b"{}")


async def test_who_wants_to_be_asked_again_is_asked(room: Room) -> None:
    """PERM-09: tightening acts at once."""
    await room.given()

    room.clock.advance(60)
    since = room.clock.now()
    assert await room.take("call_1", since=since) is None

    room.clock.advance(1)
    again = await room.given(call=call(id=5))

    taken = await room.take("call_2", call=call(id=5), since=since)
    assert taken is not None
    assert taken.id == again.id


async def test_drift_ends_it_for_good_even_if_the_tool_is_as_before_again(room: Room) -> None:
    await room.given()
    tool = read_tool(b'{"name":"delete","description":"Deletes more"}')

    await room.standings.drifted("cn_1", [Drift("changed", "delete", tool, tool, ())])

    assert await room.take("call_1") is None
    [one] = await room.standings.list("ada")
    assert (one.state_at(room.clock.now()), one.ended_because) == (Standing.ENDED, "tool_changed")


@pytest.mark.parametrize(
    ("kind", "name", "ends"), [("server", "", True), ("renamed", "remove", True), ("changed", "list", False)]
)
async def test_what_else_drifts_ends_it_if_it_is_about_it(room: Room, kind: Any, name: str, ends: bool) -> None:
    await room.given()
    old = read_tool(b'{"name":"delete"}') if kind == "renamed" else None

    await room.standings.drifted("cn_1", [Drift(kind, name, old, None, ())])

    assert (await room.take("call_1") is None) is ends


async def test_a_connection_that_ends_takes_it_along(room: Room) -> None:
    await room.given()

    await room.standings.forget("cn_1")

    assert await room.take("call_1") is None
    assert (await room.standings.list("ada"))[0].ended_because == "disconnected"


async def test_an_assistant_that_was_put_out_asks_when_it_is_let_in_again(room: Room) -> None:
    await room.given()
    await room.standings.put_out("ada", "https://other.example")
    await room.standings.put_out("grace", "https://claude.ai/client")
    assert await room.take("call_1") is not None

    await room.standings.put_out("ada", "https://claude.ai/client")

    assert await room.take("call_2") is None
    assert (await room.standings.list("ada"))[0].ended_because == "assistant_put_out"


# --- what nobody knows ------------------------------------------------------------------------------------------------


async def test_exactly_the_call_whose_outcome_nobody_knows_is_asked_for_and_others_are_not(room: Room) -> None:
    await room.given(Terms(9, 7, frozenset({"id"})))
    assert await room.take("call_1") is not None
    await room.standings.nobody_knows("call_1")

    assert await room.take("call_2") is None
    assert await room.take("call_3", call=call(id=2, why="old")) is not None

    # The person looked, and said yes to exactly this call once more: it is as any other again.
    question = await room.approvals.ask(await room.asked())
    await room.approvals.approve(question, session_id="s_1", proof=b"{}")
    room.clock.advance(1)
    assert await room.approvals.take(await room.asked(), "call_4") is not None
    assert await room.take("call_5") is not None
