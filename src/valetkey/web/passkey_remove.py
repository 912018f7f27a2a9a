"""Removing a passkey."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    if (detour := ask_again(visit, to="/settings")) is not None:
        return detour
    await visit.services.passkeys.remove(visit.person.id, visit.path("passkey"))
    return visit.go("/settings", done="passkey-removed")
