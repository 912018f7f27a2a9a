"""That the security contact of a submission still answers: a code by mail, or its publisher's word (DIR-16)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.submissions.ground import Whole
from valetkey.submissions.published import CONTACT_HOLDS
from valetkey.web.submission_show import path_of, whole_of
from valetkey.web.tried import tried
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    return _page(visit, await whole_of(visit), {})


async def submit(visit: Visit) -> Response:
    whole, contacts = await whole_of(visit), visit.services.submissions.contacts
    one = whole.submission
    if visit.form.one("act", limit=20) == "mail":
        if errors := await tried(contacts.send_code(visit.person, one.id, by=visit.actor)):
            return _page(visit, whole, errors)
        return visit.go(f"{path_of(one)}/contact", done="submission-mailed")
    confirming = contacts.confirm(visit.person, one.id, visit.form.one("code", limit=100), by=visit.actor)
    if errors := await tried(confirming, fields=("code",)):
        return _page(visit, whole, errors)
    return visit.go(path_of(one), done="submission-contact")


def _page(visit: Visit, whole: Whole, errors: Mapping[str, str]) -> Response:
    one = whole.submission
    return visit.page(
        "submission_contact.html",
        status=422 if errors else 200,
        one=one,
        path=path_of(one),
        mailed=visit.services.submissions.contacts.can_be_mailed(one),
        days=CONTACT_HOLDS.days,
        errors=errors,
    )
