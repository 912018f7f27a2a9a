"""Signing out other browsers of one's own, from afar."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    await visit.services.sessions.end_one_of(visit.person.id, visit.path("session"))
    return visit.go("/settings", done="session-ended")


async def submit_others(visit: Visit) -> Response:
    await visit.services.sessions.end_others(visit.session)
    return visit.go("/settings", done="sessions-ended")
