"""The receipts of what was disconnected."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    return visit.page("receipt_list.html", receipts=await visit.services.disconnecting.receipts(visit.person.id))
