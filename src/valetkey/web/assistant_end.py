"""Ending what an assistant may do in one's name: all its tokens stop working."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    await visit.services.families.end(visit.person.id, visit.path("family"))
    return visit.go("/settings", done="assistant-ended")
