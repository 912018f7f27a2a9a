"""Asking for a connector, and the list of what members asked for, with its yes and no (ORG-02)."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import BadInput, Conflict, NotFound, TooMany
from valetkey.web.powers import check_may
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_ALL = "/admin/requests"
_OWN = "/directory/requests"
_EMPTY = {"url": "", "name": ""}


async def show(visit: Visit) -> Response:
    """What the person asked for, and the form to ask."""
    await _check_members(visit)
    return await _page(visit, {}, _EMPTY)


async def submit(visit: Visit) -> Response:
    await _check_members(visit)
    values = {"url": visit.form.one("url", limit=2048), "name": visit.form.one("name", limit=100)}
    try:
        await visit.services.requests.ask(visit.person, **values)
    except BadInput as error:
        if error.field == "url":  # refused perhaps because it holds a key: not given back (CON-03)
            values["url"] = ""
        return await _page(visit, {error.field: f"{error.message} {error.hint}".strip()}, values)
    except (Conflict, TooMany) as error:
        return await _page(visit, {"": f"{error.message} {error.hint}".strip()}, values)
    return visit.go(_OWN, done="asked-for")


async def show_all(visit: Visit) -> Response:
    """What everybody here asked for."""
    check_may(visit, Act.SEE_PEOPLE)
    await _check_members(visit)
    return await _list(visit, "")


async def approve(visit: Visit) -> Response:
    check_may(visit, Act.MANAGE_CONNECTORS)
    if (detour := ask_again(visit, to=_ALL)) is not None:
        return detour
    kind = visit.form.one("sign_in", limit=10) or "oauth"
    try:
        await visit.services.requests.approve(visit.person, visit.path("request"), by=visit.actor, auth_kind=kind)
    except (BadInput, Conflict, TooMany) as error:
        return await _list(visit, f"{error.message} {error.hint}".strip())
    return visit.go(_ALL, done="request-approved")


async def dismiss(visit: Visit) -> Response:
    check_may(visit, Act.MANAGE_CONNECTORS)
    await visit.services.requests.dismiss(visit.person.organization_id, visit.path("request"), by=visit.actor)
    return visit.go(_ALL, done="request-dismissed")


async def _check_members(visit: Visit) -> None:
    """Raises `NotFound` for who is on their own: there is nobody to ask."""
    if (await visit.services.organizations.get(visit.person.organization_id)).kind == "personal":
        raise NotFound("There is no such page.")


async def _page(visit: Visit, errors: Mapping[str, str], values: Mapping[str, str]) -> Response:
    return visit.page(
        "request_list.html", status=422 if errors else 200, errors=errors, values=values,
        requests=await visit.services.requests.by(visit.person),
    )  # fmt: skip


async def _list(visit: Visit, problem: str) -> Response:
    organization_id = visit.person.organization_id
    people = {one.id: one.display_name for one in await visit.services.people.list(organization_id)}
    found = await visit.services.requests.of(organization_id)
    return visit.page(
        "request_list_all.html",
        status=422 if problem else 200,
        errors={"": problem} if problem else {},
        open=[(one, _named(one.askers, people)) for one in found if one.state == "open"],
        resolved=[(one, _named(one.askers, people)) for one in found if one.state != "open"],
        may_decide=may(visit.person.role, Act.MANAGE_CONNECTORS),
    )


def _named(askers: tuple[str, ...], people: Mapping[str, str]) -> str:
    """The first three by name; who has left is counted only."""
    names = [people[one] for one in askers if one in people][:3]
    more = len(askers) - len(names)
    return ", ".join(names) + (f" and {more} more" if names and more else f"{more} people" if more else "")
