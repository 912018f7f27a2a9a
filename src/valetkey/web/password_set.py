"""Setting or changing one's password."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.kernel.errors import BadInput
from valetkey.web.return_path import local_path
from valetkey.web.sign_in import after_sign_in, replace_session
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit
from valetkey.web.welcome import welcome_page


async def show(visit: Visit) -> Response:
    return ask_again(visit, to="/settings/password") or await _page(visit, {})


async def submit(visit: Visit) -> Response:
    by_link = visit.session.method == "link"
    if not by_link and (detour := ask_again(visit, to="/settings/password")) is not None:
        return detour
    to = local_path(visit.form.one("to", limit=8000)) if by_link else "/settings?done=password"
    password = visit.form.secret("password")
    try:
        if password != visit.form.secret("repeat"):
            raise BadInput("The two are not the same.", field="repeat")
        await visit.services.passwords.set(visit.person.id, password, by=visit.actor)
    except BadInput as error:
        errors = {"repeat" if error.field == "repeat" else "password": f"{error.message} {error.hint}".strip()}
        return await (welcome_page(visit, to=to, errors=errors) if by_link else _page(visit, errors))
    # Whoever else was signed in, perhaps with the old password, is out; this browser gets a session of a new kind.
    await visit.services.sessions.end_others(visit.session)
    response = after_sign_in(visit, to)
    # Choosing a password proves no more than what let the person choose it.
    await replace_session(visit, response, visit.person, "password" if by_link else visit.session.method)
    return response


async def _page(visit: Visit, errors: dict[str, str]) -> Response:
    has_password = await visit.services.passwords.has(visit.person.id)
    return visit.page("password_set.html", status=422 if errors else 200, errors=errors, has_password=has_password)
