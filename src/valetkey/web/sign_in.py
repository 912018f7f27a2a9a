"""Signing in with a password, and the page that offers both ways."""

from __future__ import annotations

from datetime import datetime

from starlette.responses import Response

from valetkey.identity.model import Person, SignInMethod
from valetkey.kernel.errors import NotSignedIn, TooMany
from valetkey.kernel.secret import Secret
from valetkey.web.return_path import local_path
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    to = local_path(visit.query("to", limit=8000))
    if visit.signed_in_as is not None:
        return visit.go(to if visit.signed_in_as.method != "link" else "/welcome")
    return await _page(visit, to=to)


async def submit(visit: Visit) -> Response:
    to = local_path(visit.form.one("to", limit=8000))
    login = visit.form.one("login", limit=254)
    try:
        person = await visit.services.passwords.check(login, visit.form.secret("password"), visit.network)
    except (NotSignedIn, TooMany) as error:
        return await _page(visit, to=to, login=login, error=error)
    return await begin_session(visit, person, "password", to=to)


async def begin_session(visit: Visit, person: Person, method: SignInMethod, *, to: str) -> Response:
    """A new session, whatever this browser had before (fixation), and on to `to`, a path of ours."""
    response = after_sign_in(visit, to)
    await replace_session(visit, response, person, method)
    return response


async def replace_session(
    visit: Visit, response: Response, person: Person, method: SignInMethod, *, proved_at: datetime | None = None
) -> None:
    """Begins a session in place of the browser's present one; its cookie goes onto `response`."""
    before = visit.cookies.session(visit.request) or Secret(b"")
    agent = visit.request.headers.get("user-agent", "")[:200]
    session = await visit.services.sessions.begin(person, method, agent, replacing=before, proved_at=proved_at)
    visit.cookies.begin_session(response, session)


def after_sign_in(visit: Visit, to: str) -> Response:
    """The answer that leads on. Where an assistant waits, the next page may send the browser to it, and a browser

    counts that as part of this form's answer, which our `form-action` forbids: so there a page stands in between.
    """
    if to.startswith("/oauth/"):
        return visit.page("leaving.html", address=to, host="")
    return visit.go(to)


async def _page(visit: Visit, *, to: str, login: str = "", error: NotSignedIn | TooMany | None = None) -> Response:
    errors = {"": error.message, "hint": error.hint} if error else {}
    status = 200 if error is None else 429 if isinstance(error, TooMany) else 422
    return visit.page("sign_in.html", status=status, to=to, login=login, errors=errors, again=False,
                      with_passkey=True, with_password=True,
                      with_organization=await visit.services.openid.providers.any())  # fmt: skip
