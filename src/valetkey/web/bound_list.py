"""How much of members' calls the organization keeps at least and at most: an owner says, everybody who manages sees."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import BadInput, TooMany
from valetkey.privacy.levels import EVERY, NOT_THERE, Level
from valetkey.web.powers import check_may
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_HERE = "/admin/data"
_KINDS = (("floor", "At least"), ("ceiling", "At most"))
_LEVELS = (
    (Level.FULL.value, "All of it – contents too, sealed for each member"),
    (Level.METADATA.value, "Metadata – which tool, when, how it ended"),
    (Level.NONE.value, "The least – that there was a call, and where it went"),
)
_NOTHING = {"kind": "ceiling", "connector": EVERY, "level": Level.METADATA.value, "acknowledged": ""}


async def show(visit: Visit) -> Response:
    check_may(visit, Act.SEE_PEOPLE)
    return await _page(visit, {}, _NOTHING)


async def submit(visit: Visit) -> Response:
    """Says one, in the place of one for the same; `unset` takes it back. It holds for calls from then on."""
    check_may(visit, Act.MANAGE_ORGANIZATION)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    values = {name: visit.form.one(name, limit=60) for name in _NOTHING}
    try:
        if values["kind"] not in ("floor", "ceiling"):
            raise BadInput("Say whether it is the least or the most.", field="kind")
        if values["level"] not in {"unset", *Level}:
            raise BadInput("There is no such level.", field="level")
        await visit.services.privacy.levels.bound(
            visit.person.organization_id,
            "floor" if values["kind"] == "floor" else "ceiling",
            None if values["level"] == "unset" else Level(values["level"]),
            connector=values["connector"],
            acknowledged=values["acknowledged"] == "yes",
            actor=visit.actor,
        )
    except (BadInput, TooMany) as error:
        field = error.field if isinstance(error, BadInput) and error.field in values else ""
        return await _page(visit, {field: f"{error.message} {error.hint}".strip()}, values)
    return visit.go(_HERE, done="bounds")


async def _page(visit: Visit, errors: Mapping[str, str], values: Mapping[str, str]) -> Response:
    person = visit.person
    names = {EVERY: "Every service"}
    names |= {one.slug: one.name[:60] for one in await visit.services.connectors.list_for(person)}
    bounds = await visit.services.privacy.levels.bounds(person.organization_id)
    return visit.page(
        "bound_list.html",
        status=422 if errors else 200,
        errors=errors,
        values=values,
        bounds=[(one, names.get(one.connector, one.connector), dict(_KINDS)[one.kind]) for one in bounds],
        words=dict(_LEVELS),
        kinds=_KINDS,
        levels=_LEVELS,
        not_there=NOT_THERE,
        connectors=tuple(names.items()),
        may_set=may(person.role, Act.MANAGE_ORGANIZATION),
        may_see_calls=may(person.role, Act.SEE_CALLS),
    )
