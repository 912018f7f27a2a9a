"""Proving again who one is, before something that changes who can get in (security.md 5.1: step-up)."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.kernel.errors import NotSignedIn, TooMany
from valetkey.web.return_path import local_path, with_return
from valetkey.web.sign_in import begin_session
from valetkey.web.visit import Visit


def ask_again(visit: Visit, *, to: str) -> Response | None:
    """A detour to this page, to return to `to`; or `None` when the person proved who they are just now."""
    if visit.services.sessions.is_fresh(visit.session):
        return None
    return visit.go(with_return("/signin/again", to))


async def show(visit: Visit) -> Response:
    return _page(visit, to=local_path(visit.query("to", limit=8000)))


async def submit(visit: Visit) -> Response:
    to = local_path(visit.form.one("to", limit=8000))
    if visit.session.has_passkey:
        # A password that was phished must not be enough to put in another passkey, or a token.
        return _page(visit, to=to, errors={"": "You have a passkey.", "hint": "Please confirm with it."})
    try:
        person = await visit.services.passwords.check(visit.person.login, visit.form.secret("password"), visit.network)
    except NotSignedIn:
        return _page(visit, to=to, errors={"password": "That is not your password."})
    except TooMany as error:
        return _page(visit, to=to, errors={"": error.message, "hint": error.hint})
    return await begin_session(visit, person, "password", to=to)


def _page(visit: Visit, *, to: str, errors: dict[str, str] | None = None) -> Response:
    return visit.page(
        "sign_in.html",
        status=422 if errors else 200,
        to=to,
        errors=errors or {},
        again=True,
        with_passkey=visit.session.has_passkey,
        with_password=not visit.session.has_passkey and visit.session.method != "openid",
        with_organization=not visit.session.has_passkey and visit.session.method == "openid",
    )
