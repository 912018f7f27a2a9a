"""That members' calls were made, newest first: for owners and auditors, without contents."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.identity.roles import Act, may
from valetkey.web.activity_list import CLASSES, OUTCOMES, PER_PAGE, Entry, address, chosen
from valetkey.web.powers import check_may
from valetkey.web.visit import Visit

_HERE = "/admin/activity"


async def show(visit: Visit) -> Response:
    check_may(visit, Act.SEE_CALLS)
    connectors = {one.slug: one for one in await visit.services.connectors.list_for(visit.person)}
    people = {one.id: one.display_name for one in await visit.services.people.list(visit.person.organization_id)}
    typed, wanted = chosen(visit)
    before = visit.query("before", limit=60)
    calls = await visit.services.privacy.reading.list(visit.person, wanted=wanted, before=before, limit=PER_PAGE + 1)
    shown = calls[:PER_PAGE]
    return visit.page(
        "member_call_list.html",
        calls=[(Entry(one, connectors.get(one.connector)), people.get(one.person_id, one.person_id)) for one in shown],
        filtered=any(typed.values()) or bool(before),
        wanted=typed,
        classes=CLASSES,
        connectors=[("", "All services"), *((slug, one.name[:60]) for slug, one in connectors.items())],
        outcomes=OUTCOMES,
        may_read=may(visit.person.role, Act.READ_CONTENTS),
        earlier=address(_HERE, typed, shown[-1].id) if len(calls) > PER_PAGE else "",
        later=address(_HERE, typed, "") if before else "",
    )
