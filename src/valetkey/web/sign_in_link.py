"""The one-time link. Opening it changes nothing, so that a mail scanner cannot use it up; the button does."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.sign_in import begin_session
from valetkey.web.visit import Visit


def link_path(token: str) -> str:
    """The path of the page for a one-time token."""
    return f"/signin/link/{token}"


async def show(visit: Visit) -> Response:
    return visit.page("sign_in_link.html", token=visit.path("token")[:200])


async def submit(visit: Visit) -> Response:
    redeemed = await visit.services.links.redeem(visit.form.secret("token", limit=200))
    return await begin_session(visit, redeemed.person, "link", to="/welcome")
