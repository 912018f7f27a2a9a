"""Leaving the organization and keeping the account."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_HERE = "/settings/leave"


async def show(visit: Visit) -> Response:
    services, person = visit.services, visit.person
    return visit.page(
        "organization_leave.html",
        organization=await services.organizations.get(person.organization_id),
        connections=len(await services.connections.list(person.id)),
    )


async def submit(visit: Visit) -> Response:
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    await visit.services.leaving.leave(visit.person.id, by=visit.actor)
    return visit.go("/settings", done="left")
