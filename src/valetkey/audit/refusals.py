"""What was refused for want of a right, as an event like what was done (ORG-12): who tried what, from where.

The same by the same is told once a minute, so that nobody fills the trail by trying.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from valetkey.audit.trail import Trail
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import Forbidden

EVENT: Final = "act.refused"
QUIET: Final = 60.0
_MOST: Final = 10_000


class Told(Forbidden):
    """A refusal that was written down already, under a name of its own."""


class Refusals:
    """Tells of refusals. One for each door."""

    def __init__(self, trail: Trail, clock: Clock) -> None:
        self._trail = trail
        self._clock = clock
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def tell(self, what: str, *, actor: str, organization_id: str, person_id: str, because: str) -> None:
        """`what` names a route, not what was sent; `because` is the code of the error."""
        now = self._clock.monotonic()
        if now < self._told.get((actor, what), now):
            return
        self._told[actor, what] = now + QUIET
        self._told.move_to_end((actor, what))
        if len(self._told) > _MOST:
            self._told.popitem(last=False)
        await self._trail.write(
            EVENT, actor=actor, organization_id=organization_id, person_id=person_id, object=what,
            detail={"because": because},
        )  # fmt: skip
