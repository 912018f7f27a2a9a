"""Giving a connector the client id that somebody registered at its service by hand (CON-13, CUS-05)."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.directory.editing import Edit
from valetkey.web.catalog import check_may_add, opened, read_entry
from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    entry = await read_entry(visit)
    await check_may_add(visit, "connector.change_refused")
    connector = await opened(visit, entry, url=visit.form.one("at", limit=2048))
    edit = Edit(auth={"client_id": visit.form.one("client_id", limit=2048).strip()})
    await visit.services.editing.edit(connector, edit, by=visit.actor, person_id=visit.person.id)
    return visit.go(f"/connections/new/{connector.slug}", done="client")
