"""One call of a member's: that it was made, for owners and auditors; what was in it, for an auditor who says why."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import BadInput
from valetkey.privacy.reading import LONGEST_REASON, Opened
from valetkey.web.powers import check_may
from valetkey.web.tree import read_tree
from valetkey.web.visit import Visit

_WHY_NOT = {"none": "Nothing was kept.", "erased": "It can no longer be opened by anybody."}


async def show(visit: Visit) -> Response:
    check_may(visit, Act.SEE_CALLS)
    return await _page(visit, {}, None)


async def read(visit: Visit) -> Response:
    """Opens it. The answer is the page itself: to look again is to read again, and is written down again."""
    check_may(visit, Act.READ_CONTENTS)
    try:
        opened = await visit.services.privacy.reading.open(
            visit.person, visit.path("call"), reason=visit.form.one("reason"), actor=visit.actor
        )
    except BadInput as error:
        return await _page(visit, {error.field: error.message}, None)
    return await _page(visit, {}, opened)


async def _page(visit: Visit, errors: Mapping[str, str], opened: Opened | None) -> Response:
    call = await visit.services.privacy.reading.find(visit.person, visit.path("call"))
    people = {one.id: one.display_name for one in await visit.services.people.list(visit.person.organization_id)}
    halves = (("What was sent", opened.request), ("What came back", opened.response)) if opened is not None else ()
    return visit.page(
        "member_call_show.html",
        status=422 if errors else 200,
        errors=errors,
        call=call,
        who=people.get(call.person_id, call.person_id),
        parts=[
            (title, read_tree(body) if body is not None else None, _WHY_NOT.get(opened.contents, "Nothing."))
            for title, body in halves
            if opened is not None
        ],
        may_read=may(visit.person.role, Act.READ_CONTENTS),
        longest_reason=LONGEST_REASON,
    )
