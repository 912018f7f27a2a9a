"""Giving a connector the client id that somebody registered at its service by hand (CON-13, CUS-05)."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.kernel.errors import BadInput, Forbidden
from valetkey.web.catalog import may_add, opened, read_entry
from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    entry = await read_entry(visit)
    if not await may_add(visit):
        raise Forbidden("Only owners and admins change connectors in this organization.", hint="Ask one of them.")
    connector = await opened(visit, entry, url=visit.form.one("at", limit=2048))
    if connector.is_local:
        raise BadInput("A program on the hub's host has no client id.")
    told = {"client_id": visit.form.one("client_id", limit=2048).strip()}
    await visit.services.connectors.set_client(connector.id, told)
    await visit.services.trail.write(
        "connector.client_set",
        actor=visit.actor,
        organization_id=connector.organization_id,
        person_id=visit.person.id,
        object=connector.id,
        detail={"slug": connector.slug},
    )
    return visit.go(f"/connections/new/{connector.slug}", done="client")
