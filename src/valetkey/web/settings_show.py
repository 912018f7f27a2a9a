"""Who gets in as this person, and how: passkeys, password, assistants, tokens, browsers."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.audit.model import OfPerson
from valetkey.web.visit import Visit

_EVENTS = 12


async def show(visit: Visit) -> Response:
    services, person = visit.services, visit.person
    provider = await services.openid.providers.of(person.organization_id)
    return visit.page(
        "settings_show.html",
        passkeys=await services.passkeys.list(person.id),
        has_password=await services.passwords.has(person.id),
        assistants=await services.families.list(person.id),
        tokens=await services.tokens.list(person.id),
        sessions=await services.sessions.list(person.id),
        organization=await services.organizations.get(person.organization_id),
        provider=provider,
        identity=await services.openid.accounts.identity_of(person.id) if provider else None,
        invitations=[
            (one, await services.organizations.get(one.organization_id))
            for one in await services.invitations.to(person.id)
        ],
        events=await services.trail.list(OfPerson(person.id), limit=_EVENTS),
    )
