"""An invitation into an organization: what joining ends and what stays, and the person's own yes or no."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.identity.roles import Act
from valetkey.web.powers import check_may
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    services, person = visit.services, visit.person
    invitation = await services.invitations.get(person.id, visit.path("invitation"))
    return visit.page(
        "organization_join.html",
        invitation=invitation,
        organization=await services.organizations.get(invitation.organization_id),
        own=await services.organizations.get(person.organization_id),
        ahead=await services.joining.ahead(person.id),
    )


async def submit(visit: Visit) -> Response:
    invitation = visit.path("invitation")
    if (detour := ask_again(visit, to=f"/settings/invitations/{invitation}")) is not None:
        return detour
    await visit.services.joining.join(visit.person.id, invitation, by=visit.actor)
    return visit.go("/settings", done="joined")


async def decline(visit: Visit) -> Response:
    await visit.services.invitations.decline(visit.person.id, visit.path("invitation"), by=visit.actor)
    return visit.go("/settings", done="invitation-declined")


async def withdraw(visit: Visit) -> Response:
    """Whoever manages the people takes one of the organization's back."""
    check_may(visit, Act.MANAGE_PEOPLE)
    await visit.services.invitations.withdraw(visit.person.organization_id, visit.path("invitation"), by=visit.actor)
    return visit.go("/admin", done="invitation-withdrawn")
