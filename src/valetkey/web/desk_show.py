"""One submission at the desk: what is said of it, what the review saw, who submitted it, and the desk's decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response

from valetkey.directory.listings import VERTICALS, ReviewedTool
from valetkey.identity.model import Person
from valetkey.kernel.errors import NotFound
from valetkey.review.model import Report
from valetkey.submissions.grades import ORDER, Grade
from valetkey.submissions.ground import LONGEST_WORDS, TARGET, Whole
from valetkey.submissions.model import Act, State, Submission
from valetkey.submissions.states import TABLE
from valetkey.web.desk_list import check_reviewer
from valetkey.web.form import Form
from valetkey.web.sign_in_again import ask_again
from valetkey.web.submission_show import seen
from valetkey.web.submission_steps import SHEETS
from valetkey.web.tried import tried
from valetkey.web.visit import Visit

_AGAIN: Final = "3"
_CLASS: Final = "class:"
_DECISIONS: Final = (
    (Act.APPROVE, "Approve", "Its publisher can put it into the directory."),
    (Act.REQUEST_CHANGES, "Request changes", "It goes back; they mend it and submit it again."),
    (Act.REJECT, "Do not approve", "It goes back with your reason."),
    (
        Act.DELIST,
        "Take it out of the directory",
        "Nobody new connects it. Who is connected stays, as custom – unverified.",
    ),
    (Act.RELIST, "Put it back", "It stands in the directory as it was."),
)


async def show(visit: Visit) -> Response:
    return await _page(visit, await _whole(visit), {})


async def review(visit: Visit) -> Response:
    """Runs the review with its test account, which nobody at the desk is shown."""
    whole = await _whole(visit)
    reviews = visit.services.submissions.reviews
    if errors := await tried(reviews.of_submission(whole.submission, person_id=visit.person.id)):
        return await _page(visit, whole, errors)
    return visit.go(_path(whole.submission))


async def question(visit: Visit) -> Response:
    whole, words = await _whole(visit), visit.form.one("words", limit=4 * LONGEST_WORDS)
    asking = visit.services.submissions.desk.ask(visit.person, whole.submission.id, words, by=visit.actor)
    if errors := await tried(asking, fields=("words",)):
        return await _page(visit, whole, errors)
    return visit.go(_path(whole.submission), done="desk-asked")


async def decide(visit: Visit) -> Response:
    whole, form = await _whole(visit), visit.form
    act, reason = form.one("act", limit=40), form.one("reason", limit=4 * LONGEST_WORDS)
    if act not in {one.value for one, *_ in _DECISIONS}:
        return await _page(visit, whole, {"act": "Choose what to decide."}, reason=reason)
    deciding = visit.services.submissions.desk.decide(
        visit.person, whole.submission.id, Act(act), reason=reason, seen=form.one("seen", limit=64),
        verified="verified" in form, by=visit.actor, vertical=form.one("vertical", limit=40), classes=_classes(form),
    )  # fmt: skip
    if errors := await tried(deciding, fields=("act", "reason", "vertical", "classes")):
        return await _page(visit, whole, errors, reason=reason, chosen=act)
    return visit.go(_path(whole.submission), done="desk-decided")


async def take_down(visit: Visit) -> Response:
    """At once, for security: no call goes to it any more, in any organization (DIR-15)."""
    whole = await _whole(visit)
    if (detour := ask_again(visit, to=_path(whole.submission))) is not None:
        return detour
    why = visit.form.one("why", limit=4 * LONGEST_WORDS)
    taking = visit.services.submissions.desk.take_down(visit.person, whole.submission.id, reason=why, by=visit.actor)
    if errors := await tried(taking, fields=("why",)):
        return await _page(visit, whole, errors)
    return visit.go(_path(whole.submission), done="desk-taken-down")


def _classes(form: Form) -> dict[str, Grade]:
    """What was chosen for each tool; one that was left as the review has it is not among them."""
    return {
        name.removeprefix(_CLASS): Grade(is_a, form.one(f"why:{name.removeprefix(_CLASS)}", limit=2000))
        for name in form.names(_CLASS)
        if (is_a := form.one(name, limit=40))
    }


async def _whole(visit: Visit) -> Whole:
    await check_reviewer(visit)
    return await visit.services.submissions.desk.get(visit.person, visit.path("submission"))


def _path(one: Submission) -> str:
    return f"/directory/desk/{one.id}"


def _decisions(whole: Whole) -> list[tuple[str, str, str]]:
    """What can be decided of what is there now."""
    one = whole.submission
    possible = [
        (act, label, hint)
        for act, label, hint in _DECISIONS
        if (one.state, act) in TABLE and (act is not Act.DELIST or one.is_listed)
    ]
    return [(act.value, label, hint) for act, label, hint in possible]


async def _page(
    visit: Visit, whole: Whole, errors: Mapping[str, str], *, reason: str = "", chosen: str = ""
) -> Response:
    one, desk = whole.submission, visit.services.submissions.desk
    shown = seen(visit, whole)
    said: dict[str, Any] = msgspec.to_builtins(one.fields)
    page = visit.page(
        "desk_show.html",
        status=422 if errors else 200,
        whole=whole,
        one=one,
        path=_path(one),
        submitter=await _submitter(visit, one),
        organization=(await visit.services.organizations.get(one.organization_id)).name,
        may_decide=desk.may_decide(visit.person, one, by=visit.actor),
        can_take_down=one.live is not None and one.state is not State.REMOVED,
        decisions=_decisions(whole),
        links=[(name, said[name]) for name in ("docs", "privacy_policy", "terms", "support") if said[name]],
        data=[(one.label, said["data"][one.name.partition(".")[2]]) for one in SHEETS["data-handling"].inputs[1:]],
        tools=_tools(visit, one, shown["report"]),
        classes=[(name, name.capitalize()) for name in ORDER],
        verticals=[("", "As its publisher says"), *((one, one.capitalize()) for one in VERTICALS)],
        condition=await visit.services.submissions.health_of(whole),
        target=TARGET.days,
        limit=LONGEST_WORDS,
        reason=reason,
        chosen=chosen,
        errors=errors,
        **shown,
    )
    if shown["run"] is not None and shown["run"].finished_at is None:
        page.headers["refresh"] = _AGAIN
    return page


def _tools(visit: Visit, one: Submission, report: Report | None) -> list[tuple[ReviewedTool, str, str]]:
    """Each tool as the review, or the desk by now, has it; what is chosen for it, and why."""
    tools = one.tools or (report.reviewed if report is not None else ())
    if visit.request.method == "GET":
        return [(tool, tool.is_a, "") for tool in tools]
    given = _classes(visit.form)
    said = [(tool, given.get(tool.name, Grade(tool.is_a))) for tool in tools]
    return [(tool, grade.is_a, grade.why) for tool, grade in said]


async def _submitter(visit: Visit, one: Submission) -> Person | None:
    """Who handed it in; nobody for the operator, and for a person who is gone since (DIR-18)."""
    kind, _, person_id = one.submitted_by.partition(":")
    if kind != "person":
        return None
    try:
        return await visit.services.people.get(person_id)
    except NotFound:
        return None
