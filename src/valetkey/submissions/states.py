"""Which act leads from which state to which (DIR-09), as one table: what is not in it does not happen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from valetkey.kernel.errors import Conflict
from valetkey.submissions.model import Act, State

_S, _A = State, Act

TABLE: Final[Mapping[tuple[State, Act], State]] = {
    (_S.DRAFT, _A.EDIT): _S.DRAFT,
    (_S.DRAFT, _A.SUBMIT): _S.IN_REVIEW,
    (_S.IN_REVIEW, _A.WITHDRAW): _S.DRAFT,
    (_S.IN_REVIEW, _A.REQUEST_CHANGES): _S.CHANGES_REQUESTED,
    (_S.IN_REVIEW, _A.REJECT): _S.NOT_APPROVED,
    (_S.IN_REVIEW, _A.APPROVE): _S.APPROVED,
    (_S.CHANGES_REQUESTED, _A.EDIT): _S.DRAFT,
    (_S.CHANGES_REQUESTED, _A.SUBMIT): _S.IN_REVIEW,  # what was to be changed may have been the server
    (_S.NOT_APPROVED, _A.EDIT): _S.DRAFT,
    (_S.APPROVED, _A.EDIT): _S.DRAFT,
    (_S.APPROVED, _A.PUBLISH): _S.PUBLISHED,
    (_S.PUBLISHED, _A.EDIT): _S.DRAFT,
    (_S.DELISTED, _A.RELIST): _S.PUBLISHED,
    # Editing what is delisted would be a way back into the directory around the desk.
    **{(state, _A.DELIST): _S.DELISTED for state in _S if state not in (_S.DELISTED, _S.REMOVED)},
    **{(state, _A.REMOVE): _S.REMOVED for state in _S if state is not _S.REMOVED},
}

OF_PUBLISHER: Final = frozenset({_A.EDIT, _A.SUBMIT, _A.WITHDRAW, _A.PUBLISH, _A.REMOVE})
OF_DESK: Final = frozenset({_A.REQUEST_CHANGES, _A.REJECT, _A.APPROVE, _A.DELIST, _A.RELIST})


def after(state: State, act: Act) -> State:
    """Where `act` leads from `state`. Raises `Conflict` for what it does not lead out of."""
    found = TABLE.get((state, act))
    if found is None:
        possible = sorted(one.value for (there, one) in TABLE if there is state)
        raise Conflict(
            f"One cannot {act.value} what is {state.value}.",
            hint=f"What is {state.value} one can: {', '.join(possible)}." if possible else "",
        )
    return found
