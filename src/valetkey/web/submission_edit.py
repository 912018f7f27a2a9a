"""One step of a submission: its fields, typed and kept, with each mistake said beside its field (DIR-05)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.submissions.drafts import EDITABLE
from valetkey.submissions.ground import Whole
from valetkey.web.submission_show import path_of, whole_of
from valetkey.web.submission_steps import SHEETS, Sheet, changes_of, read, still, values_of
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    whole, sheet = await whole_of(visit), _sheet(visit)
    return _page(visit, whole, sheet, values_of(whole.submission.fields, sheet), {})


async def submit(visit: Visit) -> Response:
    whole, sheet = await whole_of(visit), _sheet(visit)
    one, values = whole.submission, read(visit.form, sheet)
    revision = visit.form.one("revision", limit=20)
    try:
        await visit.services.submissions.drafts.edit(
            visit.person, one.id, changes_of(one.fields, sheet, values), by=visit.actor,
            revision=int(revision) if revision.isascii() and revision.isdecimal() else 0,
        )  # fmt: skip
    except BadInput as error:
        names = [each.name for each in sheet.inputs if error.field in (each.name, each.name.partition(".")[0])]
        field = error.field if error.field in names or not names else names[0]
        shown = field if field in values else ""
        return _page(visit, whole, sheet, values, {shown: f"{error.message} {error.hint}".strip()})
    except Conflict as error:
        return _page(visit, whole, sheet, values, {"": error.message, "hint": error.hint})
    return visit.go(_after(path_of(one), visit.path("step")), done="submission-saved")


def _sheet(visit: Visit) -> Sheet:
    found = SHEETS.get(visit.path("step"))
    if found is None:
        raise NotFound("There is no such step.")
    return found


def _after(path: str, step: str) -> str:
    """The next form; after the last, the submission as a whole."""
    steps = list(SHEETS)
    later = steps[steps.index(step) + 1 :]
    return f"{path}/{later[0]}" if later else path


def _page(visit: Visit, whole: Whole, sheet: Sheet, values: Mapping[str, Any], errors: Mapping[str, str]) -> Response:
    missing = next((step.missing for step in whole.steps if step.name == sheet.name), ())
    return visit.page(
        "submission_edit.html",
        status=422 if errors else 200,
        one=whole.submission,
        sheet=sheet,
        step=visit.path("step"),
        steps=[*SHEETS],
        values=values,
        missing=still(missing) if missing else "",
        editable=whole.submission.state in EDITABLE,
        errors=errors,
    )
