"""Ending what an assistant may do in one's name: all its tokens stop working, and what stood for it is void."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    family, person = visit.path("family"), visit.person
    clients = {one.id: one.client_id for one in await visit.services.families.list(person.id)}
    await visit.services.families.end(person.id, family)
    if family in clients:
        await visit.services.policy.standing.put_out(person.id, clients[family])
    return visit.go("/settings", done="assistant-ended")
