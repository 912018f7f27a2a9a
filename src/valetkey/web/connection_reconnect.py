"""Signing in at the service again, for an account that is there already."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.accounts import read_account
from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    account = await read_account(visit)
    attempt = await visit.services.connecting.begin(
        visit.session,
        account.connector,
        label=account.connection.label,
        display_name=account.connection.display_name,
    )
    return visit.go(f"/connections/review/{attempt.id}")
