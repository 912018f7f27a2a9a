"""Inviting somebody, or giving somebody who never signed in a new link. The link is shown once, to be handed over."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.identity.model import LinkPurpose, Person, Role
from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.web.people_list import people_page, roles_to_give
from valetkey.web.powers import check_may
from valetkey.web.sign_in_again import ask_again
from valetkey.web.sign_in_link import link_path
from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    check_may(visit, Act.MANAGE_PEOPLE)
    if (detour := ask_again(visit, to="/admin")) is not None:
        return detour
    values = {name: visit.form.one(name, limit=300) for name in ("login", "display_name", "role")}
    try:
        if values["role"] not in roles_to_give(visit):
            raise BadInput("That role cannot be given.", field="role")
        known = await visit.services.people.find(values["login"])
        is_elsewhere = known is not None and known.organization_id != visit.person.organization_id
        if known is not None and is_elsewhere and await visit.services.invitations.is_invitable(known):
            await visit.services.invitations.invite(
                visit.person.organization_id, known.login, Role(values["role"]), by=visit.actor
            )
            return visit.go("/admin", done="invited")
        person = await visit.services.people.create(
            login=values["login"],
            display_name=values["display_name"],
            organization_id=visit.person.organization_id,
            role=Role(values["role"]),
            by=visit.actor,
        )
    except BadInput as error:
        field = error.field if error.field in values else ""
        return await people_page(visit, {field: f"{error.message} {error.hint}".strip()}, values)
    except (Conflict, NotFound) as error:
        return await people_page(visit, {"login": error.message}, values)
    return await _link_page(visit, person, "invite")


async def submit_link(visit: Visit) -> Response:
    check_may(visit, Act.MANAGE_PEOPLE)
    if (detour := ask_again(visit, to="/admin")) is not None:
        return detour
    person = await managed_person(visit)
    if await visit.services.people.has_credential(person.id):
        # Whoever hands out a recovery link can follow it: no role here opens another person's account.
        raise Conflict(
            f"{person.login} has a password or a passkey.",
            hint=f"Somebody on the hub's host can recover the account: valetkey user invite {person.login} --recovery",
        )
    return await _link_page(visit, person, "invite")


async def managed_person(visit: Visit) -> Person:
    """The person named in the path, if this visitor may manage them. Raises `NotFound`."""
    person = await visit.services.people.get(visit.path("person"))
    if person.organization_id != visit.person.organization_id:
        raise NotFound("There is no such person.")
    # Whoever can send an owner a link can become that owner.
    if person.role is Role.OWNER and not may(visit.person.role, Act.MANAGE_OWNERS):
        raise NotFound("There is no such person.")
    return person


async def _link_page(visit: Visit, person: Person, purpose: LinkPurpose) -> Response:
    token = await visit.services.links.issue(person.id, purpose=purpose, by=visit.actor)
    # Revealed because this page is the one time that the link is seen.
    return visit.page(
        "shown_once.html",
        title="A one-time link",
        lead=f"Hand it to {person.login}, by a way that only they can read. Good for 15 minutes, once.",
        text=visit.public_url + link_path(token.reveal().decode()),
        example="",
        done="/admin",
    )
