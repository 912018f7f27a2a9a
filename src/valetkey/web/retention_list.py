"""For how long members' calls are kept, and what is held beyond that: an owner says, everybody who manages sees."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.identity.model import Person
from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import BadInput, NotFound, TooMany
from valetkey.privacy.holds import LONGEST_REASON
from valetkey.privacy.keeping import Going, Shortens
from valetkey.web.powers import check_may
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_HERE = "/admin/retention"
_EVERYBODY = ("", "Every member, who is here and who comes")


async def show(visit: Visit) -> Response:
    check_may(visit, Act.SEE_PEOPLE)
    return await _page(visit, {}, {})


async def submit(visit: Visit) -> Response:
    """Sets the times, or takes them back. Shorter is shown first with what would go, and set when that is confirmed."""
    check_may(visit, Act.MANAGE_ORGANIZATION)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    values = {name: visit.form.one(name, limit=10) for name in ("contents", "calls")}
    unset = "unset" in visit.form
    try:
        await visit.services.privacy.keeping.set(
            visit.person.organization_id,
            contents=None if unset else _days("contents", values["contents"]),
            calls=None if unset else _days("calls", values["calls"]),
            meant=visit.form.one("meant", limit=10) == "yes",
            actor=visit.actor,
        )
    except Shortens as shortens:
        return await _page(visit, {}, {**values, "unset": "yes" if unset else ""}, going=shortens.going)
    except BadInput as error:
        return await _page(visit, {error.field: error.message}, values)
    return visit.go(_HERE, done="retention")


async def place(visit: Visit) -> Response:
    """Places a hold on a member, or on everybody."""
    check_may(visit, Act.MANAGE_ORGANIZATION)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    values = {"person": visit.form.one("person", limit=64), "reason": visit.form.one("reason")}
    try:
        person = await _member(visit, values["person"]) if values["person"] else None
        await visit.services.privacy.holds.place(
            visit.person.organization_id, person, values["reason"], actor=visit.actor
        )
    except (BadInput, TooMany) as error:
        field = error.field if isinstance(error, BadInput) else ""
        return await _page(visit, {field: f"{error.message} {error.hint}".strip()}, values)
    return visit.go(_HERE, done="hold-placed")


async def release(visit: Visit) -> Response:
    check_may(visit, Act.MANAGE_ORGANIZATION)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    await visit.services.privacy.holds.release(visit.person.organization_id, visit.path("hold"), actor=visit.actor)
    return visit.go(_HERE, done="hold-released")


def _days(field: str, text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise BadInput("Give a number of days.", field=field)
    return int(text)


async def _member(visit: Visit, person_id: str) -> Person:
    found = [one for one in await visit.services.people.list(visit.person.organization_id) if one.id == person_id]
    if not found:
        raise NotFound("There is no such person.")
    return found[0]


async def _page(
    visit: Visit, errors: Mapping[str, str], values: Mapping[str, str], *, going: Going | None = None
) -> Response:
    person, privacy = visit.person, visit.services.privacy
    people = await visit.services.people.list(person.organization_id)
    names = {one.id: one.display_name for one in people}
    return visit.page(
        "retention_list.html",
        status=422 if errors or going else 200,
        errors=errors,
        values=values,
        going=going,
        kept=await privacy.keeping.kept(person.organization_id),
        holds=[
            (one, names.get(one.person_id, "somebody who left") if one.person_id else "every member")
            for one in await privacy.holds.list(person.organization_id)
        ],
        members=(_EVERYBODY, *((one.id, one.display_name[:60]) for one in people)),
        longest_reason=LONGEST_REASON,
        may_set=may(person.role, Act.MANAGE_ORGANIZATION),
    )
