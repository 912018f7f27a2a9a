"""Revoking one of one's own personal tokens."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    await visit.services.tokens.revoke(visit.person.id, visit.path("token"))
    return visit.go("/settings", done="token-revoked")
