"""After a one-time link: setting the passkey or password to sign in with from now on."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.return_path import local_path
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    return await welcome_page(visit, to=local_path(visit.query("to", limit=8000)))


async def welcome_page(visit: Visit, *, to: str, errors: dict[str, str] | None = None) -> Response:
    """The page, also with what was wrong with a password."""
    if visit.session.method != "link":
        return visit.go(to)
    return visit.page(
        "welcome.html",
        status=422 if errors else 200,
        to=to,
        errors=errors or {},
        has_credential=await visit.services.people.has_credential(visit.person.id),
        passkeys_possible=visit.services.passkeys.available,
    )
