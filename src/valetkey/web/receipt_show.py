"""One receipt: what a disconnect destroyed, and whether the service confirmed."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    receipt = await visit.services.disconnecting.receipt(visit.person.id, visit.path("receipt"))
    return visit.page("receipt_show.html", receipt=receipt)
