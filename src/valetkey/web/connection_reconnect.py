"""Connecting an account anew that is there already."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.accounts import read_account
from valetkey.web.connection_start import begin_account
from valetkey.web.visit import Visit


async def submit(visit: Visit) -> Response:
    account = await read_account(visit)
    if account.connector.acts_as_organization:
        return visit.go(f"/connections/new/{account.connector.slug}")
    if account.connector.auth_kind == "header":
        return visit.go(f"/connections/{account.connection.id}/headers")
    values = {"label": account.connection.label, "display_name": account.connection.display_name}
    return await begin_account(visit, account.connector, values)
