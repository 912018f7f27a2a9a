"""The states of a submission (DIR-09): what the table says happens, and nothing else ever does."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as some

from valetkey.kernel.errors import Conflict
from valetkey.submissions.model import Act, State
from valetkey.submissions.states import OF_DESK, OF_PUBLISHER, TABLE, after

ACTS = some.lists(some.sampled_from(list(Act)), max_size=30)


def walk(acts: list[Act]) -> list[tuple[State, Act, State]]:
    """The moves that were made of these acts, from a draft."""
    state, moves = State.DRAFT, []
    for act in acts:
        try:
            moves.append((state, act, state := after(state, act)))
        except Conflict:
            assert (state, act) not in TABLE
    return moves


@settings(max_examples=200, deadline=None)
@given(ACTS)
def test_nothing_is_published_that_the_desk_did_not_approve_since_it_was_last_edited(acts: list[Act]) -> None:
    approved = False
    listed_before = False
    for before, act, now in walk(acts):
        if act is Act.APPROVE:
            approved = True
        elif act in (Act.EDIT, Act.SUBMIT):
            approved = False
        assert now is not State.PUBLISHED or approved or (act is Act.RELIST and listed_before) or before is now
        listed_before = listed_before or now is State.DELISTED


@settings(max_examples=100, deadline=None)
@given(ACTS)
def test_what_was_removed_stays_removed_and_only_the_desk_leads_out_of_being_delisted(acts: list[Act]) -> None:
    moves = walk(acts)

    assert not [move for move in moves if move[0] is State.REMOVED]
    assert {act for before, act, now in moves if before is State.DELISTED} <= {Act.RELIST, Act.REMOVE}


def test_each_act_is_the_publishers_or_the_desks_and_each_state_is_reached() -> None:
    assert set(Act) == OF_PUBLISHER | OF_DESK
    assert not OF_PUBLISHER & OF_DESK
    assert {State.DRAFT, *TABLE.values()} == set(State)
