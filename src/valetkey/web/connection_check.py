"""Looking whether a connection works, at the person's press of a button (VLT-07): the answer is the page."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.accounts import read_account
from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    account = await read_account(visit)
    checked = await visit.services.checking.check(visit.person.id, account.connection.id, by=visit.actor)
    return visit.page(
        "connection_checked.html",
        connection=account.connection,
        connector=account.connector,
        account=account.name,
        checked=checked,
    )
