"""One's own profiles."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.accounts import read_accounts
from valetkey.web.profiles import summary
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    accounts = await read_accounts(visit)
    profiles = await visit.services.profiles.list(visit.person.id)
    return visit.page("profile_list.html", profiles=[(one, summary(one, accounts)) for one in profiles])
