"""Reporting the service of a connection, to who answers for the organization (CUS-09)."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.accounts import read_account
from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    account = await read_account(visit)
    reason = visit.form.one("reason", limit=40)
    if not reason:
        return visit.go(f"/connections/{account.connection.id}", done="nothing-chosen")
    await visit.services.reporting.report(account.connection, account.connector, reason, by=visit.actor)
    return visit.go(f"/connections/{account.connection.id}", done="reported")
