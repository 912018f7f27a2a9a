"""Disabling a person: they are out at once, everywhere. Or they have left: what they connected here is ended, too."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.identity.roles import Act
from valetkey.kernel.errors import Conflict
from valetkey.web.person_invite import managed_person
from valetkey.web.powers import check_may
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    check_may(visit, Act.MANAGE_PEOPLE)
    return visit.page("person_disable.html", person=await managed_person(visit))


async def submit(visit: Visit) -> Response:
    check_may(visit, Act.MANAGE_PEOPLE)
    person = await managed_person(visit)
    if (detour := ask_again(visit, to=f"/admin/people/{person.id}/disable")) is not None:
        return detour
    if person.id == visit.person.id:
        raise Conflict("You cannot disable yourself.")
    await visit.services.people.disable(person.id, by=visit.actor)
    return visit.go("/admin", done="person-disabled")


async def remove(visit: Visit) -> Response:
    """ORG-20: out, every connection revoked and destroyed, the contents of their calls erased, their name forgotten."""
    check_may(visit, Act.MANAGE_PEOPLE)
    person = await managed_person(visit)
    if (detour := ask_again(visit, to=f"/admin/people/{person.id}/disable")) is not None:
        return detour
    if person.id == visit.person.id:
        raise Conflict("You cannot remove yourself.")
    await visit.services.offboarding.remove(person.id, by=visit.actor)
    return visit.go("/admin", done="person-removed")
