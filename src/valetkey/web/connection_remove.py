"""Removing the entry of an account that is disconnected."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.kernel.errors import Conflict
from valetkey.web.accounts import read_account
from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    account = await read_account(visit)
    if account.is_live:
        raise Conflict("This account is still connected.", hint="Disconnect it first.")
    await visit.services.connections.remove(visit.person.id, account.connection.id, by=visit.actor)
    return visit.go("/connections", done="removed")
