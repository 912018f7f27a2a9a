"""Signing out."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    await visit.services.sessions.end(visit.session.id)
    response = visit.go("/signin", done="signed-out")
    visit.cookies.end_session(response)
    return response
