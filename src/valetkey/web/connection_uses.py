"""Every use of one connection's credential: when, which call, by whom, and where it went (S-22)."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.accounts import read_account
from valetkey.web.visit import Visit

_PER_PAGE = 50


async def show(visit: Visit) -> Response:
    account = await read_account(visit)
    before = visit.query("before", limit=64)
    here = f"/connections/{account.connection.id}/uses"
    uses, following = await visit.services.uses.list(
        account.connection.id, visit.person.id, before=before, limit=_PER_PAGE
    )
    return visit.page(
        "connection_uses.html",
        connection=account.connection,
        connector=account.connector,
        account=account.name,
        uses=uses,
        me_as_actor=f"person:{visit.person.id}",
        earlier=f"{here}?before={following}" if following else "",
        later=here if before else "",
    )
