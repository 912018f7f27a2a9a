"""The people of the organization, for those who manage them. Who they are, never what they connected or did."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.identity.model import Role
from valetkey.identity.roles import Act, may
from valetkey.web.powers import check_may
from valetkey.web.visit import Visit

_WORDS = {
    Role.MEMBER: "Member – connects and uses services",
    Role.AUDITOR: "Auditor – reads the trail",
    Role.ADMIN: "Admin – manages people and connectors",
    Role.OWNER: "Owner – everything, owners too",
}
_NOTHING = {"login": "", "display_name": "", "role": "member"}


def roles_to_give(visit: Visit) -> tuple[Role, ...]:
    return tuple(role for role in _WORDS if role is not Role.OWNER or may(visit.person.role, Act.MANAGE_OWNERS))


async def show(visit: Visit) -> Response:
    check_may(visit, Act.SEE_PEOPLE)
    return await people_page(visit, {}, _NOTHING)


async def people_page(visit: Visit, errors: Mapping[str, str], values: Mapping[str, str]) -> Response:
    """The page, also with what was wrong with an invitation."""
    organization_id = visit.person.organization_id
    organization = await visit.services.organizations.get(organization_id)
    return visit.page(
        "people_list.html",
        status=422 if errors else 200,
        errors=errors,
        values=values,
        organization=organization,
        invitations=[
            (one, await visit.services.people.get(one.person_id))
            for one in await visit.services.invitations.of_organization(organization_id)
        ],
        people=await visit.services.people.list(organization_id),
        roles=[(role.value, _WORDS[role]) for role in roles_to_give(visit)],
        may_manage=may(visit.person.role, Act.MANAGE_PEOPLE),
        may_set_sign_in=may(visit.person.role, Act.MANAGE_ORGANIZATION) and organization.kind != "personal",
    )
