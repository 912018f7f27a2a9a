"""Signing in through one's organization: there by an address of its domain, and back with the provider's answer."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import Response

from valetkey.identity.signin.openid.model import Purpose
from valetkey.kernel.errors import BadInput
from valetkey.kernel.secret import Secret
from valetkey.web.return_path import local_path
from valetkey.web.sign_in import after_sign_in, replace_session
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_SETTINGS = "/settings"


async def show(visit: Visit) -> Response:
    return _page(visit, to=local_path(visit.query("to", limit=8000)))


async def submit(visit: Visit) -> Response:
    to, address = local_path(visit.form.one("to", limit=8000)), visit.form.one("address", limit=400)
    browser = visit.cookies.sign_in(visit.request) or visit.cookies.new_sign_in()
    try:
        away = await visit.services.openid.sign_ins.begin_for(address, browser=browser, to=to)
    except BadInput as error:
        return _page(visit, to=to, address=address, errors={"address": f"{error.message} {error.hint}".strip()})
    return _leaving(visit, away, browser)


async def submit_again(visit: Visit) -> Response:
    """Proving again who one is, where one proves it: at the provider."""
    return await _go_as(visit, "again", to=local_path(visit.form.one("to", limit=8000)))


async def submit_link(visit: Visit) -> Response:
    """Tying an account that was there before: by who holds it, and just now proved that they do."""
    if (detour := ask_again(visit, to=_SETTINGS)) is not None:
        return detour
    return await _go_as(visit, "link", to=_SETTINGS)


async def callback(visit: Visit) -> Response:
    session = visit.signed_in_as if visit.signed_in_as and visit.signed_in_as.method != "link" else None
    arrived = await visit.services.openid.sign_ins.finish(
        visit.path("organization"),
        visit.request.query_params.multi_items(),
        browser=visit.cookies.sign_in(visit.request),
        session=session,
    )
    if arrived.purpose == "link":
        return visit.go(_SETTINGS, done="linked")
    response = after_sign_in(visit, arrived.to)
    await replace_session(visit, response, arrived.person, "openid", proved_at=arrived.authenticated_at)
    return response


async def _go_as(visit: Visit, purpose: Purpose, *, to: str) -> Response:
    browser = visit.cookies.sign_in(visit.request) or visit.cookies.new_sign_in()
    away = await visit.services.openid.sign_ins.begin_as(visit.session, purpose, browser=browser, to=to)
    return _leaving(visit, away, browser)


def _leaving(visit: Visit, away: str, browser: Secret) -> Response:
    # Answered with a page, not a redirect: browsers hold a form's redirects to `form-action`, which is our origin only.
    response = visit.page("leaving.html", address=away, host=urlsplit(away).netloc)
    visit.cookies.begin_sign_in(response, browser)
    return response


def _page(visit: Visit, *, to: str, address: str = "", errors: dict[str, str] | None = None) -> Response:
    return visit.page(
        "sign_in_organization.html", status=422 if errors else 200, to=to, address=address, errors=errors or {}
    )
