"""What can be connected: the connectors this person's organization knows."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from valetkey.directory.model import Connector
from valetkey.web.accounts import read_accounts
from valetkey.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Entry:
    """A connector, the state of the person's account there, and the page that goes on from here."""

    connector: Connector
    state: str
    path: str


async def show(visit: Visit) -> Response:
    q = visit.query("q", limit=100).strip()
    connectors = await visit.services.connectors.list_for(visit.person)
    accounts = {one.connector.id: one.connection for one in reversed(await read_accounts(visit))}
    entries = []
    for connector in connectors:
        if q and q.lower() not in f"{connector.name} {connector.origin}".lower():
            continue
        mine = accounts.get(connector.id)
        path = f"/connections/{mine.id}" if mine else f"/connections/new/{connector.slug}"
        entries.append(Entry(connector, mine.state if mine else "not_added", path))
    return visit.page("directory_list.html", entries=entries, q=q)
