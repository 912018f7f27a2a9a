"""One's own connections."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.accounts import read_accounts
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    accounts = await read_accounts(visit)
    return visit.page("connection_list.html", accounts=accounts, any_live=any(one.is_live for one in accounts))
