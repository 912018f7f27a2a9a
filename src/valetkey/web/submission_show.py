"""One submission for its publisher: where it is, what is still to do, what the review found, what the desk says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.responses import Response

from valetkey.kernel.errors import BadInput, NotFound
from valetkey.review.clauses import CLAUSES
from valetkey.review.model import Severity
from valetkey.review.report import QUOTED, saw_little, verdict, why_unrun
from valetkey.submissions.drafts import EDITABLE, Drafts
from valetkey.submissions.ground import LONGEST_WORDS, TARGET, Whole
from valetkey.submissions.model import Act, State, Submission
from valetkey.submissions.reviews import report_of
from valetkey.submissions.states import TABLE
from valetkey.web.catalog import check_may_add
from valetkey.web.sign_in_again import ask_again
from valetkey.web.submission_steps import still
from valetkey.web.tried import tried
from valetkey.web.visit import Visit

_AGAIN: Final = "3"  # seconds after which the browser looks again, while a review is under way
_OF_PUBLISHER: Final[Mapping[str, Callable[[Drafts], Callable[..., Awaitable[Submission]]]]] = {
    "withdraw": lambda drafts: drafts.withdraw,
    "publish": lambda drafts: drafts.publish,
    "remove": lambda drafts: drafts.remove,
}


async def show(visit: Visit) -> Response:
    return await _page(visit, await whole_of(visit), {})


async def move(visit: Visit) -> Response:
    """Hands it in, takes it back, publishes or removes it."""
    whole = await whole_of(visit)
    one, act = whole.submission, visit.form.one("act", limit=20)
    if act in ("publish", "remove") and (detour := ask_again(visit, to=path_of(one))) is not None:
        return detour
    if errors := await tried(_moved(visit, one, act)):
        return await _page(visit, whole, errors)
    return visit.go("/directory/submissions" if act == "remove" else path_of(one), done=f"submission-{act}")


async def _moved(visit: Visit, one: Submission, act: str) -> None:
    drafts = visit.services.submissions.drafts
    if act == "submit":
        await drafts.submit(visit.person, one.id, seen=visit.form.one("seen", limit=64), by=visit.actor)
    elif act in _OF_PUBLISHER:
        await _OF_PUBLISHER[act](drafts)(visit.person, one.id, by=visit.actor)
    else:
        raise BadInput("There is no such act.", field="act")


async def review(visit: Visit) -> Response:
    """Begins a review of it as it stands now."""
    whole = await whole_of(visit)
    reviews = visit.services.submissions.reviews
    if errors := await tried(reviews.of_submission(whole.submission, person_id=visit.person.id)):
        return await _tools(visit, whole, errors)
    return visit.go(f"{path_of(whole.submission)}/tools")


async def answer(visit: Visit) -> Response:
    whole, words = await whole_of(visit), visit.form.one("words", limit=4 * LONGEST_WORDS)
    answering = visit.services.submissions.drafts.answer(visit.person, whole.submission.id, words, by=visit.actor)
    if errors := await tried(answering, fields=("words",)):
        return await _page(visit, whole, errors)
    return visit.go(path_of(whole.submission), done="submission-answered")


async def show_tools(visit: Visit) -> Response:
    return await _tools(visit, await whole_of(visit), {})


async def show_domain(visit: Visit) -> Response:
    return _domain(visit, await whole_of(visit), {})


async def prove(visit: Visit) -> Response:
    whole = await whole_of(visit)
    if errors := await tried(
        visit.services.submissions.drafts.prove(visit.person, whole.submission.id, by=visit.actor)
    ):
        return _domain(visit, whole, errors)
    return visit.go(path_of(whole.submission), done="submission-proved")


async def show_terms(visit: Visit) -> Response:
    return _terms(visit, await whole_of(visit), {})


async def agree(visit: Visit) -> Response:
    """Each text by itself, by the hash of the words that were shown (DIR-07, S-29)."""
    whole = await whole_of(visit)
    terms = visit.services.submissions.drafts.terms
    given = {text: visit.form.one(f"agree:{text}", limit=64) for text in terms.texts if f"agree:{text}" in visit.form}
    if not given:
        return _terms(visit, whole, {"": "Nothing was agreed to.", "hint": "Tick each text that you agree to."})
    if (detour := ask_again(visit, to=f"{path_of(whole.submission)}/acknowledgments")) is not None:
        return detour
    agreeing = visit.services.submissions.drafts.agree(visit.person, whole.submission.id, given, by=visit.actor)
    if errors := await tried(agreeing):
        return _terms(visit, whole, errors)
    return visit.go(path_of(whole.submission), done="submission-agreed")


async def set_account(visit: Visit) -> Response:
    """Seals a test account's token; it is shown to nobody, and asked for again when it is to change."""
    whole = await whole_of(visit)
    step = f"{path_of(whole.submission)}/account"
    if not visit.form.verbatim("token", limit=16_384):
        return _account(visit, whole, {"token": "Paste the token of the test account."})
    if (detour := ask_again(visit, to=step)) is not None:
        return detour
    sealing = visit.services.submissions.drafts.set_account(
        visit.person, whole.submission.id, visit.form.secret("token", limit=16_384), by=visit.actor
    )
    if errors := await tried(sealing):
        return _account(visit, whole, errors)
    return visit.go(path_of(whole.submission), done="submission-account")


async def show_account(visit: Visit) -> Response:
    return _account(visit, await whole_of(visit), {})


async def whole_of(visit: Visit) -> Whole:
    """The submission that the path names. Raises `NotFound`, for another organization's too, and `Forbidden`."""
    await check_may_add(visit, "submission.refused")
    whole = await visit.services.submissions.drafts.get(visit.person, visit.path("submission"))
    if whole.submission.state is State.REMOVED:
        raise NotFound("There is no such submission.")
    return whole


def path_of(one: Submission) -> str:
    return f"/directory/submissions/{one.id}"


def seen(visit: Visit, whole: Whole) -> Mapping[str, Any]:
    """What the last review of it saw, for a template."""
    run = visit.services.submissions.reviews.as_of_now(whole.run) if whole.run is not None else None
    report = report_of(run) if run is not None else None
    return {
        "run": run,
        "report": report,
        "verdict": verdict(report) if report is not None else "",
        "found": [one for one in report.outcomes if one.findings] if report is not None else (),
        "unrun": why_unrun(report) if report is not None else {},
        "little": report is not None and saw_little(report),
        "counts": {one.value: report.count(one) for one in Severity} if report is not None else {},
        "clauses": CLAUSES,
        "quoted": QUOTED,
    }


async def _page(visit: Visit, whole: Whole, errors: Mapping[str, str]) -> Response:
    one = whole.submission
    return visit.page(
        "submission_show.html",
        status=422 if errors else 200,
        whole=whole,
        one=one,
        path=path_of(one),
        still=still,
        editable=one.state in EDITABLE,
        can={act.value for act in (Act.SUBMIT, Act.WITHDRAW, Act.PUBLISH, Act.REMOVE) if (one.state, act) in TABLE},
        condition=await visit.services.submissions.health_of(whole),
        target=TARGET.days,
        limit=LONGEST_WORDS,
        errors=errors,
        **seen(visit, whole),
    )


async def _tools(visit: Visit, whole: Whole, errors: Mapping[str, str]) -> Response:
    shown = seen(visit, whole)
    page = visit.page(
        "submission_tools.html",
        status=422 if errors else 200,
        whole=whole,
        one=whole.submission,
        path=path_of(whole.submission),
        errors=errors,
        **shown,
    )
    if shown["run"] is not None and shown["run"].finished_at is None:
        page.headers["refresh"] = _AGAIN  # no script is needed to see how it goes on
    return page


def _domain(visit: Visit, whole: Whole, errors: Mapping[str, str]) -> Response:
    return visit.page(
        "submission_domain.html",
        status=422 if errors else 200,
        one=whole.submission,
        path=path_of(whole.submission),
        places=visit.services.submissions.drafts.places(whole.submission),
        errors=errors,
    )


def _terms(visit: Visit, whole: Whole, errors: Mapping[str, str]) -> Response:
    terms = visit.services.submissions.drafts.terms
    agreed = {one.text: one for one in whole.agreed if one.text_hash == terms.hash_of(one.text)}
    return visit.page(
        "submission_terms.html",
        status=422 if errors else 200,
        one=whole.submission,
        path=path_of(whole.submission),
        terms=terms,
        texts=[(name, words, terms.hash_of(name), agreed.get(name)) for name, words in terms.texts.items()],
        agree_by=whole.agree_by,
        errors=errors,
    )


def _account(visit: Visit, whole: Whole, errors: Mapping[str, str]) -> Response:
    return visit.page(
        "submission_account.html",
        status=422 if errors else 200,
        one=whole.submission,
        path=path_of(whole.submission),
        errors=errors,
    )
