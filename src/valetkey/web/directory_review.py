"""The linter in the pages: an address is reviewed as somebody unknown, with progress, and the report is shown.

What `valetkey review URL` does, for who may add connectors. The whole report is a file, as the command writes it.
"""

from __future__ import annotations

from starlette.responses import Response

from valetkey.kernel.errors import BadInput, NotFound
from valetkey.review.clauses import CLAUSES
from valetkey.review.report import QUOTED, saw_little, verdict, why_unrun
from valetkey.submissions.model import Run
from valetkey.submissions.reviews import report_of
from valetkey.web.catalog import check_may_add
from valetkey.web.review_report import report_page
from valetkey.web.visit import Visit

_AGAIN = "2"  # seconds after which the browser looks again, while the review is under way


async def show(visit: Visit) -> Response:
    await check_may_add(visit, "review.refused")
    return visit.page("directory_review.html", url=visit.query("url", limit=2048))


async def submit(visit: Visit) -> Response:
    await check_may_add(visit, "review.refused")
    url = visit.form.one("url", limit=2048)
    try:
        run = await visit.services.submissions.reviews.of_url(
            url, organization_id=visit.person.organization_id, person_id=visit.person.id
        )
    except BadInput as error:
        return visit.page("directory_review.html", status=400, url=url, errors={"url": str(error)})
    return visit.go(f"/directory/reviews/{run.id}")


async def progress(visit: Visit) -> Response:
    """How far it is; and when it has ended, what was found."""
    run = await _run(visit)
    report = report_of(run)
    page = visit.page(
        "directory_reviewed.html",
        run=run,
        report=report,
        verdict=verdict(report) if report is not None else "",
        found=[one for one in report.outcomes if one.findings] if report is not None else (),
        unrun=why_unrun(report) if report is not None else {},
        little=report is not None and saw_little(report),
        clauses=CLAUSES,
        quoted=QUOTED,
    )
    if run.finished_at is None:
        page.headers["refresh"] = _AGAIN  # no script is needed to see how it goes on
    return page


async def download(visit: Visit) -> Response:
    """The whole report as a page that is a file of its own: its style stands in it, so it is not shown from here."""
    report = report_of(await _run(visit))
    if report is None:
        raise NotFound("There is no report.")
    headers = {"content-disposition": 'attachment; filename="review.html"'}
    return Response(report_page(report), media_type="application/octet-stream", headers=headers)


async def _run(visit: Visit) -> Run:
    await check_may_add(visit, "review.refused")
    run = await visit.services.submissions.reviews.status(visit.path("run"))
    if run is None or run.organization_id != visit.person.organization_id:
        raise NotFound("There is no such review.")
    return run
