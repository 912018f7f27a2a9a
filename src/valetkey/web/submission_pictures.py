"""The icon and the screenshots of a submission: handed in, shown, dropped (DIR-05, DIR-14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from valetkey.kernel.errors import BadInput
from valetkey.submissions.drafts import EDITABLE
from valetkey.submissions.fields import FEWEST_SCREENSHOTS, MOST_SCREENSHOTS
from valetkey.submissions.ground import Whole
from valetkey.submissions.model import Submission
from valetkey.submissions.pictures import SHAPES, read_kind
from valetkey.web.submission_show import path_of, whole_of
from valetkey.web.tried import tried
from valetkey.web.visit import Visit

_AS_A_PICTURE: Final = {
    # It is the hub's origin, and the picture is a stranger's: were it taken for anything else, nothing would run.
    "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "content-disposition": "inline",
    "cache-control": "private, max-age=31536000, immutable",  # named by its content
}


async def picture(visit: Visit) -> Response:
    """One picture, for whoever is signed in: as it was made anew, and as nothing but a PNG."""
    content = await visit.services.submissions.pictures.get(visit.path("picture"))
    return Response(content, media_type="image/png", headers=_AS_A_PICTURE)


async def show(visit: Visit) -> Response:
    return _page(visit, await whole_of(visit), {})


async def submit(visit: Visit) -> Response:
    whole = await whole_of(visit)
    if errors := await tried(_changed(visit, whole.submission), fields=("picture",)):
        return _page(visit, whole, errors)
    return visit.go(f"{path_of(whole.submission)}/pictures", done="submission-saved")


async def _changed(visit: Visit, one: Submission) -> None:
    form, submissions = visit.form, visit.services.submissions
    said = form.one("revision", limit=20)
    revision = int(said) if said.isascii() and said.isdecimal() else 0
    kind, dropped = form.one("kind", limit=20), form.one("drop", limit=64)
    if dropped:
        left = {
            "icon": "" if one.fields.icon == dropped else one.fields.icon,
            "screenshots": [each for each in one.fields.screenshots if each != dropped],
        }
        await submissions.drafts.edit(visit.person, one.id, left, revision=revision, by=visit.actor)
        return
    if not form.file:
        raise BadInput("Choose a file.", field="picture")
    await submissions.pictures.hand_in(
        visit.person, one.id, read_kind(kind), form.file, revision=revision, by=visit.actor
    )


def _page(visit: Visit, whole: Whole, errors: Mapping[str, str]) -> Response:
    one = whole.submission
    return visit.page(
        "submission_pictures.html",
        status=422 if errors else 200,
        one=one,
        path=path_of(one),
        shapes=SHAPES,
        fewest=FEWEST_SCREENSHOTS,
        most=MOST_SCREENSHOTS,
        editable=one.state in EDITABLE,
        kind=visit.form.one("kind", limit=20) if errors else "",
        errors=errors,
    )
