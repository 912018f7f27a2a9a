"""An organization's submissions to the directory, and beginning one (DIR-04)."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.kernel.errors import BadInput, Conflict, TooMany
from valetkey.submissions.ground import TARGET
from valetkey.web.catalog import check_may_add
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    await check_may_add(visit, "submission.refused")
    return await _page(visit, {"slug": "", "name": ""}, {})


async def submit(visit: Visit) -> Response:
    await check_may_add(visit, "submission.refused")
    values = {name: visit.form.one(name, limit=400) for name in ("slug", "name")}
    try:
        begun = await visit.services.submissions.drafts.begin(
            visit.person, values["slug"], {"name": values["name"]}, by=visit.actor
        )
    except BadInput as error:
        field = error.field if error.field in values else "name"
        return await _page(visit, values, {field: f"{error.message} {error.hint}".strip()})
    except Conflict as error:
        return await _page(visit, values, {"slug": f"{error.message} {error.hint}".strip()})
    except TooMany as error:
        return await _page(visit, values, {"": error.message, "hint": error.hint})
    return visit.go(f"/directory/submissions/{begun.id}/connection", done="submission-begun")


async def _page(visit: Visit, values: dict[str, str], errors: dict[str, str]) -> Response:
    submissions = visit.services.submissions
    return visit.page(
        "submission_list.html",
        status=422 if errors else 200,
        submissions=await submissions.drafts.list(visit.person),
        is_reviewer=await submissions.desk.is_reviewer(visit.person),
        target=TARGET.days,
        values=values,
        errors=errors,
    )
