"""On a fresh install: who is asked for what before anybody said anything, and what a restart leaves of a question."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest

from tests.conftest import FakeClock
from tests.policy.rooms import Keys, Told, seed
from tests.policy.test_approvals import asked
from tests.policy.test_classes import a_tool
from valetkey.policy.approval_model import State
from valetkey.policy.approvals import Approvals
from valetkey.policy.classes.classify import classify
from valetkey.policy.classes.surroundings import ALONE
from valetkey.policy.decide import Facts, decide
from valetkey.policy.model import Decision, Effect, How
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

HINTS = [
    {},
    {"readOnlyHint": True},
    {"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False},
    {"readOnlyHint": False, "destructiveHint": False},
    {"destructiveHint": True},
]
READS, WRITES, DELETES, PAYS = "list_notes", "update_page", "delete_note", "send_payment"


def fresh(name: str, hints: dict[str, bool], *, verified: bool) -> Decision:
    tool = a_tool(name, hints=hints)
    kind = classify(
        tool, verified=verified, reviewed=None, organization=None, raised_by_taint=False, around=ALONE
    )  # fmt: skip
    return decide(
        Facts(tool=tool, classified=kind, connector="notes", roles=frozenset({"member"}), is_verified=verified)
    )


@pytest.mark.parametrize("verified", [True, False], ids=["verified", "community or custom"])
def test_nothing_but_what_reads_at_a_verified_connector_runs_by_itself(*, verified: bool) -> None:
    """PERM-02, over what a server may claim; PERM-03: a hint that is missing is no better than the worst one."""
    ran = {
        (name, number)
        for name, (number, hints) in product((READS, WRITES, DELETES, PAYS), enumerate(HINTS))
        if fresh(name, hints, verified=verified).effect is Effect.ALLOW
    }

    assert ran <= {(READS, 1), (READS, 2)}
    assert bool(ran) == verified
    for hints in HINTS:
        assert fresh(DELETES, hints, verified=verified).how is How.PASSKEY
        assert fresh(PAYS, hints, verified=verified).effect is (Effect.ASK if verified else Effect.DENY)


async def test_a_question_outlives_a_restart_and_its_yes_is_used_once(database: Database, clock: FakeClock) -> None:
    """PERM-06: nothing of it is in the memory of the process that asked."""
    await seed(database, clock)

    def started() -> Approvals:
        return Approvals(database, Notifications(database), clock=clock, keys=Keys(), trail=Told())

    question = await started().ask(asked())

    again = await started().get("ada", question.id)
    assert again.state is State.PENDING
    await started().approve(again, session_id="s_1", proof=b"{}")
    took = await asyncio.gather(*(started().take(asked(), f"call_{number}") for number in range(5)))
    assert sum(one is not None for one in took) == 1
