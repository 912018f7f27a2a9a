"""The review desk: who waits and how long, and what it has decided. For reviewers; nobody else finds it."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.kernel.errors import NotFound
from valetkey.submissions.ground import TARGET
from valetkey.web.powers import PowersRest
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    await check_reviewer(visit)
    desk = visit.services.submissions.desk
    waiting = await desk.queue(visit.person)
    there = {one.id for one in waiting}
    now = visit.clock.now()
    return visit.page(
        "desk_list.html",
        waiting=[(one, now - one.state_since > TARGET, _is_own(visit, one.organization_id)) for one in waiting],
        others=[one for one in reversed(await desk.all(visit.person)) if one.id not in there],
        target=TARGET.days,
    )


async def check_reviewer(visit: Visit) -> None:
    """Raises `NotFound` for who does not review: they need not know that the page exists. `PowersRest` for a reviewer

    who was away for half an hour or signed in eight hours ago.
    """
    if not await visit.services.submissions.desk.is_reviewer(visit.person):
        raise NotFound("There is no such page.")
    if not visit.services.sessions.has_powers(visit.session):
        raise PowersRest("Please confirm that it is you.")


def _is_own(visit: Visit, organization_id: str) -> bool:
    return organization_id == visit.person.organization_id
