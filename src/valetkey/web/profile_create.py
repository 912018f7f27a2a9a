"""Making a profile: its name, which becomes part of its address, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.directory.model import Choice
from valetkey.kernel.errors import BadInput, Conflict, TooMany
from valetkey.web.profiles import ACCESS, read_choices, read_form
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    return await _page(visit, {"name": "", "title": "", "access": "auto"}, {}, {})


async def submit(visit: Visit) -> Response:
    values = {field: visit.form.one(field, limit=100) for field in ("name", "title", "access")}
    choices = await read_form(visit, {})
    try:
        made = await visit.services.profiles.add(
            visit.person, values["name"], title=values["title"], access=values["access"], choices=choices,
            by=visit.actor,
        )  # fmt: skip
    except (BadInput, Conflict, TooMany) as error:
        field = error.field if isinstance(error, BadInput) else "name" if isinstance(error, Conflict) else ""
        chosen = {choice.connection_id: choice for choice in choices}
        return await _page(visit, values, chosen, {field: error.message, "hint": error.hint})
    return visit.go(f"/profiles/{made.name}", done="profile")


async def _page(
    visit: Visit, values: Mapping[str, str], chosen: Mapping[str, Choice], errors: Mapping[str, str]
) -> Response:
    return visit.page(
        "profile_create.html", status=422 if errors else 200,
        values=values, access=ACCESS, connections=await read_choices(visit, chosen), errors=errors,
    )  # fmt: skip
