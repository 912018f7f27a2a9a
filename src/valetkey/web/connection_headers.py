"""Giving the request headers of an account new values: a key that was replaced, or one that goes beside a sign-in."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.web.accounts import Account, read_account
from valetkey.web.connection_start import header_names, read_headers
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    return await _page(visit, await _account(visit), {})


async def submit(visit: Visit) -> Response:
    account = await _account(visit)
    try:
        await visit.services.connecting.set_header(
            visit.session,
            account.connector,
            values=read_headers(visit, account.connector),
            acknowledged=visit.form.one("disclosed"),
            label=account.connection.label,
            display_name=account.connection.display_name,
        )
    except (BadInput, Conflict) as error:
        return await _page(visit, account, {"": error.message, "hint": error.hint})
    return visit.go(f"/connections/{account.connection.id}", done="headers")


async def _account(visit: Visit) -> Account:
    account = await read_account(visit)
    if not header_names(account.connector) or account.connector.acts_as_organization:
        raise NotFound("This service takes no request headers.")
    return account


async def _page(visit: Visit, account: Account, errors: Mapping[str, str]) -> Response:
    return visit.page(
        "connection_headers.html",
        status=422 if errors else 200,
        errors=errors,
        connection=account.connection,
        connector=account.connector,
        disclosure=visit.services.connectors.disclosure(account.connector),
        account=account.name,
        header_names=header_names(account.connector),
        optional_headers=tuple(account.connector.auth.get("optional_headers", ())),
    )
