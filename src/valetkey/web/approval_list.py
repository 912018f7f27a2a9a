"""What waits for the person's yes, and what became of what did."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from valetkey.web.visit import Visit

_MOST = 60


async def show(visit: Visit) -> Response:
    now = visit.clock.now()
    approvals = await visit.services.policy.approvals.list(visit.person.id, limit=_MOST)
    connectors = {
        one.connector_id: await visit.services.connectors.by_id(one.connector_id)
        for one in await visit.services.connections.list(visit.person.id)
    }
    names = {connector.slug: connector for connector in connectors.values()}
    return visit.page(
        "approval_list.html",
        waiting=[one for one in approvals if one.is_waiting(now)],
        past=[one for one in approvals if not one.is_waiting(now)],
        connectors=names,
        now=now,
    )


async def waiting(visit: Visit) -> Response:
    """For the script of the page: how many wait, so that it knows when to look again."""
    return JSONResponse({"waiting": await visit.services.policy.approvals.waiting(visit.person.id)})
