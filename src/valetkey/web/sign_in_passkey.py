"""Signing in with a passkey: two requests of a script of ours, since browsers offer passkeys to scripts only."""

from __future__ import annotations

import json

from starlette.responses import JSONResponse, Response

from valetkey.kernel.errors import BadInput, NotSignedIn
from valetkey.web.form import read_json
from valetkey.web.return_path import local_path
from valetkey.web.sign_in import replace_session
from valetkey.web.visit import Visit


async def options(visit: Visit) -> Response:
    wanted, challenge = await visit.services.passkeys.assertion()
    return JSONResponse({"options": json.loads(wanted), "challenge": challenge})


async def submit(visit: Visit) -> Response:
    given = await read_json(visit.request)
    challenge, to = given.get("challenge"), given.get("to")
    if not isinstance(challenge, str) or not isinstance(to, str):
        raise BadInput("The passkey's answer is not complete.", field="passkey")
    person = await visit.services.passkeys.authenticate(challenge, json.dumps(given.get("response")))
    if visit.signed_in_as is not None and person.id != visit.signed_in_as.person.id:
        # Asked to prove who is signed in, somebody else answered: that must not quietly switch the account.
        raise NotSignedIn("This passkey belongs to somebody else.")
    response = JSONResponse({"to": local_path(to)})
    await replace_session(visit, response, person, "passkey")
    return response
