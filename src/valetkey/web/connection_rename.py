"""Changing what the person calls an account; its label stays."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.accounts import read_account
from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    connection = (await read_account(visit)).connection
    await visit.services.connections.rename(visit.person.id, connection.id, visit.form.one("display_name", limit=100))
    return visit.go(f"/connections/{connection.id}", done="renamed")
