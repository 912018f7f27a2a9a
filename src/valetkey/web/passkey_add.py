"""Adding a passkey: the page, and the two requests of its script."""

from __future__ import annotations

import json

from starlette.responses import JSONResponse, Response

from valetkey.kernel.errors import BadInput, Forbidden
from valetkey.web.form import read_json
from valetkey.web.return_path import local_path
from valetkey.web.sign_in import replace_session
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    return ask_again(visit, to="/settings/passkeys/new") or visit.page("passkey_add.html")


async def options(visit: Visit) -> Response:
    _check_fresh(visit)
    wanted, challenge = await visit.services.passkeys.registration(visit.person)
    return JSONResponse({"options": json.loads(wanted), "challenge": challenge})


async def submit(visit: Visit) -> Response:
    _check_fresh(visit)
    given = await read_json(visit.request)
    challenge, name, to = given.get("challenge"), given.get("name"), given.get("to", "")
    if not isinstance(challenge, str) or not isinstance(name, str) or not isinstance(to, str):
        raise BadInput("The passkey's answer is not complete.", field="passkey")
    await visit.services.passkeys.register(visit.person, challenge, json.dumps(given.get("response")), name.strip())
    by_link = visit.session.method == "link"
    response = JSONResponse({"to": local_path(to) if by_link else "/settings?done=passkey"})
    await replace_session(visit, response, visit.person, "passkey")
    return response


def _check_fresh(visit: Visit) -> None:
    """A link is there to set the first credential with; anybody else proves again who they are."""
    if visit.session.method != "link" and not visit.services.sessions.is_fresh(visit.session):
        raise Forbidden("Please reload the page and confirm that it is you.")
